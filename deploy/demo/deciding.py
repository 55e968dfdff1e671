"""Decides about one held message as a moderator would, and finds out what came of it.

It fails with TimeoutError when the desk doesn't get on with it, and like its parts: ServingFailed, PostfixError.
"""

from __future__ import annotations

import re
import shlex
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from deploy.demo.decisions import MODERATORS, Decided, Way
from deploy.demo.play import Exchange, play, send
from deploy.demo.post import folder_of, parsed, read, text_of
from deploy.demo.site import Site
from deploy.demo.story import Scene
from tests.support.serving import ServingFailed

DEADLINE = 150.0


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a decision.

    :param steps: what the moderator did, and what was answered.
    :param delivered: log-ins of those who got the message, one entry for each copy, sorted.
    :param told: letters about the decision, by log-in.
    :param folder: of the hold mailbox, where the message is now.
    :param seconds: from the answer to the decision to the last of the copies, or to the letter.
    """

    steps: tuple[Exchange, ...]
    delivered: tuple[str, ...]
    told: dict[str, EmailMessage]
    folder: str
    seconds: float

    def matches(self, decided: Decided) -> bool:
        """Say whether all is as the story wants it."""
        folder = "Approved" if decided.approves else "Rejected"
        return (
            self.delivered == tuple(sorted(decided.delivered))
            and self.told.keys() == decided.told
            and self.folder == folder
        )


def waiting(site: Site, scene: Scene) -> str:
    """Return the name of a scene's message in the hold mailbox; it is sent unless that happened already."""
    about = [name for name in site.held() if _subject(site, name) == scene.subject]
    if about:
        return about[0]
    [name] = play(site, scene).held
    return name


def _subject(site: Site, name: str) -> str:
    """The subject of a held message; none where it has just gone, as an answer has that was read."""
    try:
        return str(read(site.read(name))["Subject"])
    except KeyError:
        return ""


def letter(site: Site, scene: Scene, login: str) -> EmailMessage:
    """Return the letter that asks a moderator about a message, as soon as it is there."""

    def about() -> list[EmailMessage]:
        found = map(parsed, site.letters(login))
        return [one for one in found if scene.subject in str(one["Subject"])]

    wait(lambda: bool(about()), f"a letter about {scene.subject!r} to {login}")
    return about()[0]


def asked(site: Site, scene: Scene) -> dict[str, EmailMessage]:
    """Return the letters about a message to all who may decide, as soon as they are there."""
    return {login: letter(site, scene, login) for login in sorted(MODERATORS)}


def decide(site: Site, decided: Decided, file: str) -> Came:
    """Do what a decision's moderator does, and wait for what the story wants to come of it.

    :param file: the message's name in the hold mailbox.
    """
    asked(site, decided.scene)
    copies = {person.login: site.copies(person.login) for person in site.people}
    letters = {person.login: site.letters(person.login) for person in site.people}
    steps = _WAYS[decided.way](site, decided)
    began = time.monotonic()

    def delivered() -> tuple[str, ...]:
        return tuple(sorted(n for n, known in copies.items() for _ in site.copies(n) - known))

    def told() -> dict[str, EmailMessage]:
        new = {n: [parsed(path) for path in site.letters(n) - known] for n, known in letters.items()}
        about = {
            n: [one for one in some if decided.scene.subject in str(one["Subject"])]
            for n, some in new.items()
        }
        return {n: some[0] for n, some in about.items() if some}

    def there() -> bool:
        return set(delivered()) >= decided.delivered and told().keys() >= decided.told

    wait(there, f"copies for {sorted(decided.delivered)}, letters to {sorted(decided.told)}")
    seconds = time.monotonic() - began
    wait(lambda: folder_of(_path(site, file)) not in ("", "Held"), "a folder for it")
    site.postfix.wait_idle()
    return Came(steps, delivered(), told(), folder_of(_path(site, file)), seconds)


def _path(site: Site, file: str) -> Path:
    return site.held().get(file, Path())


def wait(condition: Callable[[], bool], what: str) -> None:
    """Return once a condition holds; TimeoutError where it never does."""
    deadline = time.monotonic() + DEADLINE
    while not _holds(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} in {DEADLINE} s")
        time.sleep(0.03)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except FileNotFoundError:
        # Moved from one folder to another while we looked.
        return False


# the ways


def _by_mail(site: Site, decided: Decided) -> tuple[Exchange, ...]:
    to = answer_address(letter(site, decided.scene, decided.moderator), approve=decided.approves)
    sender = next(person.addresses[0] for person in site.people if person.login == decided.moderator)
    content = (
        f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: Re: {decided.scene.subject}\r\n\r\n{decided.reason}\r\n"
    )
    return send(site, sender, to, content.encode(), decided.moderator)


def answer_address(request: EmailMessage, *, approve: bool) -> str:
    """Return the address in a letter to which an answer decides."""
    word = "approve" if approve else "reject"
    found = re.search(rf"^\s*({word}\+\S+)$", text_of(request), re.MULTILINE)
    if found is None:
        raise ValueError(f"no {word} address in the letter")
    return found[1]


def reference(request: EmailMessage) -> str:
    """Return the name that a message has in letters, commands and logs."""
    found = re.search(r"^(?:Reference|Référence)\s*:\s+(\w+)$", text_of(request), re.MULTILINE)
    if found is None:
        raise ValueError("no reference in the letter")
    return found[1]


def link(request: EmailMessage) -> str:
    """Return the link in a letter to the page where its reader decides."""
    found = re.search(r"^\s*(http\S+/decide/\S+)$", text_of(request), re.MULTILINE)
    if found is None:
        raise ValueError("no link in the letter")
    return found[1]


def _by_link(site: Site, decided: Decided) -> tuple[Exchange, ...]:
    url = link(letter(site, decided.scene, decided.moderator))
    shown = _fetched(url)
    word = re.search(r'class="show-word">([^<]+)<', shown)
    if word is None:
        raise ValueError("the page asks for no word")
    choice = "approve" if decided.approves else "reject"
    path = urllib.parse.urlsplit(url).path
    steps = [Exchange(f"GET {path[:18]}…", _heading(shown))]
    answered = _fetched(url, {"decision": choice, "word": word[1], "reason": decided.reason})
    return (*steps, Exchange(f"POST decision={choice} word={word[1]}", _heading(answered)))


def _fetched(url: str, form: dict[str, str] | None = None) -> str:
    given = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, given, timeout=DEADLINE) as page:  # noqa: S310 - on loopback
        return str(page.read().decode("utf-8"))


def _heading(page: str) -> str:
    found = re.search(r"<h1>([^<]+)</h1>", page)
    return f"200 {found[1] if found else ''}".strip()


def _by_command(site: Site, decided: Decided) -> tuple[Exchange, ...]:
    name = reference(letter(site, decided.scene, "sian"))
    choice = ("approve", name) if decided.approves else ("reject", name, "--reason", decided.reason)
    shown = shlex.join(("groupmilter", "held", *choice))
    return (Exchange(f"$ {shown}", _ran(site, "held", *choice).strip()),)


def _ran(site: Site, *arguments: str) -> str:
    ran = site.serving.run(*arguments)
    if ran.returncode != 0:
        raise ServingFailed(f"groupmilter {shlex.join(arguments)}: exit {ran.returncode}\n{ran.stderr}")
    return ran.stdout


_WAYS = {Way.MAIL: _by_mail, Way.LINK: _by_link, Way.COMMAND: _by_command}
