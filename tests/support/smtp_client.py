"""An SMTP client on a bare socket: it sends what it is told, octet by octet.

smtplib repairs too much (line ends, dots, addresses, order of commands) for tests of what odd clients do.
Here nothing is repaired, and every reply is returned, none raised. Fails with `TimeoutError` when the server
is silent for some minutes, and with `ConnectionError` when it has closed the connection.
"""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_TIMEOUT = 150.0


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A reply: its code, and its lines' texts joined by newlines."""

    code: int
    text: str

    @property
    def lines(self) -> list[str]:
        """The texts of the lines."""
        return self.text.split("\n")

    def __str__(self) -> str:
        """As in a transcript: `550 5.7.1 no`."""
        return f"{self.code} {self.text}"


@dataclass(frozen=True, slots=True)
class Transaction:
    """The replies to one message's commands; `end` is None when it was not sent for want of recipients."""

    mail: SmtpReply
    recipients: tuple[SmtpReply, ...]
    end: SmtpReply | None

    @property
    def accepted(self) -> bool:
        """Whether the server took the message."""
        return self.end is not None and self.end.code == 250


@dataclass
class SmtpClient:
    """One connection as a context manager; entering it reads the greeting.

    `source`: the address to connect from. `bound`: is told the port of ours, which is nobody else's from then on,
    before the server hears of us.
    """

    port: int
    host: str = "127.0.0.1"
    source: str | None = None
    bound: Callable[[int], object] | None = None
    greeting: SmtpReply = field(default=SmtpReply(0, ""), init=False)
    _socket: socket.socket | None = field(default=None, init=False)
    _buffer: bytearray = field(default_factory=bytearray, init=False)

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET)
        try:
            self._socket.settimeout(_TIMEOUT)
            if self.source is not None or self.bound is not None:
                self._socket.bind((self.source or "", 0))
            if self.bound is not None:
                self.bound(self._socket.getsockname()[1])
            self._socket.connect((self.host, self.port))
            self.greeting = self.reply()
        except OSError:
            self.drop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    def send(self, octets: bytes) -> None:
        """Send `octets` as they are and read nothing: for pipelining and for half messages."""
        self._connected().sendall(octets)

    def reply(self) -> SmtpReply:
        """Read one reply, however many lines it has."""
        lines = [self._line()]
        while lines[-1][3:4] == b"-":
            lines.append(self._line())
        texts = (line[4:].decode("utf-8", "surrogateescape") for line in lines)
        return SmtpReply(int(lines[-1][:3]), "\n".join(texts))

    def command(self, line: bytes | str) -> SmtpReply:
        """Send one line, CRLF added, and read its reply. Text is sent as UTF-8, surrogates as the octets."""
        octets = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        self.send(octets + b"\r\n")
        return self.reply()

    def pipeline(self, lines: Sequence[bytes | str]) -> list[SmtpReply]:
        """Send all lines in one write, then read their replies (RFC 2920)."""
        encoded = (x.encode("utf-8", "surrogateescape") if isinstance(x, str) else x for x in lines)
        self.send(b"".join(line + b"\r\n" for line in encoded))
        return [self.reply() for _ in lines]

    def ehlo(self, name: str = "client.example") -> SmtpReply:
        """EHLO."""
        return self.command(f"EHLO {name}")

    def xclient(self, **attributes: str) -> SmtpReply:
        """Postfix's XCLIENT, e.g. `ADDR="203.0.113.9", NAME="mail.outside.example"`; say EHLO afterwards."""
        return self.command("XCLIENT " + " ".join(f"{name}={value}" for name, value in attributes.items()))

    def starttls(self, context: ssl.SSLContext) -> SmtpReply:
        """STARTTLS and, if the server is willing, the handshake; say EHLO afterwards."""
        reply = self.command("STARTTLS")
        if reply.code == 220:
            self._socket = context.wrap_socket(self._connected(), server_hostname=self.host)
        return reply

    def login(self, login: str, password: str) -> SmtpReply:
        """AUTH PLAIN with an initial response (RFC 4616)."""
        secret = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        return self.command(f"AUTH PLAIN {secret}")

    def mail(self, sender: str, *parameters: str) -> SmtpReply:
        """MAIL FROM; `sender` goes between the angle brackets."""
        return self.command(" ".join((f"MAIL FROM:<{sender}>", *parameters)))

    def rcpt(self, recipient: str, *parameters: str) -> SmtpReply:
        """RCPT TO; `recipient` goes between the angle brackets."""
        return self.command(" ".join((f"RCPT TO:<{recipient}>", *parameters)))

    def content(self, message: bytes) -> SmtpReply:
        """DATA, the message (dots stuffed, nothing else changed; it should end in CRLF), the last dot."""
        go_on = self.command("DATA")
        if go_on.code != 354:
            return go_on
        self.send(stuffed(message) + b".\r\n")
        return self.reply()

    def transaction(
        self, sender: str, recipients: Sequence[str], message: bytes, parameters: Sequence[str] = ()
    ) -> Transaction:
        """One whole message; like a real client it gives up (RSET) if MAIL or every RCPT is refused."""
        mail = self.mail(sender, *parameters)
        replies = tuple(self.rcpt(recipient) for recipient in recipients) if mail.code == 250 else ()
        if not any(reply.code in (250, 251) for reply in replies):
            self.rset()
            return Transaction(mail, replies, None)
        return Transaction(mail, replies, self.content(message))

    def rset(self) -> SmtpReply:
        """RSET."""
        return self.command("RSET")

    def quit(self) -> SmtpReply:
        """QUIT, then close."""
        reply = self.command("QUIT")
        self.drop()
        return reply

    def drop(self) -> None:
        """Close the connection without a word, at whatever point: a client gone before the dot."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            received = self._connected().recv(65536)
            if not received:
                raise ConnectionError(f"the server closed the connection after {bytes(self._buffer)!r}")
            self._buffer += received
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionError("not connected")
        return self._socket


def stuffed(message: bytes) -> bytes:
    """RFC 5321 section 4.5.2: a dot before each line that starts with one."""
    doubled = message.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled
