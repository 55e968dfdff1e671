"""Distinguished names (RFC 4514) in one comparable spelling. Pure.

Two spellings of one name give the same text, in which a comma is always a separator, so that "below" is a
matter of how the text ends. Values compare without case and with runs of spaces as one (RFC 4518 section
2), whatever the attribute: a directory that tells ``uid=A`` from ``uid=a`` is not served. What is no DN
gives None.
"""

from __future__ import annotations

import re
import unicodedata

# Nothing to unescape, sort, fold or squeeze: most names of most directories, at the price of one match.
_SIMPLE = re.compile(
    r"[A-Za-z][A-Za-z0-9-]*=[A-Za-z0-9._@'-]+(?: [A-Za-z0-9._@'-]+)*"
    r"(?:,[A-Za-z][A-Za-z0-9-]*=[A-Za-z0-9._@'-]+(?: [A-Za-z0-9._@'-]+)*)*"
)
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|(?:[Oo][Ii][Dd]\.)?[0-9]+(?:\.[0-9]+)+")
_PIECE = re.compile(r'\\(?:[0-9A-Fa-f]{2}|[ "#+,;<=>\\])|"(?:[^"\\]|\\.)*"|[^\\"]')
_ESCAPED = re.compile(r'[,+"\\;<>\x00]')
# RFC 4514 section 3 and RFC 4519: the short names that a server may spell as numbers.
_OIDS = {
    "2.5.4.3": "cn",
    "2.5.4.4": "sn",
    "2.5.4.6": "c",
    "2.5.4.7": "l",
    "2.5.4.8": "st",
    "2.5.4.9": "street",
    "2.5.4.10": "o",
    "2.5.4.11": "ou",
    "0.9.2342.19200300.100.1.1": "uid",
    "0.9.2342.19200300.100.1.25": "dc",
}
_LONG_NAMES = {"commonname": "cn", "surname": "sn", "userid": "uid", "domaincomponent": "dc"}
_LONG_NAMES |= {"organizationname": "o", "organizationalunitname": "ou", "countryname": "c"}


def normalise(dn: str) -> str | None:
    """Return the comparable spelling of a DN (empty for the root), None where it is none (RFC 4514)."""
    if _SIMPLE.fullmatch(dn):
        return _short_types(dn.lower())
    if not dn.strip(" "):
        return ""
    parts = _split(dn, ",;")
    rdns = None if parts is None else [_rdn(part) for part in parts]
    return None if rdns is None or None in rdns else ",".join(filter(None, rdns))


def rdn_value(value: str) -> str:
    """Return a value as it is written in a name (RFC 4514 section 2.4), its case and spaces kept."""
    text = "".join(f"\\{c}" if c in '"+,;<>\\=' else "\\00" if c == "\0" else c for c in value)
    if text[:1] in {" ", "#"}:
        text = f"\\{text}"
    return f"{text[:-1]}\\ " if len(text) > 1 and text.endswith(" ") and text[-2] != "\\" else text


def parent(normalised: str) -> str:
    """Return the name above a normalised one; empty at the top."""
    return normalised.partition(",")[2]


def within(normalised: str, base: str) -> bool:
    """Tell whether a normalised name is the normalised base or stands below it; the empty base holds all."""
    return not base or normalised == base or normalised.endswith(f",{base}")


def _short_types(simple: str) -> str:
    if "name=" not in simple and "userid=" not in simple and "component=" not in simple:
        return simple
    pairs = (rdn.partition("=") for rdn in simple.split(","))
    return ",".join(f"{_LONG_NAMES.get(kind, kind)}={value}" for kind, _, value in pairs)


def _split(text: str, separators: str) -> list[str] | None:
    """Split at unescaped, unquoted separators (RFC 2253 quotes and semicolons included)."""
    parts, start, position = [], 0, 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            return None
        if piece.group() in separators:
            parts.append(text[start:position])
            start = piece.end()
        position = piece.end()
    return [*parts, text[start:]]


def _rdn(text: str) -> str | None:
    parts = _split(text, "+")
    pairs = None if parts is None else [_pair(part) for part in parts]
    return None if pairs is None or None in pairs else "+".join(sorted(filter(None, pairs)))


def _pair(text: str) -> str | None:
    kind, equals, value = text.partition("=")
    kind = kind.strip(" ")
    if not equals or not _TYPE.fullmatch(kind):
        return None
    kind = kind.lower().removeprefix("oid.")
    plain = _unescaped(value)
    if not plain:
        return None
    return f"{_OIDS.get(kind, _LONG_NAMES.get(kind, kind))}={_escaped(plain)}"


def _unescaped(value: str) -> str:
    """Undo RFC 4514 escapes, then prepare as RFC 4518 does: NFKC, no case, single inner spaces."""
    octets = bytearray()
    for piece in _PIECE.findall(value.strip(" ") + (" " if value.rstrip(" ").endswith("\\") else "")):
        if piece[0] == '"' and len(piece) > 1:
            octets += _unescaped_quoted(piece[1:-1])
        elif piece[0] == "\\":
            octets += bytes.fromhex(piece[1:]) if len(piece) == 3 else piece[1:].encode()
        else:
            octets += piece.encode("utf-8", "replace")
    text = unicodedata.normalize("NFKC", octets.decode("utf-8", "replace")).casefold()
    return " ".join(unicodedata.normalize("NFKC", text).split()) or (" " if octets else "")


def _unescaped_quoted(inner: str) -> bytes:
    return re.sub(r"\\(.)", r"\1", inner).encode("utf-8", "replace")


def _escaped(value: str) -> str:
    """Escape what separates as hexadecimal pairs, so that a bare comma or plus is never part of a value."""
    return _ESCAPED.sub(lambda found: f"\\{ord(found.group()):02x}", value)
