"""Puts mail into the hold mailbox for an MTA that can write no Maildir itself: LMTP on standard input and output.

Sendmail starts it for each message, as virtual(8) does the same inside Postfix. The MTA keeps a copy until it has
read 250, and that is said only when the file and its name are on disk; whatever goes wrong before is 4xx for that
recipient, and the MTA tries again. So a crash at any point loses nothing; at worst a message comes twice, which the
desk knows by its ticket. Each file begins with ``Return-Path``, ``X-Original-To`` and ``Delivered-To``, as virtual(8)
writes them; the message follows octet for octet, its CRLF as LF.

Sources: RFC 2033, RFC 5321 section 4.5.2, maildir(5), virtual(8).
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from groupmilter.config.disk import bring_to_disk

_LONGEST = 8192
"""Octets of a command; RFC 5321 asks for 512, and ESMTP parameters come on top."""

_MODE = 0o700
_COMMAND = re.compile(rb"([A-Za-z]{4})(?:[ \t]+(.*))?", re.DOTALL)
_SENDER = re.compile(rb"FROM:[ \t]*<([^\r\n]*?)>(?:[ \t].*)?", re.IGNORECASE | re.DOTALL)
_RECIPIENT = re.compile(rb"TO:[ \t]*<([^\r\n]+?)>(?:[ \t].*)?", re.IGNORECASE | re.DOTALL)
_LHLO = b"250-groupmilter\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250 SIZE\r\n"


class Broken(Exception):
    """The MTA has gone in the middle of a message; nothing of it was kept."""


@dataclass(slots=True)
class Drop:
    """Where messages are put: one new file for each recipient.

    :param path: of the Maildir; it is made where it isn't there, below a folder that is.
    """

    path: Path
    clock: Callable[[], int] = time.time_ns
    _count: int = 0

    def put(self, sender: bytes, recipient: bytes, message: bytes) -> None:
        """Write one message and wait until it is on disk; raises OSError, and then nothing of it stays."""
        self._prepare()
        name = self._name()
        aside, new = self.path / "tmp" / name, self.path / "new" / name
        top = b"Return-Path: <%b>\nX-Original-To: %b\nDelivered-To: %b\n" % (sender, recipient, recipient)
        try:
            with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(top)
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            # Unlike a rename it never takes the place of a file that is there.
            os.link(aside, new)
            bring_to_disk(new.parent)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def _prepare(self) -> None:
        for path in (self.path, *(self.path / part for part in ("tmp", "new", "cur"))):
            path.mkdir(_MODE, exist_ok=True)

    def _name(self) -> str:
        now, self._count = self.clock(), self._count + 1
        seconds, rest = divmod(now, 1_000_000_000)
        host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname()) or "localhost"
        return f"{seconds}.M{rest // 1000}P{os.getpid()}Q{self._count}.{host}"


@dataclass(slots=True)
class Session:
    """One conversation with the MTA.

    :param commands, replies: what it says and hears.
    :param complain: told of what could not be written, and why.
    """

    drop: Drop
    commands: BinaryIO
    replies: BinaryIO
    complain: Callable[[str], None] = lambda _: None
    _sender: bytes | None = None
    _recipients: list[bytes] = field(default_factory=list)

    def serve(self) -> None:
        """Talk until the MTA says QUIT or closes.

        :raises Broken: where it closes in mid-message.
        """
        self._say(b"220 groupmilter LMTP\r\n")
        while line := self.commands.readline(_LONGEST):
            if not line.endswith(b"\n"):
                self._say(b"500 5.5.2 this line is too long\r\n")
                return
            reply = self._answer(line.rstrip(b"\r\n"))
            self._say(reply)
            if reply.startswith(b"221"):
                return

    def _say(self, reply: bytes) -> None:
        self.replies.write(reply)
        self.replies.flush()

    def _answer(self, line: bytes) -> bytes:
        found = _COMMAND.fullmatch(line)
        match found[1].upper() if found else b"":
            case b"LHLO":
                self._forget()
                return _LHLO
            case b"MAIL":
                return self._mail(found[2] or b"" if found else b"")
            case b"RCPT":
                return self._rcpt(found[2] or b"" if found else b"")
            case b"DATA":
                return self._data()
            case b"RSET":
                self._forget()
                return b"250 2.0.0 forgotten\r\n"
            case b"NOOP":
                return b"250 2.0.0 still here\r\n"
            case b"QUIT":
                return b"221 2.0.0 goodbye\r\n"
        return b"500 5.5.2 no such command\r\n"

    def _mail(self, argument: bytes) -> bytes:
        found = _SENDER.fullmatch(argument)
        if found is None:
            return b"501 5.1.7 no return path can be read\r\n"
        self._forget()
        self._sender = found[1]
        return b"250 2.1.0 sender noted\r\n"

    def _rcpt(self, argument: bytes) -> bytes:
        found = _RECIPIENT.fullmatch(argument)
        if self._sender is None:
            return b"503 5.5.1 MAIL comes first\r\n"
        if found is None:
            return b"501 5.1.3 no recipient can be read\r\n"
        self._recipients.append(found[1])
        return b"250 2.1.5 recipient noted\r\n"

    def _data(self) -> bytes:
        if self._sender is None or not self._recipients:
            return b"503 5.5.1 RCPT comes first\r\n"
        self._say(b"354 the message, please\r\n")
        message = b"".join(_content(self.commands))
        replies = [self._kept(self._sender, recipient, message) for recipient in self._recipients]
        self._forget()
        return b"".join(replies)

    def _kept(self, sender: bytes, recipient: bytes, message: bytes) -> bytes:
        try:
            self.drop.put(sender, recipient, message)
        except OSError as error:
            self.complain(f"{self.drop.path}: {error.strerror or error}")
            return b"451 4.3.0 the hold mailbox can't be written, try again\r\n"
        return b"250 2.0.0 kept\r\n"

    def _forget(self) -> None:
        self._sender, self._recipients = None, []


def _content(lines: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a message up to its final dot, CRLF as LF; raises `Broken` where there is none."""
    while (line := lines.readline()).endswith(b"\n"):
        if line == b".\r\n":
            return
        plain = line.removeprefix(b".")
        yield plain[:-2] + b"\n" if plain.endswith(b"\r\n") else plain
    raise Broken("no final dot")
