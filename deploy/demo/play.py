"""Sends one message of the story as a real client would, and finds out what became of it.

It fails with TimeoutError when Postfix doesn't get its queue empty, and with ConnectionError or TimeoutError when
it doesn't answer. What `groupmilter explain` says is asked for afterwards, with the same sender and group.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.demo.people import PASSWORD
from deploy.demo.site import Site
from deploy.demo.story import Scene
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
    :param held: the copies in the hold mailbox.
    """

    dialogue: tuple[Exchange, ...]
    at: str
    delivered: tuple[str, ...]
    held: tuple[Path, ...]

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
    before = {person.login: site.arrived(person.login) for person in site.people}
    held = site.held()
    dialogue = _send(site, scene)
    site.postfix.wait_idle()
    delivered = [login for login, known in before.items() for _ in site.arrived(login) - known]
    at = "rcpt" if dialogue[-1].command.startswith("RCPT") else "end"
    return Outcome(dialogue, at, tuple(sorted(delivered)), tuple(sorted(site.held() - held)))


def explain_arguments(scene: Scene) -> tuple[str, ...]:
    """The `groupmilter explain` that asks about the same message."""
    who = ("--login", scene.login) if scene.login else ("--client", str(scene.client))
    return ("explain", "--to", scene.group, "--from", scene.sender, *who)


def _send(site: Site, scene: Scene) -> tuple[Exchange, ...]:
    ports = site.postfix.ports
    said: list[Exchange] = []
    with SmtpClient(ports.submission if scene.login else ports.mx) as client:
        client.ehlo("client.example")
        if scene.login:
            said.append(Exchange(f"AUTH PLAIN ({scene.login})", str(client.login(scene.login, PASSWORD))))
        else:
            # The way in which Postfix lets a test speak from elsewhere: nothing leaves loopback.
            client.xclient(ADDR=str(scene.client), NAME="mail.outside.example")
            client.ehlo("mail.outside.example")
        said.append(Exchange(f"MAIL FROM:<{scene.sender}>", str(client.mail(scene.sender))))
        reply = client.rcpt(scene.group)
        said.append(Exchange(f"RCPT TO:<{scene.group}>", str(reply)))
        if reply.code == 250:
            said.append(Exchange("DATA … .", str(client.content(scene.content()))))
        client.quit()
    return tuple(said)
