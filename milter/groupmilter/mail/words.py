"""Encoded words (RFC 2047) and charsets: octets as text. Pure; never raises.

What stands in no charset, or in none that is known, is read as UTF-8 with signs for what can't be.
"""

from __future__ import annotations

import codecs
import re
from email.errors import HeaderParseError
from email.header import Header, decode_header

_FOLD = re.compile(r"\r?\n(?=[ \t])")
# Codecs that are no charset of a mail, or take their time.
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})


def in_charset(octets: bytes, charset: str | None) -> str:
    """Return octets as text; in UTF-8 where the charset is unknown, with signs for what can't be read."""
    try:
        codec = codecs.lookup(charset or "utf-8")
        if codec.name.replace("_", "-") in _NO_CHARSETS:
            codec = codecs.lookup("utf-8")
        return octets.decode(codec.name, "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


def encoded(text: str) -> str:
    """Return one line of text as the value of a header field: beyond ASCII as encoded words, folded."""
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=75).encode(linesep="\n")


def decoded(text: str) -> str | None:
    """Return a text with its encoded words read, wherever they stand; None where one can't be.

    Folded lines are joined as RFC 5322 section 2.2.3 says: a word that begins a line keeps the blank before it.
    """
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(_FOLD.sub("", text))
    except (HeaderParseError, ValueError, IndexError):
        return None
    return "".join(
        in_charset(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces
    )
