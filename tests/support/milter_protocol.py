"""The milter protocol's packets as values, version 6: what the tests' milter client and recorder share.

Letters, bits and layouts are those of libmilter's mfdef.h and of Postfix's milter8.c. Pure: octets in, values
out. A packet that cannot be read is a `ProtocolError`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag

ALL_ACTIONS = 0x1FF
ALL_PROTOCOL = 0x1FFFFF
LARGEST_CHUNK = 65535


class ProtocolError(Exception):
    """The other side sent what the protocol does not know."""


class Action(IntFlag):
    """What a milter may ask to do at the end of a message (SMFIF_...)."""

    ADD_HEADERS = 0x1
    CHANGE_BODY = 0x2
    ADD_RECIPIENT = 0x4
    DELETE_RECIPIENT = 0x8
    CHANGE_HEADERS = 0x10
    QUARANTINE = 0x20
    CHANGE_SENDER = 0x40
    ADD_RECIPIENT_WITH_PARAMETERS = 0x80
    SET_MACROS = 0x100


class Option(IntFlag):
    """What a milter may ask not to be sent, or not to answer (SMFIP_...)."""

    NO_CONNECT = 0x1
    NO_HELO = 0x2
    NO_MAIL = 0x4
    NO_RECIPIENT = 0x8
    NO_BODY = 0x10
    NO_HEADERS = 0x20
    NO_END_OF_HEADERS = 0x40
    NO_REPLY_HEADERS = 0x80
    NO_UNKNOWN = 0x100
    NO_DATA = 0x200
    SKIP = 0x400
    REJECTED_RECIPIENTS = 0x800
    NO_REPLY_CONNECT = 0x1000
    NO_REPLY_HELO = 0x2000
    NO_REPLY_MAIL = 0x4000
    NO_REPLY_RECIPIENT = 0x8000
    NO_REPLY_DATA = 0x10000
    NO_REPLY_UNKNOWN = 0x20000
    NO_REPLY_END_OF_HEADERS = 0x40000
    NO_REPLY_BODY = 0x80000
    HEADER_LEADING_SPACE = 0x100000


# Command letter to the bits that switch off the command, and the reply to it; D, A, Q and K have no reply.
NOT_SENT = {
    "C": Option.NO_CONNECT, "H": Option.NO_HELO, "M": Option.NO_MAIL, "R": Option.NO_RECIPIENT,
    "T": Option.NO_DATA, "L": Option.NO_HEADERS, "N": Option.NO_END_OF_HEADERS, "B": Option.NO_BODY,
    "U": Option.NO_UNKNOWN,
}  # fmt: skip
NOT_ANSWERED = {
    "C": Option.NO_REPLY_CONNECT, "H": Option.NO_REPLY_HELO, "M": Option.NO_REPLY_MAIL,
    "R": Option.NO_REPLY_RECIPIENT, "T": Option.NO_REPLY_DATA, "L": Option.NO_REPLY_HEADERS,
    "N": Option.NO_REPLY_END_OF_HEADERS, "B": Option.NO_REPLY_BODY, "U": Option.NO_REPLY_UNKNOWN,
}  # fmt: skip
NEVER_ANSWERED = "DAQK"


class Stage(IntEnum):
    """The stages for which a milter may choose its macros (SMFIM_...)."""

    CONNECT = 0
    HELO = 1
    MAIL = 2
    RECIPIENT = 3
    DATA = 4
    END_OF_MESSAGE = 5
    END_OF_HEADERS = 6


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: the command or reply letter, and what came with it."""

    command: str
    payload: bytes

    @property
    def words(self) -> tuple[bytes, ...]:
        """The payload's NUL-terminated strings."""
        return tuple(self.payload.removesuffix(b"\0").split(b"\0")) if self.payload else ()

    @property
    def macros(self) -> tuple[str, dict[str, str]]:
        """For a `D` packet: the stage's letter, and the macros by name."""
        words = [_text(word) for word in Packet("", self.payload[1:]).words]
        return chr(self.payload[0]), dict(zip(words[::2], words[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """A milter's verdict on one command: its letter, and for `y` the text (`%%` made `%`, as Postfix does).

    Letters: c continue, a accept, d discard, r reject, t tempfail, y reply with a text, s skip, f connection
    failure, 4 shutdown.
    """

    letter: str
    text: str = ""

    @property
    def code(self) -> int:
        """The SMTP code that a client sees."""
        return int(self.smtp[:3])

    @property
    def smtp(self) -> str:
        """What an SMTP client sees: Postfix's own words where the milter has none."""
        plain = {"r": "550 5.7.1 Command rejected", "t": "451 4.7.1 Service unavailable - try again later"}
        if self.letter == "4":
            return "421 4.7.0 Server closing connection"
        return self.text or plain.get(self.letter, "250 2.0.0 Ok")

    @property
    def goes_on(self) -> bool:
        """Whether the MTA tells the milter more of this message."""
        return self.letter in "cs"

    @property
    def refused(self) -> bool:
        """Whether the client gets a 5xx."""
        return self.code >= 500

    @property
    def deferred(self) -> bool:
        """Whether the client gets a 4xx."""
        return 400 <= self.code < 500


CONTINUE = Reply("c")


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """Add a recipient; `parameters` are ESMTP ones (`NOTIFY=NEVER ORCPT=rfc822;x@y`)."""

    address: str
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Take a recipient away; Postfix compares byte for byte with the RCPT argument less its brackets."""

    address: str


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Append a header."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """Insert a header before the one at `index`, counted from 0."""

    index: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """Change the `index`-th header of that name, counted from 1; an empty value deletes it."""

    index: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ChangeSender:
    """Change the envelope sender."""

    address: str
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class ReplaceBody:
    """A piece of the new body."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Put the message on hold in the MTA's queue."""

    reason: str


Modification = (
    AddRecipient
    | DeleteRecipient
    | AddHeader
    | InsertHeader
    | ChangeHeader
    | ChangeSender
    | ReplaceBody
    | Quarantine
)

_NEEDED = {
    "h": Action.ADD_HEADERS, "i": Action.ADD_HEADERS, "b": Action.CHANGE_BODY, "+": Action.ADD_RECIPIENT,
    "-": Action.DELETE_RECIPIENT, "m": Action.CHANGE_HEADERS, "q": Action.QUARANTINE,
    "e": Action.CHANGE_SENDER, "2": Action.ADD_RECIPIENT_WITH_PARAMETERS,
}  # fmt: skip


def modification(packet: Packet, actions: int, protocol: int) -> Modification:
    """What a modification packet asks for; ProtocolError if it is none or was not negotiated.

    A header's value is what will stand behind the colon and one space, whoever writes that space.
    """
    needed = _NEEDED.get(packet.command)
    if needed is None:
        raise ProtocolError(f"neither verdict nor modification: {packet}")
    if not actions & needed:
        raise ProtocolError(f"not negotiated: {packet}")
    if packet.command == "b":
        return ReplaceBody(packet.payload)
    change = _indexed(packet) if packet.command in "im" else _worded(packet)
    if protocol & Option.HEADER_LEADING_SPACE and isinstance(change, AddHeader | InsertHeader):
        return replace(change, value=change.value.removeprefix(" "))
    return change


def _indexed(packet: Packet) -> InsertHeader | ChangeHeader:
    (index,) = struct.unpack("!I", packet.payload[:4])
    name, value = (_text(word) for word in Packet("", packet.payload[4:]).words)
    return (InsertHeader if packet.command == "i" else ChangeHeader)(index, name, value)


def _worded(packet: Packet) -> Modification:
    words = [_text(word) for word in packet.words]
    match packet.command:
        case "h":
            return AddHeader(words[0], words[1])
        case "-":
            return DeleteRecipient(_bare(words[0]))
        case "e":
            return ChangeSender(_bare(words[0]), " ".join(words[1:]))
        case "q":
            return Quarantine(words[0])
        case _:
            return AddRecipient(_bare(words[0]), " ".join(words[1:]))


def reply(packet: Packet) -> Reply:
    """The verdict in a packet; ProtocolError if it is none."""
    if packet.command == "y":
        return Reply("y", _text(packet.words[0]).replace("%%", "%"))
    if packet.command in "cadrtsf4":
        return Reply(packet.command)
    raise ProtocolError(f"not a verdict: {packet}")


def frame(content: bytes) -> bytes:
    """A packet on the wire: four octets of length, then letter and payload."""
    return struct.pack("!I", len(content)) + content


def read_packet(read: Callable[[int], bytes]) -> Packet | None:
    """The next packet of a stream, or None at its end; ProtocolError if it has not even a letter."""
    head = read(4)
    if len(head) < 4:
        return None
    content = read(struct.unpack("!I", head)[0])
    if not content:
        raise ProtocolError("an empty packet")
    return Packet(chr(content[0]), content[1:])


def octets(text: str | bytes) -> bytes:
    """Text as UTF-8, with surrogates as the octets they stand for."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _text(octets_: bytes) -> str:
    return octets_.decode("utf-8", "surrogateescape")


def _bare(address: str) -> str:
    return address[1:-1] if address.startswith("<") and address.endswith(">") else address
