"""The MTA's side of the milter protocol: a client that sends what Postfix 3.7.11 sends.

Which packets and macros come when was recorded from a real Postfix (POSTFIX_MILTER_TRACES.md), and a test
compares the two octet by octet. The client honours what the milter negotiated: commands it does not want,
replies it does not give, SKIP, its choice of macros. Nothing is repaired: addresses, headers and bodies may
be any octets.

One client is one connection, which is one SMTP session (or one local submission). Low level: `connect`,
`helo`, `mail`, `rcpt`, `data`, `header`, `eoh`, `body`, `end_of_message`, `abort`, `quit`. High level:
`send_message`, which stops where Postfix stops.

Fails with `ConnectionError` when the milter goes away, `TimeoutError` when it is silent, `ProtocolError` when
it says what it may not.
"""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self

from tests.support.milter_macros import Macros
from tests.support.milter_protocol import (
    ALL_ACTIONS,
    ALL_PROTOCOL,
    CONTINUE,
    LARGEST_CHUNK,
    NOT_ANSWERED,
    NOT_SENT,
    AddRecipient,
    DeleteRecipient,
    Modification,
    Option,
    Packet,
    ProtocolError,
    Reply,
    frame,
    modification,
    octets,
    read_packet,
    reply,
)


@dataclass(frozen=True, slots=True)
class EndOfMessage:
    """The milter's answer to the end of a message, and the changes it asked for, in their order."""

    reply: Reply
    modifications: tuple[Modification, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: the replies as far as it got.

    `last` is the verdict on the message as a whole, None if it never came to that.
    """

    mail: Reply
    recipients: tuple[tuple[str, Reply], ...]
    last: Reply | None
    modifications: tuple[Modification, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether the SMTP client gets a 250 after the last dot."""
        return self.last is not None and self.last.code == 250

    @property
    def delivered_to(self) -> tuple[str, ...]:
        """Who gets a copy by Postfix's rules: accepted recipients, changed by the modifications in order."""
        if self.last is None or not self.accepted or self.last.letter == "d":
            return ()
        envelope = [address for address, answer in self.recipients if answer.code == 250]
        for change in self.modifications:
            if isinstance(change, AddRecipient):
                envelope.append(change.address)
            elif isinstance(change, DeleteRecipient):
                envelope = [address for address in envelope if address != change.address]
        return tuple(envelope)


@dataclass
class MilterClient:
    """One connection to a milter, as a context manager; entering it connects and negotiates.

    `address`: `unix:/path`, `inet:host:port` as Postfix writes it, or `inet:port@host` as libmilter does.
    `actions` and `protocol`: the masks to offer; the defaults are Postfix 3.7.11's.
    """

    address: str
    actions: int = ALL_ACTIONS
    protocol: int = ALL_PROTOCOL
    hostname: str = "mx.masociete.example"
    daemon_name: str | None = None
    timeout: float = 150.0
    granted_actions: int = field(default=0, init=False)
    granted_protocol: int = field(default=0, init=False)
    _macros: Macros = field(default_factory=lambda: Macros("", ""), init=False)
    _skipping: bool = field(default=False, init=False)
    _queue_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)
    _socket: socket.socket | None = field(default=None, init=False)
    _stream: BinaryIO | None = field(default=None, init=False)
    _unsent: bytearray = field(default_factory=bytearray, init=False)

    def __enter__(self) -> Self:
        self._socket = _connected(self.address, self.timeout)
        self._stream = self._socket.makefile("rb")
        try:
            self._negotiate()
        except BaseException:
            self.drop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.quit()
        self.drop()

    def connect(
        self,
        hostname: str = "client.example",
        ip: str = "192.0.2.10",
        port: int = 40000,
        macros: Mapping[str, str] | None = None,
    ) -> Reply:
        """An SMTP client connects. `macros` are further ones, kept for the session, or others' values."""
        self._macros.connected(hostname, ip, port)
        self._macros.add(macros)
        return self._command("C", _peer(hostname, ip, port))

    def connect_local(self, macros: Mapping[str, str] | None = None) -> Reply:
        """Local submission: a message of sendmail(1), which cleanup(8) presents to `non_smtpd_milters`."""
        self._macros.submitted_locally(self._next_queue_id())
        self._macros.add(macros)
        return self._command("C", _peer("localhost", "127.0.0.1", 0))

    def helo(self, name: str = "client.example", tls: Mapping[str, str] | None = None) -> Reply:
        """HELO or EHLO, or the silent one of a local submission. `tls`: macros known after STARTTLS."""
        self._macros.add(tls)
        return self._command("H", octets("localhost" if self._macros.local else name) + b"\0")

    def mail(
        self,
        sender: str | bytes,
        *parameters: str,
        login: str | None = None,
        macros: Mapping[str, str] | None = None,
    ) -> Reply:
        """MAIL FROM. Text goes between brackets (not in local submission), octets go as they are."""
        self._macros.sender(_as_received(sender), login)
        self._macros.add(macros)
        return self._command("M", self._path(sender, parameters))

    def rcpt(
        self,
        recipient: str | bytes,
        *parameters: str,
        canonical: str | None = None,
        macros: Mapping[str, str] | None = None,
    ) -> Reply:
        """RCPT TO, written like `mail`. `canonical`: `{rcpt_addr}`, if not the recipient in lower case."""
        self._macros.recipient(_as_received(recipient), canonical)
        self._macros.add(macros)
        answer = self._command("R", self._path(recipient, parameters))
        if answer.code == 250:
            self._macros.first_recipient_accepted(self._next_queue_id())
        return answer

    def data(self) -> Reply:
        """DATA (or BDAT)."""
        return self._command("T", b"")

    def header(self, name: str | bytes, value: str | bytes) -> Reply:
        """One header; `value` is what follows the colon and one space. Lines of a folded one end in LF."""
        return self._raw_header(octets(name), b" " + octets(value))

    def eoh(self) -> Reply:
        """The end of the headers."""
        return self._command("N", b"")

    def body(self, chunk: bytes) -> Reply:
        """A piece of the body, in pieces of at most 65,535 octets; nothing more once the milter said SKIP."""
        answer = CONTINUE
        for start in range(0, len(chunk), LARGEST_CHUNK):
            if self._skipping:
                break
            answer = self._command("B", chunk[start : start + LARGEST_CHUNK])
            self._skipping = answer.letter == "s"
            if not answer.goes_on:
                break
        return answer

    def end_of_message(self) -> EndOfMessage:
        """The end of the message; then, as smtpd(8) does, an abort, which ends the transaction."""
        self._send("D", self._macros.content("E"))
        self._send("E", b"")
        modifications = []
        while (packet := self._receive()).command not in "cadrty4f":
            if packet.command != "p":
                change = modification(packet, self.granted_actions, self.granted_protocol)
                modifications.append(change)
        self._end_transaction()
        return EndOfMessage(reply(packet), tuple(modifications))

    def unknown(self, command: str | bytes) -> Reply:
        """An SMTP command that the MTA does not know."""
        return self._command("U", octets(command) + b"\0")

    def abort(self) -> None:
        """RSET, or a client gone in a transaction."""
        self._end_transaction()

    def quit(self) -> None:
        """The end of the session: after SMTP an abort first, always."""
        if self._socket is not None:
            if not self._macros.local:
                self._send("A", b"")
            self._send("Q", b"")
            self._flush()
            self.drop()

    def drop(self) -> None:
        """Close the connection without a word."""
        if self._socket is not None and self._stream is not None:
            self._stream.close()
            self._socket.close()
            self._socket = None

    def send_message(
        self,
        sender: str | bytes,
        recipients: Sequence[str | bytes],
        message: bytes,
        *parameters: str,
        login: str | None = None,
    ) -> Outcome:
        """One message as Postfix tells it, stopping where Postfix stops; the session stays open.

        `message` has CRLF line ends. Refused recipients are left out; with none left there is no DATA. In
        local submission a refused recipient stops everything: Postfix leaves the message in its queue.
        """
        first = self.mail(sender, *parameters, login=login)
        if first.goes_on:
            answers, verdict = self._recipients(recipients)
        else:
            answers, verdict = tuple((_as_received(x), CONTINUE) for x in recipients), first
        if verdict is None and any(answer.code == 250 for _, answer in answers):
            return self._send_content(first, answers, message)
        self._end_transaction()
        return Outcome(first, answers, verdict if verdict and verdict.letter in "ad" else None)

    def _recipients(
        self, recipients: Sequence[str | bytes]
    ) -> tuple[tuple[tuple[str, Reply], ...], Reply | None]:
        """The replies, and the one after which Postfix tells the milter no more of this message."""
        answers: list[tuple[str, Reply]] = []
        verdict = None
        for recipient in recipients:
            answer = CONTINUE if verdict else self.rcpt(recipient)
            answers.append((_as_received(recipient), answer))
            if answer.letter in "ad4" or (self._macros.local and answer.code != 250):
                verdict = answer
        return tuple(answers), verdict

    def _send_content(self, first: Reply, answers: tuple[tuple[str, Reply], ...], message: bytes) -> Outcome:
        for answer in self._content(message):
            if not answer.goes_on:
                self._end_transaction()
                return Outcome(first, answers, answer)
        end = self.end_of_message()
        return Outcome(first, answers, end.reply, end.modifications)

    def _content(self, message: bytes) -> Iterator[Reply]:
        head, _, body = (b"\r\n" + message).partition(b"\r\n\r\n")
        yield self.data()
        for name, value in _headers(head):
            yield self._raw_header(name, value)
        yield self.eoh()
        yield self.body(body)

    def _raw_header(self, name: bytes, after_colon: bytes) -> Reply:
        if not self.granted_protocol & Option.HEADER_LEADING_SPACE:
            after_colon = after_colon.removeprefix(b" ")
        return self._command("L", name + b"\0" + after_colon + b"\0")

    def _negotiate(self) -> None:
        self._send("O", struct.pack("!III", 6, self.actions, self.protocol))
        packet = self._receive()
        if packet.command != "O" or len(packet.payload) < 12:
            raise ProtocolError(f"no negotiation: {packet}")
        _, self.granted_actions, self.granted_protocol = struct.unpack("!III", packet.payload[:12])
        excess = self.granted_actions & ~self.actions, self.granted_protocol & ~self.protocol
        if any(excess):
            raise ProtocolError(f"asked for more than was offered: {excess}")
        name = self.daemon_name or self.hostname
        self._macros = Macros(self.hostname, name, _macro_requests(packet.payload[12:]))

    def _command(self, command: str, payload: bytes) -> Reply:
        # Postfix tells the session's and the envelope's macros even where the command itself is not wanted.
        wanted = not self.granted_protocol & NOT_SENT[command]
        if wanted or command in "CHMRTU":
            self._send("D", self._macros.content(command))
        if not wanted:
            return CONTINUE
        self._send(command, payload)
        if self.granted_protocol & NOT_ANSWERED[command]:
            return CONTINUE
        return reply(self._receive())

    def _end_transaction(self) -> None:
        if not self._macros.local:
            self._send("A", b"")
        self._macros.transaction_ended()
        self._skipping = False

    def _path(self, address: str | bytes, parameters: Sequence[str]) -> bytes:
        if isinstance(address, str):
            address = octets(address if self._macros.local else f"<{address}>")
        return b"".join(word + b"\0" for word in (address, *(octets(word) for word in parameters)))

    def _next_queue_id(self) -> str:
        return f"4XM{next(self._queue_ids):08X}"

    def _send(self, command: str, payload: bytes) -> None:
        self._unsent += frame(octets(command) + payload)

    def _flush(self) -> None:
        if self._socket is None:
            raise ConnectionError("not connected to a milter")
        self._socket.sendall(self._unsent)
        self._unsent.clear()

    def _receive(self) -> Packet:
        self._flush()
        packet = None if self._stream is None else read_packet(self._stream.read)
        if packet is None:
            raise ConnectionError("the milter closed the connection")
        return packet


def _connected(address: str, timeout: float) -> socket.socket:
    kind, _, place = address.partition(":")
    if kind in ("unix", "local"):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout)
            connection.connect(place)
        except OSError:
            connection.close()
            raise
        return connection
    host, _, port = place.rpartition(":")
    if "@" in place:
        port, _, host = place.partition("@")
    connection = socket.create_connection((host, int(port)), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _peer(hostname: str, ip: str, port: int) -> bytes:
    family = b"6" if ":" in ip else b"4"
    return octets(hostname) + b"\0" + family + struct.pack("!H", port) + octets(ip) + b"\0"


def _macro_requests(payload: bytes) -> dict[int, str]:
    requests = {}
    while len(payload) > 4:
        (stage,) = struct.unpack("!I", payload[:4])
        names, _, payload = payload[4:].partition(b"\0")
        requests[stage] = names.decode("ascii")
    return requests


def _headers(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    unfolded: list[bytes] = []
    for line in head.removeprefix(b"\r\n").split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and unfolded:
            unfolded[-1] += b"\n" + line
        elif line:
            unfolded.append(line)
    for logical in unfolded:
        name, _, value = logical.partition(b":")
        yield name.rstrip(b" \t"), value


def _as_received(address: str | bytes) -> str:
    if isinstance(address, str):
        return address
    text = address.decode("utf-8", "surrogateescape")
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text
