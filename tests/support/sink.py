"""An SMTP server for the tests that keeps what it is sent: the far end of a Postfix under test.

It listens on 127.0.0.1, on a free port, in a thread of its own with an asyncio loop, so any number of
connections may be open at once. It announces PIPELINING, 8BITMIME, SMTPUTF8, DSN and SIZE, and keeps
envelope, ESMTP parameters and the exact octets of the content (dots unstuffed, CRLF kept).

`replies` makes it answer some recipients otherwise: `sink.replies["jean@x.example"] = "450 4.2.2 full"`. The
key is the address in lower case; a 4xx defers, a 5xx refuses. It may be changed while the sink runs.

It fails with `TimeoutError` when fewer messages arrive than waited for.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_DEADLINE = 150.0
_OUR_LETTER = re.compile(rb"\r\nFrom: (?:[^\r]|\r\n[ \t])*\bmoderation@groups\.")
_EHLO = b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 SIZE 0\r\n"


@dataclass(frozen=True, slots=True)
class SunkRecipient:
    """A recipient as it arrived: the address without brackets, its parameters (`NOTIFY=...`, `ORCPT=...`)."""

    address: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SunkMessage:
    """One message as it arrived; addresses are decoded as UTF-8 with surrogates for what is none."""

    sender: str
    sender_parameters: tuple[str, ...]
    recipients: tuple[SunkRecipient, ...]
    content: bytes

    @property
    def addresses(self) -> tuple[str, ...]:
        """The recipients' addresses, in the order in which they came."""
        return tuple(recipient.address for recipient in self.recipients)

    @property
    def told(self) -> bool:
        """Whether it is a letter or a report, not somebody's message."""
        head = self.content.partition(b"\r\n\r\n")[0]
        return not self.sender or _OUR_LETTER.search(head) is not None


@dataclass(kw_only=True)
class Sink:
    """The server as a context manager. `keep_content=False` keeps envelopes only, for long loads."""

    keep_content: bool = True
    replies: dict[str, str] = field(default_factory=dict)
    connections: set[asyncio.Transport] = field(default_factory=set, init=False)
    _arrived: threading.Condition = field(default_factory=threading.Condition, init=False)
    _messages: list[SunkMessage] = field(default_factory=list, init=False)
    _copies: int = field(default=0, init=False)
    _port: int = field(default=0, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        listening = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(listening,), name="sink", daemon=True)
        self._thread.start()
        if not listening.wait(_DEADLINE):
            raise TimeoutError("the sink does not listen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_DEADLINE)

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return self._port

    @property
    def messages(self) -> list[SunkMessage]:
        """The messages accepted so far, in the order of their last dots."""
        with self._arrived:
            return list(self._messages)

    @property
    def copies(self) -> int:
        """How many copies were accepted so far: the recipients of all messages."""
        with self._arrived:
            return self._copies

    def addresses(self) -> list[str]:
        """Every recipient of every message, sorted: one entry for each copy."""
        return sorted(address for message in self.messages for address in message.addresses)

    def to(self, address: str) -> list[SunkMessage]:
        """The messages for `address`, compared exactly."""
        return [message for message in self.messages if address in message.addresses]

    def wait_for(self, count: int, seconds: float = _DEADLINE) -> list[SunkMessage]:
        """The messages, as soon as there are at least `count`."""
        self._wait(lambda: len(self._messages) >= count, f"{count} messages", seconds)
        return self.messages

    def wait_for_copies(self, count: int, seconds: float = _DEADLINE) -> list[SunkMessage]:
        """The messages, as soon as they have `count` recipients in all, however Postfix batches them."""
        self._wait(lambda: self._copies >= count, f"{count} copies", seconds)
        return self.messages

    def clear(self) -> None:
        """Forget what has arrived."""
        with self._arrived:
            self._messages.clear()
            self._copies = 0

    def keep(self, message: SunkMessage) -> None:
        """For the sessions: a message has been accepted."""
        with self._arrived:
            self._messages.append(message)
            self._copies += len(message.recipients)
            self._arrived.notify_all()

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        with self._arrived:
            if not self._arrived.wait_for(condition, seconds):
                have = f"{len(self._messages)} messages, {self._copies} copies"
                raise TimeoutError(f"the sink waited {seconds} s for {what}; it has {have}")

    def _serve(self, listening: threading.Event) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            server = self._loop.run_until_complete(self._listen(self._loop))
            listening.set()
            self._loop.run_forever()
            server.close()
            for connection in tuple(self.connections):
                connection.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
        finally:
            self._loop.close()

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        server = await loop.create_server(lambda: _Session(self), "127.0.0.1", 0, backlog=1024)
        self._port = server.sockets[0].getsockname()[1]
        return server


class _Session(asyncio.Protocol):
    """One client's connection: lines in, replies out; pipelined commands are answered in one write."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._in_content = False
        self._leaving = False
        self._sender: tuple[str, tuple[str, ...]] | None = None
        self._recipients: list[SunkRecipient] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._sink.connections.add(transport)
            transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer all that is complete in what has arrived."""
        self._buffer += data
        replies = bytearray()
        while (reply := self._next()) is not None:
            replies += reply
        if self._transport is None:
            return
        if replies:
            self._transport.write(bytes(replies))
        if self._leaving:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        """Nothing to keep: a message without its last dot was never accepted."""
        if self._transport is not None:
            self._sink.connections.discard(self._transport)
        self._transport = None

    def _next(self) -> bytes | None:
        if self._in_content:
            return self._content()
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return self._command(line)

    def _content(self) -> bytes | None:
        # The content may be empty, then the dot stands at the very start.
        if self._buffer.startswith(b".\r\n"):
            end, skip = 0, 3
        else:
            end, skip = self._buffer.find(b"\r\n.\r\n") + 2, 3
            if end < 2:
                return None
        content = bytes(self._buffer[:end]) if self._sink.keep_content else b""
        del self._buffer[: end + skip]
        self._in_content = False
        self._accept(_unstuffed(content))
        return b"250 2.0.0 kept\r\n"

    def _accept(self, content: bytes) -> None:
        sender, parameters = self._sender or ("", ())
        self._sink.keep(SunkMessage(sender, parameters, tuple(self._recipients), content))
        self._reset()

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self._reset()
            return _EHLO
        if verb == b"MAIL":
            return self._mail(line)
        if verb == b"RCPT":
            return self._recipient(line)
        if verb == b"DATA":
            return self._start_of_content()
        return self._other(verb)

    def _mail(self, line: bytes) -> bytes:
        self._reset()
        self._sender = _path(line)
        return b"250 2.1.0 ok\r\n"

    def _recipient(self, line: bytes) -> bytes:
        if self._sender is None:
            return b"503 5.5.1 MAIL first\r\n"
        address, parameters = _path(line)
        if (reply := self._sink.replies.get(address.lower())) is not None:
            return reply.encode() + b"\r\n"
        self._recipients.append(SunkRecipient(address, parameters))
        return b"250 2.1.5 ok\r\n"

    def _start_of_content(self) -> bytes:
        if not self._recipients:
            return b"554 5.5.1 no recipients\r\n"
        self._in_content = True
        return b"354 go on\r\n"

    def _other(self, verb: bytes) -> bytes:
        if verb in (b"HELO", b"RSET"):
            self._reset()
        if verb == b"QUIT":
            self._leaving = True
            return b"221 2.0.0 bye\r\n"
        return b"250 2.0.0 ok\r\n" if verb in (b"HELO", b"RSET", b"NOOP") else b"500 5.5.2 what?\r\n"

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []


def _path(line: bytes) -> tuple[str, tuple[str, ...]]:
    """The address between the first `<` and the last `>` and the parameters after it."""
    text = line.decode("utf-8", "surrogateescape")
    start, end = text.find("<"), text.rfind(">")
    return text[start + 1 : end], tuple(text[end + 1 :].split())


def _unstuffed(content: bytes) -> bytes:
    """RFC 5321 section 4.5.2: a line's leading dot goes."""
    content = content.removeprefix(b".")
    return content.replace(b"\r\n.", b"\r\n")
