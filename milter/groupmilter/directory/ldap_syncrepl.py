"""The controls and messages of LDAP Content Synchronization (RFC 4533), between octets and values. Pure.

ldap3 knows none of them but carries them as octets. What is malformed raises `Incomplete`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from groupmilter.directory.entry import Entry
from groupmilter.directory.ldap_messages import (
    DONE,
    ENTRY,
    INTERMEDIATE,
    Message,
    SearchControl,
    element,
    elements,
    entry,
    result,
    tlv,
)
from groupmilter.directory.ldap_settings import Incomplete

SYNC_REQUEST = "1.3.6.1.4.1.4203.1.9.1.1"
SYNC_STATE = "1.3.6.1.4.1.4203.1.9.1.2"
SYNC_DONE = "1.3.6.1.4.1.4203.1.9.1.3"
SYNC_INFO = b"1.3.6.1.4.1.4203.1.9.1.4"
REFRESH_REQUIRED = 4096

_ENUMERATED = 0x0A
_OCTETS = 0x04
_BOOLEAN = 0x01
_SET = 0x31
_SEQUENCE = 0x30
_RESPONSE_NAME = 0x80
_RESPONSE_VALUE = 0x81
_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET = 0x80, 0xA1, 0xA2, 0xA3


class Mode(IntEnum):
    """The mode of the sync request control (RFC 4533 section 2.2)."""

    REFRESH_ONLY = 1
    REFRESH_AND_PERSIST = 3


@dataclass(frozen=True, slots=True)
class Present:
    """These entries are there, unchanged; `cookie` None where the message has none."""

    uuids: tuple[str, ...]
    cookie: bytes | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """An entry is new or changed."""

    entry: Entry
    cookie: bytes | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """These entries are gone, or no longer match."""

    uuids: tuple[str, ...]
    cookie: bytes | None = None


@dataclass(frozen=True, slots=True)
class NewCookie:
    """Nothing but a newer cookie."""

    cookie: bytes | None


@dataclass(frozen=True, slots=True)
class PhaseEnd:
    """The end of a phase of the refresh.

    :param present: a present phase ended: what it did not name is gone.
    :param finished: the whole refresh ended with it.
    """

    present: bool
    finished: bool
    cookie: bytes | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The search ended, in refreshOnly mode as it should; `present` as in `PhaseEnd`."""

    code: int
    text: str
    present: bool
    cookie: bytes | None = None


Event = Present | Changed | Deleted | NewCookie | PhaseEnd | Finished


def sync_request(mode: Mode, cookie: bytes | None) -> SearchControl:
    """Return the sync request control, critical."""
    value = tlv(_ENUMERATED, bytes((mode,)))
    if cookie is not None:
        value += tlv(_OCTETS, cookie)
    return (SYNC_REQUEST, True, tlv(_SEQUENCE, value))


def event(received: Message) -> Event | None:
    """Read what a message says about the content; None for what says nothing (a continuation reference)."""
    if received.tag == ENTRY:
        return _state(received)
    if received.tag == INTERMEDIATE:
        return _info(received.body)
    if received.tag == DONE:
        return _done(received)
    return None


def _state(received: Message) -> Event:
    """Read an entry with its sync state control (RFC 4533 section 2.3): present, add, modify, delete."""
    value = received.controls.get(SYNC_STATE)
    if value is None:
        raise Incomplete("an entry came without its sync state control")
    _, start, end = element(value, 0, len(value))
    parts = [value[s:e] for _, s, e in elements(value, start, end)]
    if len(parts) < 2 or not parts[0]:
        raise Incomplete("a sync state control is cut")
    state, uuid = parts[0][0], _uuid(parts[1])
    cookie = parts[2] if len(parts) > 2 else None
    if state == 0:
        return Present((uuid,), cookie)
    if state == 3:
        return Deleted((uuid,), cookie)
    return Changed(Entry(uuid, *entry(received.body)), cookie)


def _info(body: bytes) -> Event | None:
    """Read an intermediate response; None where it is no sync info message (RFC 4533 section 2.5)."""
    parts = {tag: body[start:end] for tag, start, end in elements(body, 0, len(body))}
    if parts.get(_RESPONSE_NAME) != SYNC_INFO:
        return None
    value = parts.get(_RESPONSE_VALUE, b"")
    tag, start, end = element(value, 0, len(value))
    if tag == _NEW_COOKIE:
        return NewCookie(value[start:end])
    if tag == _ID_SET:
        return _id_set(value, start, end)
    if tag in (_REFRESH_DELETE, _REFRESH_PRESENT):
        return _phase_end(value, start, end, tag == _REFRESH_PRESENT)
    raise Incomplete(f"a sync info message of unknown kind {tag:#x}")


def _phase_end(value: bytes, at: int, limit: int, present: bool) -> PhaseEnd:
    parts = {tag: value[start:end] for tag, start, end in elements(value, at, limit)}
    return PhaseEnd(present, parts.get(_BOOLEAN, b"\xff") != b"\0", parts.get(_OCTETS))


def _id_set(value: bytes, at: int, limit: int) -> Present | Deleted:
    uuids: tuple[str, ...] = ()
    cookie, deletes = None, False
    for tag, start, end in elements(value, at, limit):
        if tag == _OCTETS:
            cookie = value[start:end]
        elif tag == _BOOLEAN:
            deletes = value[start:end] != b"\0"
        elif tag == _SET:
            uuids = tuple(_uuid(value[s:e]) for _, s, e in elements(value, start, end))
    return Deleted(uuids, cookie) if deletes else Present(uuids, cookie)


def _done(received: Message) -> Finished:
    """Read the final result with its sync done control (RFC 4533 section 2.4)."""
    final = result(received.body)
    value = received.controls.get(SYNC_DONE)
    if value is None:
        if final.code == 0:
            raise Incomplete("the refresh ended without its sync done control")
        return Finished(final.code, final.text, present=False)
    _, at, limit = element(value, 0, len(value))
    parts = {tag: value[start:end] for tag, start, end in elements(value, at, limit)}
    present = parts.get(_BOOLEAN, b"\0") == b"\0"
    return Finished(final.code, final.text, present, parts.get(_OCTETS))


def _uuid(octets: bytes) -> str:
    if len(octets) != 16:
        raise Incomplete("a UUID in the sync protocol is not 16 octets long")
    return str(UUID(bytes=octets))
