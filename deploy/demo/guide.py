"""How to go on by hand once the five messages are through, and what arrives meanwhile.

Fails like reading a directory that somebody else has removed: OSError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path

from deploy.demo import telling
from deploy.demo.people import PASSWORD
from deploy.demo.site import Site
from deploy.demo.story import DOMAIN, Words
from rich.console import RenderableType
from tests.support.serving import command

_PAUSE = 0.5


def invitation(site: Site) -> RenderableType:
    """Return addresses, log-ins and command lines of the running site."""
    ports = site.postfix.ports
    listening = (
        ("MX", f"127.0.0.1:{ports.mx}   from anybody, no log-in · pour tous"),
        ("Submission", f"127.0.0.1:{ports.submission}   log-in wanted · avec identification"),
        ("LDAP", f"{site.slapd.uri}   {site.slapd.root[0]} / {site.slapd.root[1]}"),
        ("Mailboxes", f"{site.mail}/<log-in>"),
        ("Hold mailbox", str(site.hold)),
        ("Logs", f"{site.postfix.layout.log}   {site.folder}/groupmilter.log"),
    )
    logins = tuple((person.login, person.name) for person in site.people)
    return telling.invitation(
        telling.Invitation(listening, logins, PASSWORD, tuple(_commands(site)), site.folder)
    )


def _commands(site: Site) -> Iterator[tuple[Words, str]]:
    ports, (root, password) = site.postfix.ports, site.slapd.root
    ours = f"{command()} -c {site.serving.path}"
    swaks = f"swaks --server 127.0.0.1:{ports.submission} --auth-user bob --auth-password {PASSWORD}"
    yield (
        Words("as Bob, who has logged in (apt-get install swaks)", "comme Bob, identifié"),
        f"{swaks} --from bob.petit@{DOMAIN} --to contact@{DOMAIN}",
    )
    yield (
        Words("as an outsider", "comme un inconnu"),
        f"swaks --server 127.0.0.1:{ports.mx} --from x@outside.example --to support@{DOMAIN}",
    )
    yield Words("who is in a group", "qui est dans un groupe"), f"{ours} expand tous@{DOMAIN}"
    yield Words("all groups", "tous les groupes"), f"{ours} group list"
    yield (
        Words("who may write, and why", "qui peut écrire, et pourquoi"),
        f"{ours} explain --to direction@{DOMAIN} --from bob.petit@{DOMAIN} --login bob",
    )
    yield (
        Words("open contact@ to the world: in force at once", "ouvrir contact@ au monde : effet immédiat"),
        f"printf 'dn: cn=contact,ou=groups,{site.slapd.suffix}\\nchangetype: modify\\nreplace: "
        f"dgRequireAuthentication\\ndgRequireAuthentication: FALSE\\n' | "
        f"ldapmodify -x -H {site.slapd.uri} -D {root} -w {password}",
    )


def watch(site: Site, tell: Callable[[str, str, str], None]) -> None:
    """Tell of each message that arrives (where, subject, sender), for ever; a signal's exception ends it."""
    seen = _all_mail(site)
    outside = len(site.sink.messages)
    while True:
        time.sleep(_PAUSE)
        for path, where in _all_mail(site).items() - seen.items():
            tell(where, *_heading(path.read_bytes()))
        seen |= _all_mail(site)
        for message in site.sink.messages[outside:]:
            tell(f"outside: {', '.join(message.addresses)}", *_heading(message.content))
            outside += 1


def _all_mail(site: Site) -> dict[Path, str]:
    boxes = {path: person.login for person in site.people for path in site.arrived(person.login)}
    return boxes | dict.fromkeys(site.held(), "hold mailbox · boîte d'attente")


def _heading(message: bytes) -> tuple[str, str]:
    head = BytesHeaderParser(policy=compat32).parsebytes(message[:65536])
    return str(head["Subject"] or ""), str(head["From"] or "")
