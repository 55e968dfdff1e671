"""The whole of it: a private Postfix set up by `groupmilter postfix`, a running groupmilter, and a sink behind them.

    with Slapd(content=[office]) as slapd, Service(slapd.uri) as service, installation(service) as site:
        replies = site.send("x@outside.example", ["contact@masociete.example"], MESSAGE, client="203.0.113.9")
        site.settle()
        assert site.sink.addresses() == [...]

Clients and logins are played by XCLIENT. Other milters may stand before and after ours; Postfix's tables and
settings are otherwise what the command prints. Fails with what its parts fail with.
"""

from __future__ import annotations

import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.postfix import Postfix
from tests.support.postfix_lines import apply
from tests.support.service import MAILBOX_USER, Service
from tests.support.serving import Serving
from tests.support.sink import Sink, SunkMessage
from tests.support.smtp_client import SmtpClient, Transaction

OUTSIDER = "203.0.113.9"
INSIDER = "192.0.2.10"
# The harness would deliver the service domain itself; here the printed lines do.
_UNSET = ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_uid_maps", "virtual_gid_maps")


@dataclass(frozen=True)
class Site(ABC):
    """A running groupmilter, and the sink to which an MTA that stands between them brings all mail."""

    service: Service
    sink: Sink

    @abstractmethod
    def session(
        self, client: str = OUTSIDER, login: str = "", tls: ssl.SSLContext | None = None
    ) -> AbstractContextManager[SmtpClient]:
        """An SMTP session on the MX that the MTA takes for this client's, after EHLO and, if wanted, STARTTLS."""

    @abstractmethod
    def submit(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Have the host's own program, sendmail(1), submit a message, and wait for what becomes of it."""

    @abstractmethod
    def settle(self) -> None:
        """Return once the MTA has nothing left to deliver."""

    def send(
        self,
        sender: str,
        recipients: Sequence[str],
        message: bytes,
        *parameters: str,
        client: str = OUTSIDER,
        login: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> Transaction:
        """One message in a session of its own."""
        with self.session(client, login, tls) as session:
            replies = session.transaction(sender, recipients, message, parameters)
            session.quit()
            return replies

    def held(self) -> list[bytes]:
        """The messages in the hold mailbox, in whatever folder, as virtual(8) wrote them."""
        found: dict[str, bytes] = {}
        while missing := [path for path in self._held() if _name(path) not in found]:
            for path in missing:
                # The desk may have moved it meanwhile; no file is ever in two folders, nor may one be missed.
                with suppress(FileNotFoundError):
                    found[_name(path)] = path.read_bytes()
        return [found[name] for name in sorted(found)]

    def forget(self) -> None:
        """Empty sink and hold mailbox."""
        self.sink.clear()
        for path in self._held():
            path.unlink(missing_ok=True)

    def delivered(self, identity: str) -> list[SunkMessage]:
        """What the sink got of the message with this text in it, reports about it left out."""
        return [message for message in self._with(identity) if not _is_report(message)]

    def reports(self, identity: str) -> list[SunkMessage]:
        """The delivery reports in the sink that quote the message with this text in it."""
        return [message for message in self._with(identity) if _is_report(message)]

    def _held(self) -> list[Path]:
        patterns = ("new/*", "cur/*", ".*/new/*", ".*/cur/*", "new/*", "cur/*", ".*/cur/*")
        return [path for pattern in patterns for path in sorted(self.service.hold.glob(pattern))]

    def _with(self, identity: str) -> list[SunkMessage]:
        wanted = identity.encode()
        return [message for message in self.sink.messages if wanted in message.content]


@dataclass(frozen=True)
class Installation(Site):
    """What runs together with Postfix."""

    postfix: Postfix

    @contextmanager
    def session(
        self, client: str = OUTSIDER, login: str = "", tls: ssl.SSLContext | None = None
    ) -> Iterator[SmtpClient]:
        """An SMTP session on the MX that Postfix takes for this client's, after EHLO and, if wanted, STARTTLS."""
        with SmtpClient(self.postfix.ports.mx) as session:
            session.ehlo()
            who = {
                "ADDR": f"IPv6:{client}" if ":" in client else client,
                "NAME": "client.example",
                "PORT": "40000",
            }
            reply = session.xclient(**who, **({"LOGIN": login} if login else {}))
            if reply.code != 220:
                raise ConnectionError(f"XCLIENT: {reply}")
            session.ehlo()
            if tls is not None:
                if session.starttls(tls).code != 220:
                    raise ConnectionError("no STARTTLS")
                session.ehlo()
            yield session

    def submit(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """By Postfix's sendmail(1), which simulates no client."""
        self.postfix.sendmail(recipients, message, "-f", sender)
        self.settle()

    def settle(self) -> None:
        """Return once Postfix has nothing left to deliver."""
        self.postfix.wait_idle()


def _name(path: Path) -> str:
    """What a message in a Maildir is called in whatever folder."""
    return path.name.partition(":")[0]


def _is_report(message: SunkMessage) -> bool:
    head = message.content.partition(b"\r\n\r\n")[0]
    return not message.sender and b"\r\nContent-Type: multipart/report;" in head


def recipients(messages: Sequence[SunkMessage]) -> list[str]:
    """Everybody who got a copy, sorted, as often as he got one."""
    return sorted(address for message in messages for address in message.addresses)


def delivered_to(held: bytes) -> str:
    """The address under which virtual(8) delivered a message: its own top lines say it, RFC 5321 4.4."""
    found = re.search(rb"^Delivered-To: (.*)$", held.partition(b"\n\n")[0], re.MULTILINE)
    return found[1].decode("utf-8", "surrogateescape") if found else ""


def return_path(held: bytes) -> str:
    """The envelope sender of a held message, from the same lines."""
    found = re.search(rb"^Return-Path: <(.*)>$", held.partition(b"\n\n")[0], re.MULTILINE)
    return found[1].decode("utf-8", "surrogateescape") if found else ""


@contextmanager
def installation(
    service: Service,
    local_domains: Sequence[str] = ("masociete.example",),
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    main: Mapping[str, str] | None = None,
    logins: Mapping[str, str] | None = None,
    relay: int = 0,
) -> Iterator[Installation]:
    """Set Postfix and a sink up around a running service.

    `before` and `after`: other milters' addresses; `main`: settings that win over what the command prints;
    `logins`: people who may log in; the desk needs no entry, Postfix asks groupmilter about it. `relay`: the port
    of another sink, which takes the copies instead.
    """
    with Sink() as sink, Postfix(
        sink_port=relay or sink.port,
        smtpd_milters=tuple(before),
        local_domains=tuple(local_domains),
        service_domain=service.service_domain,
        mailbox_user=MAILBOX_USER,
        logins=dict(logins or {}),
        main=dict.fromkeys(_UNSET, ""),
    ) as postfix:  # fmt: skip
        _set_up(postfix, service, after, main or {})
        yield Installation(service, sink, postfix)


def _set_up(postfix: Postfix, service: Service, after: Sequence[str], main: Mapping[str, str]) -> None:
    apply(postfix, Serving(service.folder, "", service.control), MAILBOX_USER)
    late = {"smtpd_milters": ", ".join((postfix.postconf("smtpd_milters"), *after))} if after else {}
    if main or late:
        postfix.edit({**late, **main})
        postfix.restart()
