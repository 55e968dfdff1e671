"""Sends one message of the story as a real client would, and finds out what became of it.

It fails with TimeoutError when Postfix doesn't get its queue empty, and with ConnectionError or TimeoutError when
it doesn't answer. What `groupmilter explain` says is asked for afterwards, with the same sender and group.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.demo.people import PASSWORD
from deploy.demo.site import Site
from deploy.demo.story import OUTSIDE, Scene
from tests.support.smtp_client import SmtpClient


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command of the dialogue and the server's reply."""

    command: str
    reply: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a scene's message.

    :param dialogue: without greeting and EHLO.
    :param at: where the deciding reply came, ``rcpt`` or ``end``.
    :param delivered: log-ins of those who got a copy, one entry for each copy, sorted.
    :param held: names of the copies in the hold mailbox.
    """

    dialogue: tuple[Exchange, ...]
    at: str
    delivered: tuple[str, ...]
    held: tuple[str, ...]

    @property
    def reply(self) -> str:
        """The deciding reply."""
        return self.dialogue[-1].reply

    def matches(self, scene: Scene) -> bool:
        """Say whether all is as the story wants it."""
        wanted = scene.expected
        told = self.reply.startswith(wanted.reply) and self.at == wanted.at
        return told and self.delivered == tuple(sorted(wanted.delivered)) and len(self.held) == wanted.held


def play(site: Site, scene: Scene) -> Outcome:
    """Send a scene's message, wait until Postfix has nothing left to do, and look into the mailboxes."""
    before = {person.login: site.copies(person.login) for person in site.people}
    held = site.held()
    dialogue = send(site, scene.sender, scene.group, scene.content(), scene.login)
    site.postfix.wait_idle()
    delivered = [login for login, known in before.items() for _ in site.copies(login) - known]
    at = "rcpt" if dialogue[-1].command.startswith("RCPT") else "end"
    return Outcome(dialogue, at, tuple(sorted(delivered)), tuple(sorted(site.held().keys() - held)))


def explain_arguments(scene: Scene) -> tuple[str, ...]:
    """The `groupmilter explain` that asks about the same message."""
    who = ("--login", scene.login) if scene.login else ("--client", str(scene.client))
    return ("explain", "--to", scene.group, "--from", scene.sender, *who)


def send(site: Site, sender: str, to: str, content: bytes, login: str | None) -> tuple[Exchange, ...]:
    """Send a message: with a log-in, or from a stranger's server; return what was said."""
    ports = site.postfix.ports
    said: list[Exchange] = []
    with SmtpClient(ports.submission if login else ports.mx) as client:
        client.ehlo("client.example")
        if login:
            said.append(Exchange(f"AUTH PLAIN ({login})", str(client.login(login, PASSWORD))))
        else:
            # The way in which Postfix lets a test speak from elsewhere: nothing leaves loopback.
            client.xclient(ADDR=OUTSIDE, NAME="mail.outside.example")
            client.ehlo("mail.outside.example")
        said.append(Exchange(f"MAIL FROM:<{sender}>", str(client.mail(sender))))
        reply = client.rcpt(to)
        said.append(Exchange(f"RCPT TO:<{to}>", str(reply)))
        if reply.code == 250:
            said.append(Exchange("DATA … .", str(client.content(content))))
        client.quit()
    return tuple(said)
