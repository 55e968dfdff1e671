"""Tickets: what a held copy says by itself, in the local part that carries it through the MTA's queue.

59 characters of lower-case base32 hold 295 bits: kind 3, version 3, key id 4, strength 3, SMTPUTF8 1, one spare,
time 32, nonce 40, digests of group and sender 56 each, MAC 96 (HMAC-SHA-256, cut). Nothing here reads a clock or
rolls dice: both are arguments. A ticket that isn't ours, is damaged or has an unknown key is None, never an error.

Sources: RFC 4648 section 6 (base32), RFC 2104 (HMAC, truncation section 5), RFC 5321 section 4.5.3.1.1 (64 octets).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

VERSION = 1
MAC_BITS = 96
LENGTH = 59
BOUNCE_LENGTH = 48
_LAYOUTS = {LENGTH: (3, 3, 4, 3, 1, 1, 32, 40, 56, 56), BOUNCE_LENGTH: (3, 3, 4, 3, 1, 2, 32, 40, 56)}


class Kind(IntEnum):
    """What the desk is to make of a copy that arrives with this ticket."""

    HOLD = 1
    SPLIT = 2
    REFUSE = 3
    RELEASE = 4
    BOUNCE = 5


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the configuration: ``current`` seals, all open (rotation). Ids are 0 to 15."""

    keys: Mapping[int, bytes] = field(repr=False)
    current: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says.

    :param time: seconds since 1970, UTC.
    :param nonce: 40 bits.
    :param group, sender: 56-bit digests of the entries' UUIDs; sender 0 where nobody is proven.
    :param strength: value of `policy.facts.Strength`.
    """

    kind: Kind
    time: int
    nonce: int
    group: int
    sender: int = 0
    strength: int = 0
    smtputf8: bool = False


def digest(uuid: str) -> int:
    """Return 56 bits of the SHA-256 of an entry's UUID: how tickets name groups and senders."""
    return int.from_bytes(hashlib.sha256(uuid.encode()).digest()[:7], "big")


def seal(ticket: Ticket, keys: Keys) -> str:
    """Return a ticket as lower-case base32, sealed with the current key.

    A bounce ticket is 48 characters and says nothing of the sender, so that ``bounce+`` and it fit into 64 octets.
    """
    length = BOUNCE_LENGTH if ticket.kind is Kind.BOUNCE else LENGTH
    head = (ticket.kind, VERSION, keys.current, ticket.strength, ticket.smtputf8, 0)
    rest = (ticket.time & 0xFFFFFFFF, ticket.nonce & ((1 << 40) - 1), ticket.group, ticket.sender)
    payload = _pack((*head, *rest), _LAYOUTS[length])
    whole = payload << MAC_BITS | _mac(payload, keys.keys[keys.current])
    octets = (whole << (-5 * length % 8)).to_bytes((5 * length + 7) // 8, "big")
    return base64.b32encode(octets).decode("ascii").lower()[:length]


def unseal(text: str, keys: Keys) -> Ticket | None:
    """Return the ticket, None where it is not one of ours. Upper case is accepted: MTAs may change it."""
    layout = _LAYOUTS.get(len(text))
    if layout is None or not text.isascii():
        return None
    try:
        octets = base64.b32decode(text.upper() + "A" * (-len(text) % 8))
    except ValueError:
        return None
    whole = int.from_bytes(octets, "big") >> (8 * len(octets) - 5 * len(text))
    payload, mac = whole >> MAC_BITS, whole & ((1 << MAC_BITS) - 1)
    return _opened(_unpack(payload, layout), payload, mac, keys)


def _opened(values: tuple[int, ...], payload: int, mac: int, keys: Keys) -> Ticket | None:
    kind, version, key_id, strength, smtputf8, _, time, nonce, group, *sender = values
    key = keys.keys.get(key_id)
    if key is None or not hmac.compare_digest(
        _mac(payload, key).to_bytes(12, "big"), mac.to_bytes(12, "big")
    ):
        return None
    if version != VERSION or kind not in set(Kind):
        return None
    return Ticket(Kind(kind), time, nonce, group, sum(sender), strength, bool(smtputf8))


def _mac(payload: int, key: bytes) -> int:
    octets = b"groupmilter ticket\0" + payload.to_bytes(32, "big")
    return int.from_bytes(hmac.digest(key, octets, "sha256")[: MAC_BITS // 8], "big")


def _pack(values: tuple[int, ...], layout: tuple[int, ...]) -> int:
    payload = 0
    for value, bits in zip(values, layout, strict=False):
        payload = payload << bits | value
    return payload


def _unpack(payload: int, layout: tuple[int, ...]) -> tuple[int, ...]:
    values = []
    for bits in reversed(layout):
        values.append(payload & ((1 << bits) - 1))
        payload >>= bits
    return tuple(reversed(values))


@lru_cache(maxsize=4096)
def loop_digest(uuid: str, key: bytes) -> str:
    """Return the keyed digest by which a message says that this group has handled it (80 bits, base32)."""
    mac = hmac.digest(key, b"groupmilter loop\0" + uuid.encode(), "sha256")
    return base64.b32encode(mac[:10]).decode("ascii").lower()


@dataclass(frozen=True, slots=True)
class LoopTrace:
    """Which groups say in the header that they have handled a message; forged digests name nobody.

    :param digests: as found; ``keys``: all that may have sealed them.
    """

    digests: frozenset[str] = frozenset()
    keys: tuple[bytes, ...] = ()

    def names(self, uuid: str) -> bool:
        """Tell whether the group with this UUID has handled the message."""
        return any(loop_digest(uuid, key) in self.digests for key in self.keys) if self.digests else False
