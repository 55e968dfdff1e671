"""Attributes that come in ranges, as Active Directory sends more than 1,500 values (MS-ADTS 3.1.1.3.1.3.3).
Pure.

The server names the attribute ``member;range=0-1499``; the rest has to be asked for, until an answer ends in
``-*``. Anything else than an unbroken row of ranges up to that ``*``, read while the entry stood still, is
`Incomplete`: a reader that knows nothing of ranges would see an empty group, a careless one a shortened
group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from groupmilter.directory.ldap_messages import Attributes
from groupmilter.directory.ldap_settings import Incomplete

Read = tuple[str, Attributes]
ReadEntry = Callable[[str, tuple[str, ...]], Attributes | None]

_OPTION = ";range="
# Grows with each change of the entry; read beside every range.
_VERSION = "uSNChanged"
_TRIES = 3


class _Moved(Exception):
    """The entry changed between two of its ranges."""


@dataclass(frozen=True, slots=True)
class Range:
    """``attribute;range=first-last``; `last` is None for ``*``, the end of the values."""

    attribute: str
    first: int
    last: int | None


def is_ranged(attributes: Mapping[str, tuple[bytes, ...]]) -> bool:
    """Tell whether an attribute came in ranges."""
    return any(_OPTION in name for name in attributes)


def parse(description: str) -> Range | None:
    """Read a lower-case attribute description, None where it has no range option; `Incomplete` for a bad
    one.
    """
    attribute, option, bounds = description.partition(_OPTION)
    if not option:
        return None
    first, dash, last = bounds.partition("-")
    if not dash or not first.isdecimal() or not (last == "*" or last.isdecimal()):
        raise Incomplete(f"{description} is no range")
    return Range(attribute, int(first), None if last == "*" else int(last))


def completed(name: str, attributes: Attributes, read: ReadEntry, most: int) -> Attributes:
    """Return the attributes of an entry with each ranged one whole and under its plain name.

    :param read: reads attributes of one entry, ranges as the server cuts them.
    :param most: values past which the attribute is refused.
    """
    ranges = [found for found in map(parse, attributes) if found is not None]
    whole = {key: values for key, values in attributes.items() if _OPTION not in key}
    for ranged in ranges:
        whole[ranged.attribute] = _whole(name, ranged.attribute, read, most)
    return whole


def _whole(name: str, attribute: str, read: ReadEntry, most: int) -> tuple[bytes, ...]:
    for _ in range(_TRIES):
        try:
            return _once(name, attribute, read, most)
        except _Moved:
            continue
    raise Incomplete(f"{name} changes faster than {attribute} can be read")


def _once(name: str, attribute: str, read: ReadEntry, most: int) -> tuple[bytes, ...]:
    values: list[bytes] = []
    version: tuple[bytes, ...] | None = None
    while True:
        found = read(name, (f"{attribute}{_OPTION}{len(values)}-*", _VERSION))
        if found is None:
            raise _Moved
        now = found.get(_VERSION.lower(), ())
        if version not in (None, now):
            raise _Moved
        version = now
        last = _add(name, attribute, found, values)
        if len(values) > most:
            raise Incomplete(f"{name} has more than {most} values of {attribute}")
        if last:
            return tuple(values)


def _add(name: str, attribute: str, found: Attributes, values: list[bytes]) -> bool:
    """Append the range that follows the values; tell whether it was the last one."""
    ranges = [key for key in found if key.partition(_OPTION)[:2] == (attribute, _OPTION)]
    part = parse(ranges[0]) if len(ranges) == 1 else None
    if part is None or part.first != len(values):
        raise Incomplete(f"{name}: the server does not answer with the range of {attribute} asked for")
    values.extend(found[ranges[0]])
    if part.last is not None and (part.last + 1 != len(values) or not found[ranges[0]]):
        raise Incomplete(f"{name}: a range of {attribute} has not as many values as it says")
    return part.last is None
