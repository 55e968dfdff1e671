"""An MTA on paper: it queues, puts each message to the product's own milter session, and delivers as virtual(8) does.

    mta = PaperMta(front, folder / "hold", lambda: now)
    code, text = mta.receive(Letterhead("x@out.example", ("sales@own.example",)), b"Subject: x\\n\\ntext\\n")
    mta.deliver()

The session is the live one: its callbacks are those that it registers with libmilter. What dies in them is a worker
that died, so the client hears 451. `weather` is how the MTA behaves towards the desk. Everything is kept: `queue`,
`copies` of what left for people, `accepted` in order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

import milter

from groupmilter.moderation.submission import Door, Envelope, NotSubmitted, Submitter
from groupmilter.mta.session import Front

_SETTERS = ("connect", "envfrom", "envrcpt", "header", "body", "eom", "abort", "close")
_ALL = (1 << 21) - 1
SERVER = "mx.own.example"


class Weather(StrEnum):
    """What the desk meets when it submits."""

    FAIR = "fair"
    DEFERS = "defers"
    DEFERS_AT_THE_END = "defers at the end"
    REFUSES = "refuses"
    REFUSES_AT_THE_END = "refuses at the end"
    SILENT = "silent"
    LOSES_ITS_ANSWER = "loses its answer"
    WITHOUT_MILTER = "without milter"
    SOMEBODY_ELSE = "somebody else"


_ENDS = {
    Weather.DEFERS_AT_THE_END: (451, "4.3.0 queue file write error"),
    Weather.REFUSES_AT_THE_END: (550, "5.7.1 Message contains a virus, says another milter"),
}


@dataclass(frozen=True, slots=True)
class Letterhead:
    """One transaction: who sends, to whom (with ORCPT for the desk's), and what the client is."""

    sender: str
    recipients: tuple[tuple[str, str], ...]
    login: str = ""
    daemon: str = "smtpd"
    client: str = "192.0.2.1"


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in the queue; `original` is what the client sent, before anything was added."""

    queue_id: str
    head: Letterhead
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    original: bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """What somebody got."""

    queue_id: str
    sender: str
    to: str
    content: bytes


@dataclass
class Context:
    """What libmilter gives a callback: macros in, edits out."""

    macros: dict[str, str]
    recipients: list[str]
    sender: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    reply: tuple[str, str] = ("", "")
    session: object = None

    def getsymval(self, name: str) -> str | None:
        return self.macros.get(name)

    def getpriv(self) -> object:
        return self.session

    def setpriv(self, value: object) -> None:
        self.session = value

    def setsymlist(self, _stage: int, _names: str) -> None:
        """Macros are all there anyway."""

    def setreply(self, code: str, enhanced: str, text: str) -> None:
        self.reply = (code, f"{enhanced} {text}")

    def addrcpt(self, recipient: str, _parameters: str | None = None) -> None:
        self.recipients.append(recipient[1:-1])

    def delrcpt(self, recipient: str) -> None:
        bare = recipient.removeprefix("<").removesuffix(">")
        self.recipients[:] = [one for one in self.recipients if one != bare]

    def addheader(self, name: str, value: str, _index: int = -1) -> None:
        self.headers.append((name, value))

    def chgfrom(self, sender: str, _parameters: str | None = None) -> None:
        self.sender = sender[1:-1]


Callbacks = Mapping[str, Callable[..., int]]


def callbacks(front: Front) -> Callbacks:
    """The callbacks of a front, as it registers them."""
    found: dict[str, Callable[..., int]] = {}
    with ExitStack() as undo:
        for name in _SETTERS:
            undo.enter_context(patch.object(milter, f"set_{name}_callback", _keeper(found, name)))
        undo.enter_context(patch.object(milter, "set_flags", lambda _: None))
        undo.enter_context(patch.object(milter, "register", lambda _, **more: found.update(more)))
        front.register()
    return found


def _keeper(found: dict[str, Callable[..., int]], name: str) -> Callable[[Callable[..., int]], None]:
    def keep(callback: Callable[..., int]) -> None:
        found[name] = callback

    return keep


@dataclass
class PaperMta:
    """The MTA. `worker`: gives the front of a worker that lives; `deaths`: what counts as the end of one."""

    worker: Callable[[], Front]
    maildir: Path
    service: str
    clock: Callable[[], float]
    death: type[BaseException]
    weather: Weather = Weather.FAIR
    queue: list[Queued] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    accepted: list[Queued] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def receive(
        self, head: Letterhead, content: bytes, *, asks: bool = True, ends: tuple[int, str] | None = None
    ) -> tuple[int, str]:
        """Take a message or don't; return the last reply.

        `asks`: whether a milter is asked. `ends`: what the MTA itself says to the last dot, instead of 250.
        """
        queue_id = f"{next(self._numbers):09X}A"
        macros = {"{daemon_name}": head.daemon, "{auth_authen}": head.login, "i": queue_id}
        macros |= {"{mail_mailer}": "smtp", "{mail_addr}": head.sender}
        context = Context(macros, [to for to, _ in head.recipients], head.sender)
        try:
            refused = (self._asked(context, head, content) if asks else None) or ends
        except self.death:
            refused = (451, "4.7.1 Service unavailable - try again later")
        if refused is not None:
            return refused
        added = "".join(f"{name}:{value}\n" for name, value in context.headers).encode()
        received = f"Received: from client by {SERVER} (Postfix) with ESMTP id {queue_id}\n".encode()
        whole = received + _with(content, added)
        message = Queued(queue_id, head, context.sender, tuple(context.recipients), whole, content)
        self.queue.append(message)
        self.accepted.append(message)
        return 250, f"2.0.0 Ok: queued as {queue_id}"

    def deliver(self, *, twice: bool = False) -> None:
        """Deliver all that is queued; `twice`: virtual(8) dies before it could say so, and delivers again."""
        waiting, self.queue = self.queue, []
        for message in waiting:
            for to in message.recipients:
                if to.rpartition("@")[2] == self.service:
                    for _ in range(1 + twice):
                        self._file(message, to)
                else:
                    self.copies.append(Copy(message.queue_id, message.sender, to, message.content))

    def _file(self, message: Queued, to: str) -> None:
        number = next(self._numbers)
        top = f"Return-Path: <{message.sender}>\nX-Original-To: {to}\nDelivered-To: {to}\n"
        name = f"{int(self.clock())}.V1I{number}M{number}.{SERVER}"
        (self.maildir / "new" / name).write_bytes(top.encode() + message.content)

    def _asked(self, context: Context, head: Letterhead, content: bytes) -> tuple[int, str] | None:
        """Put a message to the session, stage by stage; return the reply that ends it, None where it may pass."""
        called = callbacks(self.worker())
        called["negotiate"](context, [_ALL, _ALL, 0, 0])
        called["connect"](context, "client.example", 0, (head.client, 40000))
        try:
            for stage, arguments in _stages(head, content):
                if stage == "envrcpt":
                    context.macros["{rcpt_addr}"] = arguments[0][1:-1].decode()
                answer = called[stage](context, *arguments)
                if answer in (milter.REJECT, milter.TEMPFAIL):
                    code = context.reply[0] or ("550" if answer == milter.REJECT else "451")
                    return int(code), context.reply[1]
                if stage == "body" and answer == milter.SKIP:
                    continue
            return None
        finally:
            called["close"](context)


class Wire(Submitter):
    """The desk's way to the MTA: what SMTP would have carried is handed over."""

    def __init__(self, mta: PaperMta, login: str, daemon: str) -> None:
        super().__init__(Door("127.0.0.1", 0, login, lambda: ""))
        self._mta, self._login, self._daemon = mta, login, daemon

    def submit(self, envelope: Envelope, message: bytes) -> str:
        """Submit as the weather lets it."""
        mta, weather = self._mta, self._mta.weather
        recipients = tuple((to, parameters) for to, parameters in envelope.recipients)
        head = Letterhead(envelope.sender, recipients, self._login, self._daemon, "127.0.0.1")
        if weather is Weather.SILENT:
            raise NotSubmitted(0, "the release listener: Connection refused")
        if weather is Weather.DEFERS:
            raise NotSubmitted(452, "4.3.1 Insufficient system storage")
        if weather is Weather.REFUSES:
            raise NotSubmitted(554, "5.7.1 no")
        if weather is Weather.SOMEBODY_ELSE:
            return "queued somewhere"
        asks, ends = weather is not Weather.WITHOUT_MILTER, _ENDS.get(weather)
        code, text = mta.receive(head, message, asks=asks, ends=ends)
        if code != 250:
            raise NotSubmitted(code, text)
        if weather is Weather.LOSES_ITS_ANSWER:
            raise NotSubmitted(0, "the release listener: Connection unexpectedly closed")
        return text.rpartition(" ")[2]


def _stages(head: Letterhead, content: bytes) -> Iterator[tuple[str, Sequence[Any]]]:
    yield "envfrom", (f"<{head.sender}>".encode(),)
    for to, parameters in head.recipients:
        yield "envrcpt", (f"<{to}>".encode(), *(one.encode() for one in parameters.split()))
    for name, value in _fields(content):
        yield "header", (name, value)
    yield "body", (content.partition(b"\n\n")[2].replace(b"\n", b"\r\n"),)
    yield "eom", ()


def _fields(content: bytes) -> Iterator[tuple[str, bytes]]:
    head = content.partition(b"\n\n")[0]
    for line in head.replace(b"\n\t", b"\0\t").replace(b"\n ", b"\0 ").split(b"\n"):
        name, _, value = line.replace(b"\0", b"\n").partition(b":")
        yield name.decode(), value.lstrip(b" ")


def _with(content: bytes, added: bytes) -> bytes:
    head, blank, body = content.partition(b"\n\n")
    return head + b"\n" + added.rstrip(b"\n") + blank + body if added else content
