"""Tickets: what a held copy says by itself, in the local part that carries it through the MTA's queue.

59 characters of lower-case base32 hold 295 bits: kind 3, version 3, key id 4, strength 3, SMTPUTF8 1, partly 1,
time 32, reason 8, nonce 32, digests of group and sender 56 each, MAC 96 (HMAC-SHA-256, cut). The MAC of a release
ticket covers the content it may release, too. Nothing here reads a clock or rolls dice: both are arguments. A ticket
that isn't ours, is damaged or has an unknown key is None, never an error.

A *token* is the shorter form (52 characters) that stands in a moderator's address ``approve+<token>`` or link: kind,
version, key id, action 8, expiry 32, digests of the held ticket and of the moderator 56 each, MAC 96.

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

VERSION = 2
MAC_BITS = 96
LENGTH = 59
BOUNCE_LENGTH = 48
TOKEN_LENGTH = 52
NONCE_BITS = 32
LETTER = 1
RELEASE_LOCAL_PART = "release"
"""The address at the service domain that the desk brings messages back to."""

_LAYOUTS = {
    LENGTH: (3, 3, 4, 3, 1, 1, 32, 8, 32, 56, 56),
    BOUNCE_LENGTH: (3, 3, 4, 3, 1, 2, 32, 8, 32, 56),
    TOKEN_LENGTH: (3, 3, 4, 8, 2, 32, 56, 56),
}
_VERSIONS = frozenset({1, VERSION})
"""Version 1 had no reason: its nonce was 40 bits, at the same place."""


class Kind(IntEnum):
    """What the desk is to make of a copy that arrives with this ticket."""

    HOLD = 1
    SPLIT = 2
    REFUSE = 3
    RELEASE = 4
    BOUNCE = 5
    ANSWER = 6
    LINK = 7


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the configuration: ``current`` seals, all open (rotation). Ids are 0 to 15."""

    keys: Mapping[int, bytes] = field(repr=False)
    current: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says.

    :param time: seconds since 1970, UTC.
    :param nonce: 32 bits.
    :param group, sender: 56-bit digests of the entries' UUIDs; sender 0 where nobody is proven. Of an answer:
        the digest of the held ticket (`digest`) and that of the person who is proven to answer; to join or leave, the
        group's again.
    :param strength: value of `policy.facts.Strength`.
    :param reason: why it was held or refused (`policy.reasons`); of an answer the `Action`; of a bounce `LETTER` where
        it is about a letter of ours: ``nonce`` is its number, ``group`` the digest of the held ticket (`digest`).
    :param partly: a group inside this one refused the message, not this one itself.
    """

    kind: Kind
    time: int
    nonce: int
    group: int
    sender: int = 0
    strength: int = 0
    smtputf8: bool = False
    reason: int = 0
    partly: bool = False


class Action(IntEnum):
    """What a token decides; ``ASK`` leaves it to the page that the link leads to.

    ``JOIN`` and ``LEAVE`` stand in tickets alone: mail to a group's address for this. ``CONFIRM``: of an address that
    was asked whether it was it who wrote.
    """

    ASK = 0
    APPROVE = 1
    REJECT = 2
    JOIN = 3
    LEAVE = 4
    CONFIRM = 5


@dataclass(frozen=True, slots=True)
class Token:
    """What a moderator's address or link says.

    :param kind: ``Kind.ANSWER`` in an address, ``Kind.LINK`` in a link: neither serves for the other.
    :param expires: seconds since 1970, UTC.
    :param item: `digest` of the held ticket's text.
    :param moderator: `digest` of the person's UUID; to confirm, of the address.
    """

    kind: Kind
    action: Action
    expires: int
    item: int
    moderator: int


def digest(uuid: str) -> int:
    """Return 56 bits of the SHA-256 of an entry's UUID (or a ticket's text): how tickets name them."""
    return int.from_bytes(hashlib.sha256(uuid.encode()).digest()[:7], "big")


def seal(ticket: Ticket, keys: Keys, content: bytes = b"") -> str:
    """Return a ticket as lower-case base32, sealed with the current key.

    A bounce ticket is 48 characters and says nothing of the sender, so that ``bounce+`` and it fit into 64 octets.

    :param content: for a release, the digest of what it releases (`mail.content`).
    """
    length = BOUNCE_LENGTH if ticket.kind is Kind.BOUNCE else LENGTH
    flags = (ticket.smtputf8, ticket.partly)
    head = (ticket.kind, VERSION, keys.current, ticket.strength, *flags, ticket.time & 0xFFFFFFFF)
    rest = (ticket.reason, ticket.nonce & ((1 << NONCE_BITS) - 1), ticket.group, ticket.sender)
    return _sealed((*head, *rest), length, keys, content)


def unseal(text: str, keys: Keys, content: bytes = b"") -> Ticket | None:
    """Return the ticket, None where it is not one of ours. Upper case is accepted: MTAs may change it."""
    opened = _opened(text, keys, content) if len(text) in {LENGTH, BOUNCE_LENGTH} else None
    if opened is None:
        return None
    kind, version, _, strength, smtputf8, partly, time, reason, nonce, group, *sender = opened
    reason = reason if version == VERSION else 0
    return Ticket(Kind(kind), time, nonce, group, sum(sender), strength, bool(smtputf8), reason, partly == 1)


def seal_token(token: Token, keys: Keys) -> str:
    """Return a moderator's token as 52 characters of lower-case base32, sealed with the current key."""
    head = (token.kind, VERSION, keys.current, token.action, 0, token.expires & 0xFFFFFFFF)
    return _sealed((*head, token.item, token.moderator), TOKEN_LENGTH, keys, b"")


def unseal_token(text: str, keys: Keys) -> Token | None:
    """Return the token, None where it is not one of ours; whether it has expired is the caller's question."""
    opened = _opened(text, keys, b"") if len(text) == TOKEN_LENGTH else None
    if opened is None:
        return None
    kind, _, _, action, _, expires, item, moderator = opened
    if kind not in {Kind.ANSWER, Kind.LINK} or action not in set(Action):
        return None
    return Token(Kind(kind), Action(action), expires, item, moderator)


def key_id(text: str) -> int | None:
    """Return the id of the key with which a ticket or token says it was sealed; None where it has not their form.

    Whether it really was is `unseal`'s question.
    """
    if len(text) not in _LAYOUTS or not text.isascii():
        return None
    try:
        octets = base64.b32decode(text.upper() + "A" * (-len(text) % 8))
    except ValueError:
        return None
    # Kind and version, 3 bits each, stand before it.
    return int.from_bytes(octets[:2], "big") >> 6 & 0b1111


def _sealed(values: tuple[int, ...], length: int, keys: Keys, content: bytes) -> str:
    payload = _pack(values, _LAYOUTS[length])
    whole = payload << MAC_BITS | _mac(payload, keys.keys[keys.current], content)
    octets = (whole << (-5 * length % 8)).to_bytes((5 * length + 7) // 8, "big")
    return base64.b32encode(octets).decode("ascii").lower()[:length]


def _opened(text: str, keys: Keys, content: bytes) -> tuple[int, ...] | None:
    """Return the values of a sealed text; None where its MAC doesn't hold."""
    if not text.isascii():
        return None
    try:
        octets = base64.b32decode(text.upper() + "A" * (-len(text) % 8))
    except ValueError:
        return None
    whole = int.from_bytes(octets, "big") >> (8 * len(octets) - 5 * len(text))
    payload, mac = whole >> MAC_BITS, whole & ((1 << MAC_BITS) - 1)
    values = _unpack(payload, _LAYOUTS[len(text)])
    key = keys.keys.get(values[2])
    if key is None or not hmac.compare_digest(
        _mac(payload, key, content).to_bytes(12, "big"), mac.to_bytes(12, "big")
    ):
        return None
    return values if values[1] in _VERSIONS and values[0] in set(Kind) else None


def _mac(payload: int, key: bytes, content: bytes) -> int:
    octets = b"groupmilter ticket\0" + payload.to_bytes(32, "big") + content
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
