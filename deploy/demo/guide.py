"""How to go on by hand once the story is told, and what arrives meanwhile.

Fails like reading a directory that somebody else has removed: OSError; `deciding` for the letter about the message
that is left: TimeoutError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path

from deploy.demo.by_hand import write_scripts
from deploy.demo.deciding import answer_address, letter, link, reference
from deploy.demo.decisions import LEFT_FOR_YOU
from deploy.demo.people import PASSWORD
from deploy.demo.play import send
from deploy.demo.post import folder_of
from deploy.demo.site import Site
from deploy.demo.story import DOMAIN, Words
from rich.console import Console
from rich.text import Text
from tests.support.serving import command

_PAUSE = 0.5
_MODERATOR = "sian"


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines to paste, each with what it is for; empty words: the line speaks for itself."""

    title: Words
    lines: tuple[tuple[Words, str], ...]


def invite(console: Console, site: Site) -> None:
    """Leave one message held, and print addresses, log-ins and lines to paste for as long as the site stays up."""
    addresses = {person.login: person.addresses[0] for person in site.people}
    ports = site.postfix.ports
    ours = f"{command()} -c {site.serving.path}"
    write_scripts(site.folder, ports.mx, ports.submission, addresses, ours)
    (site.folder / "open-contact.ldif").write_text(_open_contact(site), "utf-8")
    send(site, LEFT_FOR_YOU.sender, LEFT_FOR_YOU.group, LEFT_FOR_YOU.content(), None)
    console.print(Text("It stays up: now you. · Tout reste en marche : à vous.\n", "bold"))
    for part in (_panel(site), _where(site), _STORY, _decide(site), _others(site)):
        _show(console, part)
    console.print(Text.assemble(("Log-ins", "bold blue"), f"  (password · mot de passe : {PASSWORD})"))
    console.print(Text("  " + " ".join(addresses)))
    console.print(_listening(site))


def _show(console: Console, part: Part) -> None:
    """Print a part; lines to paste are never folded."""
    title = Text.assemble((part.title.en, "bold blue"), ("  ·  ", "dim"), (part.title.fr, "italic blue"))
    console.print(title)
    for words, line in part.lines:
        if words.en:
            console.print(Text.assemble("  ", words.en, ("  ·  ", "dim"), (words.fr, "italic dim")))
        console.print(Text(line, "cyan"), soft_wrap=True)
    console.print()


_ROLES = (
    (
        "administrator",
        Words("administers everything: New, Audit, Status", "administre tout : Nouveau, Journal, État"),
    ),
    (
        "helene",
        Words("administers too, owns ventes@, moderates", "administre aussi, possède ventes@, modère"),
    ),
    ("zoe", Words("owns projet-arctique@ and equipe@", "possède projet-arctique@ et equipe@")),
    ("sian", Words("moderates commercial@: Held messages", "modère commercial@ : Messages en attente")),
    ("bob", Words("an employee: My groups, Explain", "un employé : Mes groupes, Essai")),
)


_LANGUAGES = Words("in French or English; a link changes it", "en français ou en anglais ; un lien en change")
_CUSTOMER = f"./send cliente@ailleurs.example accueil@{DOMAIN}"
_STORY = Part(
    Words("A group of your own, as administrator", "Un groupe à vous, en administrateur"),
    (
        (
            Words("New: accueil@ with Jean, Pierre; refused", "Nouveau : accueil@, Jean, Pierre ; refusé"),
            f'{_CUSTOMER} "One"',
        ),
        (
            Words("Delivery management, outside too; arrives", "Gestion de remise, extérieur aussi ; arrive"),
            f'{_CUSTOMER} "Two"',
        ),
        (
            Words("Message approval, by Jean; waits", "Approbation des messages, par Jean ; attend"),
            f'{_CUSTOMER} "Three"',
        ),
        (
            Words("Held messages, as jean: approve", "Messages en attente, comme jean : approuver"),
            "./read pierre",
        ),
    ),
)
"""The panel's own story, step by step: what to do there, and then a line to paste."""


def _panel(site: Site) -> Part:
    roles = tuple((words, f"{login} / {PASSWORD}") for login, words in _ROLES)
    return Part(
        Words("The panel, in a browser", "Le panneau, dans un navigateur"),
        ((_LANGUAGES, site.panel), *roles),
    )


def _where(site: Site) -> Part:
    words = Words("In another terminal", "Dans un autre terminal")
    return Part(words, ((Words("", ""), f"cd {site.folder}"),))


def _decide(site: Site) -> Part:
    request = letter(site, LEFT_FOR_YOU, _MODERATOR)
    name = reference(request)
    title = Words("A customer's message still waits: decide", "Un message attend encore : décidez")
    return Part(
        title,
        (
            (Words("Siân's letter about it", "le courriel reçu par Siân"), "./read sian"),
            (Words("by her link, in a browser", "par son lien"), link(request)),
            (
                Words("or by mail, as Siân", "ou par courriel"),
                f"./send sian {answer_address(request, approve=True)}",
            ),
            (Words("or by command", "ou en ligne de commande"), "./groupmilter held list"),
            (Words("", ""), f"./groupmilter held show {name}"),
            (Words("", ""), f"./groupmilter held approve {name}"),
            (Words("what became of it", "ce qu'il est devenu"), f"./groupmilter trace {name}"),
        ),
    )


def _others(site: Site) -> Part:
    root, password = site.slapd.root
    return Part(
        Words("Write, read, ask", "Écrire, lire, demander"),
        (
            (
                Words("as Bob, who logs in", "comme Bob, identifié"),
                f'./send bob contact@{DOMAIN} "Lunch?" "At noon?"',
            ),
            (
                Words("as an outsider", "comme un inconnu"),
                f"./send x@outside.example contact@{DOMAIN}",
            ),
            (Words("who has got mail", "qui a du courrier"), "./read"),
            (
                Words("who is in a group", "qui est dans un groupe"),
                f"./groupmilter expand tous@{DOMAIN}",
            ),
            (
                Words("who may write, and why", "qui peut écrire, et pourquoi"),
                f"./groupmilter explain --to direction@{DOMAIN} --from bob.petit@{DOMAIN} --login bob",
            ),
            (
                Words("open contact@ to the world: at once", "ouvrir contact@ au monde : immédiat"),
                f"ldapmodify -x -H {site.slapd.uri} -D {root} -w {password} -f open-contact.ldif",
            ),
        ),
    )


def _open_contact(site: Site) -> str:
    return (
        f"dn: cn=contact,ou=groups,{site.slapd.suffix}\nchangetype: modify\n"
        "replace: dgRequireAuthentication\ndgRequireAuthentication: FALSE\n"
    )


def _listening(site: Site) -> Text:
    ports = site.postfix.ports
    pairs = (
        ("MX", f"127.0.0.1:{ports.mx}"),
        ("Submission", f"127.0.0.1:{ports.submission}"),
        ("LDAP", site.slapd.uri),
        ("Hold mailbox", str(site.hold)),
        ("Mailboxes", f"{site.mail}/LOG-IN"),
        ("Logs", f"{site.folder}/groupmilter.log"),
        ("", str(site.postfix.layout.log)),
    )
    lines = [Text.assemble((f"{name:<13}", "bold blue"), value) for name, value in pairs]
    ends = "Ctrl-C stops everything and removes the folder. · Ctrl-C arrête et efface tout."
    return Text("\n").join((*lines, Text(), Text(ends)))


def watch(site: Site, tell: Callable[[str, str, str], None]) -> None:
    """Tell of each message that arrives (where, subject, sender), for ever; a signal's exception ends it."""
    seen = dict(_all_mail(site))
    outside = len(site.sink.messages)
    while True:
        time.sleep(_PAUSE)
        for key, (path, where) in dict(_all_mail(site)).items():
            # What is moved just now is told of the next time, from where it is then.
            with suppress(FileNotFoundError):
                if key not in seen:
                    heading = _heading(path.read_bytes())
                    seen[key] = (path, where)
                    tell(where, *heading)
        for message in site.sink.messages[outside:]:
            tell(f"outside: {', '.join(message.addresses)}", *_heading(message.content))
            outside += 1


def _all_mail(site: Site) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Yield every message by what tells it apart: a held one anew in each folder."""
    for person in site.people:
        for path in site.arrived(person.login):
            yield str(path), (path, person.login)
    for name, path in site.held().items():
        folder = folder_of(path)
        # In the inbox it is for an instant only.
        if folder:
            yield f"{folder}/{name}", (path, f"hold mailbox · boîte d'attente, .{folder}/")


def _heading(message: bytes) -> tuple[str, str]:
    head = BytesHeaderParser(policy=compat32).parsebytes(message[:65536])
    return str(head["Subject"] or ""), str(head["From"] or "")
