"""Pure. DKIM-Signature fields as read from a message, and what makes one count for nothing (RFC 6376, RFC 8301).

A signature counts only if it covers From and the whole body, by rsa-sha256, and is neither expired nor from the future.
What can't be read names no domain and is left out. Never fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from groupmilter.authentication.evidence import Field
from groupmilter.mail.address import canonical_domain
from groupmilter.mail.fingerprint import MOST_SIGNATURES

FIELD = b"dkim-signature"

_TAG = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_NUMBER = re.compile(rb"\d{1,12}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_WHITE = b" \t\r\n"
_LARGEST = 4_096
_MOST_NAMES = 150
_LONGEST_HASH = 2_048
_SKEW = 300
"""Octets of a signature field, names in h=, characters in b=, seconds that clocks may differ."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature field.

    :param place: which of the message's signature fields it is, 0 the topmost.
    :param domain: canonical, of d=.
    :param names: of h=, in lower case, in its order.
    """

    place: int
    domain: str
    selector: str
    names: tuple[str, ...]
    tags: Mapping[bytes, bytes]

    @property
    def relaxed_body(self) -> bool:
        """Whether the body was hashed in relaxed form."""
        return self.tags.get(b"c", b"").partition(b"/")[2] == b"relaxed"

    @property
    def identity(self) -> str:
        """The canonical domain of i=, which is that of d= unless it says otherwise; empty for one that is none."""
        said = self.tags.get(b"i")
        return self.domain if said is None else _domain(said.rpartition(b"@")[2])

    def __str__(self) -> str:
        """Return it as a log or an explanation names it."""
        return f"DKIM d={self.domain} s={self.selector}"


def tag_list(text: bytes) -> dict[bytes, bytes] | None:
    """Read a list of tags (RFC 6376 section 3.2), None where it is none or a tag stands there twice."""
    tags: dict[bytes, bytes] = {}
    parts = text.strip(_WHITE).split(b";")
    for part in parts if parts[-1].strip(_WHITE) else parts[:-1]:
        name, equals, value = (piece.strip(_WHITE) for piece in part.partition(b"="))
        if not equals or not _TAG.fullmatch(name) or name in tags:
            return None
        tags[name] = value
    return tags


def signatures(fields: Iterable[Field]) -> tuple[Signature, ...]:
    """Return a message's signatures from top to bottom, without those that name no domain or selector.

    None below the fiftieth: by no other a message is known when it comes again (`mail.fingerprint`).
    """
    found = (value for name, value in fields if name.lower() == FIELD)
    read = (_read(place, value) for place, value in enumerate(islice(found, MOST_SIGNATURES)))
    return tuple(signature for signature in read if signature is not None)


def _read(place: int, value: bytes) -> Signature | None:
    tags = tag_list(value) if len(value) <= _LARGEST else None
    if tags is None:
        return None
    domain, selector = _domain(tags.get(b"d", b"")), _domain(tags.get(b"s", b""))
    if not domain or not selector:
        return None
    names = tags.get(b"h", b"").decode("latin-1").lower().split(":")
    return Signature(place, domain, selector, tuple(name.strip(" \t\r\n") for name in names), tags)


def _domain(octets: bytes) -> str:
    return canonical_domain(octets.decode("ascii", "replace")) or ""


def flaw(signature: Signature, now: float) -> str:
    """Return why a signature counts for nothing whatever its key says; empty where it may count.

    :param now: seconds since 1970.
    """
    tags = signature.tags
    flaws = {
        "not of version 1": tags.get(b"v") != b"1",
        "by an algorithm other than rsa-sha256": tags.get(b"a") != b"rsa-sha256",
        "covers only a part of the body (l=)": b"l" in tags,
        "does not cover From": "from" not in signature.names,
        "names too many fields": len(signature.names) > _MOST_NAMES,
        "asks for its key elsewhere than in DNS": tags.get(b"q", b"dns/txt") != b"dns/txt",
        "without a readable hash": not _base64(tags.get(b"b", b"")) or not _base64(tags.get(b"bh", b"")),
        "of an identity outside of its domain": not _within(signature.identity, signature.domain),
    }
    return next((why for why, holds in flaws.items() if holds), "") or _untimely(tags, now)


def _untimely(tags: Mapping[bytes, bytes], now: float) -> str:
    made, ends = tags.get(b"t", b"0"), tags.get(b"x", b"9" * 12)
    if not _NUMBER.fullmatch(made) or not _NUMBER.fullmatch(ends):
        return "with a time that is none"
    if int(made) > now + _SKEW:
        return "made in the future"
    if int(ends) < now - _SKEW:
        return "expired"
    return "expired before it was made" if int(ends) <= int(made) else ""


def _base64(value: bytes) -> bool:
    plain = b"".join(value.split())
    return len(plain) <= _LONGEST_HASH and len(plain) % 4 == 0 and bool(_BASE64.fullmatch(plain))


def _within(domain: str, above: str) -> bool:
    return domain == above or domain.endswith(f".{above}")


def covered(signature: Signature, fields: Iterable[Field]) -> frozenset[str]:
    """Return the lower-case fields that a signature covers wholly.

    A name in h= covers one field, from the bottom (RFC 6376 section 5.4.2). One more of that name on top is not
    covered, and then none of them can be relied upon. A name without a field covers its absence.
    """
    present: dict[str, int] = {}
    for name, _ in fields:
        lower = name.decode("latin-1").lower()
        present[lower] = present.get(lower, 0) + 1
    names = signature.names
    return frozenset(name for name in names if name and names.count(name) >= present.get(name, 0))
