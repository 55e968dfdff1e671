"""LDAP search filters (RFC 4515): parsed once, evaluated against values that the mirror keeps. Pure.

Everything compares as caseIgnoreMatch does: no case, runs of spaces as one; ``>=`` and ``<=`` as integers
where both sides are. Extensible matches and attribute options parse, but only a server can evaluate them
(`needs_server`). A malformed filter is `FilterError`, with the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Spoken

Values = Mapping[str, tuple[str, ...]]
Key = tuple[str, str]

_MAX_DEPTH = 50
_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?:;[A-Za-z0-9-]+)*")
_ITEM = re.compile(r"([^()=<>~:]*)(:[^()=]*:=|>=|<=|~=|=)([^()]*)")
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2})")


def literal(value: str) -> str:
    """Return a value as it stands in a filter and means nothing else (RFC 4515 section 3)."""
    return "".join(
        f"\\{byte:02x}" if byte in b"*()\\\0" or byte > 126 else chr(byte) for byte in value.encode()
    )


class FilterError(Spoken):
    """The text is no filter; the message says where."""


@dataclass(frozen=True, slots=True)
class All:
    """``(&...)``; true where empty (RFC 4526)."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``(|...)``; false where empty (RFC 4526)."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``(!...)``; an absent attribute makes the inner test false, so this one true."""

    part: Filter


@dataclass(frozen=True, slots=True)
class Equal:
    """``(attribute=value)``, also ``~=``; the value is prepared by `prepared`."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Present:
    """``(attribute=*)``."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Substring:
    """``(attribute=initial*any*final)``; empty initial or final where the asterisk stands outside."""

    attribute: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Order:
    """``(attribute>=value)``, or ``<=`` where ``least`` is false."""

    attribute: str
    value: str
    least: bool


@dataclass(frozen=True, slots=True)
class Extensible:
    """``(attribute:rule:=value)``: left to a server."""

    text: str


Filter = All | AnyOf | Not | Equal | Present | Substring | Order | Extensible


def prepared(value: str) -> str:
    """Return a value as it compares: no case, single inner spaces, none outside (RFC 4518 section 2.6.1)."""
    return value.lower() if value.isascii() and value.isalnum() else " ".join(value.casefold().split())


def parse(text: str) -> Filter:
    """Parse one filter; raise `FilterError`."""
    stripped = text.strip()
    parsed, end = _filter(stripped, 0, 0)
    if end != len(stripped):
        raise FilterError(marked("something follows the filter at character {place}"), place=end + 1)
    return parsed


def _filter(text: str, at: int, depth: int) -> tuple[Filter, int]:
    if depth > _MAX_DEPTH:
        raise FilterError(marked("nested more than {number} deep"), number=_MAX_DEPTH)
    if text[at : at + 1] != "(":
        raise FilterError(marked("“(” expected at character {place}"), place=at + 1)
    sign = text[at + 1 : at + 2]
    if sign in ("&", "|"):
        parts, end = _parts(text, at + 2, depth)
        return (All(parts) if sign == "&" else AnyOf(parts)), end
    if sign == "!":
        inner, end = _filter(text, at + 2, depth + 1)
        return Not(inner), _closed(text, end)
    item = _ITEM.match(text, at + 1)
    if item is None:
        raise FilterError(marked("no comparison at character {place}"), place=at + 2)
    return _item(item, at), _closed(text, item.end())


def _parts(text: str, at: int, depth: int) -> tuple[tuple[Filter, ...], int]:
    parts: list[Filter] = []
    while text[at : at + 1] == "(":
        part, at = _filter(text, at, depth + 1)
        parts.append(part)
    return tuple(parts), _closed(text, at)


def _closed(text: str, at: int) -> int:
    if text[at : at + 1] != ")":
        raise FilterError(marked("“)” expected at character {place}"), place=at + 1)
    return at + 1


def _item(item: re.Match[str], at: int) -> Filter:
    attribute, operator, value = item.groups()
    if operator.startswith(":"):
        return Extensible(item.group())
    if not _ATTRIBUTE.fullmatch(attribute):
        raise FilterError(marked("no attribute name at character {place}"), place=at + 2)
    if ";" in attribute:
        return Extensible(item.group())
    name = attribute.lower()
    if operator in (">=", "<="):
        return Order(name, prepared(_unescaped(value)), operator == ">=")
    if operator == "~=" or "*" not in value:
        return Equal(name, prepared(_unescaped(value)))
    return Present(name) if value == "*" else Substring(name, _glob(value))


def _unescaped(value: str) -> str:
    octets = value.encode("utf-8", "replace")
    if octets.count(b"\\") != len(_ESCAPE.findall(octets)):
        raise FilterError(marked("a backslash without two hexadecimal digits in “{value}”"), value=value)
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), octets).decode("utf-8", "replace")


def _glob(value: str) -> re.Pattern[str]:
    # Spaces beside an asterisk count as one (RFC 4518 2.6.1): "a *b" wants the space.
    pieces = [re.sub(r"\s+", " ", _unescaped(piece).casefold()) for piece in value.split("*")]
    pieces[0], pieces[-1] = pieces[0].lstrip(), pieces[-1].rstrip()
    return re.compile(".*".join(map(re.escape, pieces)), re.DOTALL)


def matches(wanted: Filter, values: Values) -> bool:
    """Evaluate against prepared values by lower-case attribute name; an `Extensible` is never true."""
    match wanted:
        case All(parts):
            return all(matches(part, values) for part in parts)
        case AnyOf(parts):
            return any(matches(part, values) for part in parts)
        case Not(part):
            return not matches(part, values)
        case Extensible():
            return False
        case _:
            return any(_true(wanted, value) for value in values.get(wanted.attribute, ()))


def _true(wanted: Equal | Present | Substring | Order, value: str) -> bool:
    match wanted:
        case Equal(_, text):
            return value == text
        case Present():
            return True
        case Substring(_, pattern):
            return pattern.fullmatch(value) is not None
        case Order(_, text, least):
            return _compare(value, text) >= 0 if least else _compare(value, text) <= 0


def _compare(left: str, right: str) -> int:
    try:
        a, b = int(left), int(right)
    except ValueError:
        return (left > right) - (left < right)
    return (a > b) - (a < b)


def attributes(wanted: Filter) -> frozenset[str]:
    """Return the lower-case names of all attributes that the filter reads."""
    match wanted:
        case All(parts) | AnyOf(parts):
            return frozenset().union(*map(attributes, parts))
        case Not(part):
            return attributes(part)
        case Extensible():
            return frozenset()
        case _:
            return frozenset((wanted.attribute,))


def needs_server(wanted: Filter, known: frozenset[str]) -> bool:
    """Tell whether the filter reads what `known` attributes can't answer."""
    return _extensible(wanted) or not attributes(wanted) <= known


def _extensible(wanted: Filter) -> bool:
    match wanted:
        case All(parts) | AnyOf(parts):
            return any(map(_extensible, parts))
        case Not(part):
            return _extensible(part)
        case _:
            return isinstance(wanted, Extensible)


def keys(wanted: Filter) -> frozenset[Key] | None:
    """Return (attribute, value) pairs of which every match has at least one; None where there are none."""
    match wanted:
        case Equal(attribute, value):
            return frozenset(((attribute, value),))
        case All(parts):
            found = [k for k in map(keys, parts) if k is not None]
            return min(found, key=len) if found else None
        case AnyOf(parts):
            each = [keys(part) for part in parts]
            known = [k for k in each if k is not None]
            return frozenset().union(*known) if len(known) == len(each) else None
        case _:
            return None
