"""By what a message is known again when it comes once more. Pure.

Its Message-ID with its body, and each signature that it carries: a copy of signed mail that was altered where the
signature allows it (another Message-ID, white space in the body) still bears the same one. A message without Message-
ID is known by From, Date and body; without a Date either, as devices write it, only by what signs it. Sources: RFC
5322 section 3.6.4, RFC 6376 section 3.5.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator

_WHITE = b" \t\r\n"
_SIGNATURE = re.compile(rb"(?:^|;)[ \t\r\n]*b[ \t\r\n]*=([^;]*)")
MOST_SIGNATURES = 50
"""How many signatures are looked at, from the top. No proof looks further, so that none hides below others."""


def fingerprints(fields: Iterable[tuple[bytes, bytes]], body: bytes) -> tuple[bytes, ...]:
    """Return digests of 16 octets, by each of which a message is known again.

    :param fields: names and values as received. ``body``: a digest of the body (`content.ContentDigest`).
    """
    known = [(name.strip(_WHITE).lower(), value) for name, value in fields]
    named = _values(known, b"message-id")
    dated = _values(known, b"date")
    parts = (b"message-id", *named) if named else (b"date", *dated, b"from", *_values(known, b"from"))
    signatures = list(_signatures(known))[:MOST_SIGNATURES]
    written = (_digest(*parts, body),) if named or dated else ()
    return (*written, *(_digest(b"signature", one) for one in dict.fromkeys(signatures)))


def _values(fields: list[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [seen for name, value in fields if name == wanted and (seen := value.translate(None, _WHITE))]


def _signatures(fields: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, value in fields:
        found = _SIGNATURE.search(value) if name == b"dkim-signature" else None
        seen = found[1].translate(None, _WHITE) if found is not None else b""
        if seen:
            yield _octets(seen)


def _octets(text: bytes) -> bytes:
    """Return what Base64 stands for: the last bits of its last character may be any (RFC 4648 section 3.5)."""
    try:
        return b64decode(text)
    except ValueError:
        return text


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).digest()[:16]
