"""Canonical values as a directory spells them: a profile's transforms the other way round. Pure.

Only what reads back as the same value is ever written, so a transform that loses something (a bit mask, a template)
makes a field read-only by itself. What can't be spelt raises `Unwritable`, in words for the administrator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from groupmilter.directory.change import WriteRefused
from groupmilter.directory.dn import normalise
from groupmilter.directory.entry import Entry
from groupmilter.directory.profile_fields import Form, Scalar
from groupmilter.directory.profile_file import Mapped
from groupmilter.directory.profile_source import BadValue, Source, boolean, number
from groupmilter.directory.side_store import SEVERAL, key_by
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import canonical, pattern

__all__ = [
    "MEMBERS_OF", "SEVERAL", "Held", "Unwritable", "held", "home", "key_of", "read", "scalar_spelt", "value_spelt",
]  # fmt: skip

# Which attribute holds the members of which structural class (RFC 4519 sections 3.5 and 3.6).
MEMBERS_OF = {b"groupofnames": "member", b"groupofuniquenames": "uniquemember"}


_UNSPELT = marked("“{value}” can't be written as {field} in this directory")


class Unwritable(WriteRefused):
    """A value can't be written to a field in this directory; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Held:
    """One value that an entry holds.

    :param raw: as it stands there. ``key``: what it is compared by.
    """

    source: Source
    raw: bytes
    text: str
    key: str


def key_of(mapped: Mapped, text: str) -> str:
    """Return what two spellings of one value have in common."""
    return key_by(mapped.field.form, text)


def held(entry: Entry, mapped: Mapped) -> Iterator[Held]:
    """Yield the values of a field that an entry holds, in whichever attribute; what can't be read is left out."""
    for source in mapped.sources:
        for raw in entry.attributes.get(source.attribute, ()):
            text = read(source, entry, raw, url=mapped.field.form is Form.URLS)
            if text:
                yield Held(source, raw, text, key_of(mapped, text))


def read(source: Source, entry: Entry, raw: bytes, *, url: bool = False) -> str | None:
    """Return what a raw value says, None where it says nothing or can't be read."""
    try:
        return source.read(entry, raw, url=url)
    except BadValue:
        return None


def value_spelt(entry: Entry, mapped: Mapped, value: str) -> tuple[Source, bytes]:
    """Return where one value of a field of several belongs in this entry, and how it is spelt there."""
    url = mapped.field.form is Form.URLS
    wanted = key_of(mapped, value)
    for source in _preferred(entry, mapped) if mapped.writable and value else ():
        for raw in (value.encode(), ((source.prefix or "") + value).encode()):
            text = read(source, entry, raw, url=url)
            if text and key_of(mapped, text) == wanted and _sensible(mapped, text):
                return source, raw
    raise Unwritable(_UNSPELT, value=value, field=mapped.name)


def scalar_spelt(entry: Entry, mapped: Mapped, value: Scalar) -> tuple[Source, bytes]:
    """Return where the one value of a field belongs, and how it is spelt there."""
    # Several sources of which any counts: no one of them decides what is read back.
    sources = mapped.sources if mapped.combine == "first" else mapped.sources[:1]
    if mapped.writable and not (mapped.combine != "first" and len(mapped.sources) > 1):
        for source in filter(_writable, sources):
            for text in _spellings(source, value):
                if _scalar(entry, mapped, source, text) == value:
                    return source, text.encode()
    raise Unwritable(_UNSPELT, value=value, field=mapped.name)


def _preferred(entry: Entry, mapped: Mapped) -> list[Source]:
    """Return a field's sources, first those whose attribute the entry's class asks for."""
    classes = {value.lower() for value in entry.attributes.get("objectclass", ())}
    asked = {attribute for name, attribute in MEMBERS_OF.items() if name in classes}
    return sorted(filter(_writable, mapped.sources), key=lambda source: source.attribute not in asked)


def home(mapped: Mapped) -> Source | None:
    """Return where values of a field are written first; None where it is read-only."""
    return next(filter(_writable, mapped.sources), None) if mapped.writable else None


def _writable(source: Source) -> bool:
    return source.writable


def _sensible(mapped: Mapped, text: str) -> bool:
    form = mapped.field.form
    if form is Form.NAMES:
        return bool(normalise(text))
    if form is Form.PATTERNS:
        return pattern(text) is not None
    return form is not Form.ADDRESSES or canonical(text) is not None


def _spellings(source: Source, value: Scalar) -> Iterator[str]:
    if isinstance(value, bool):
        plain = "TRUE" if value is not source.invert else "FALSE"
    elif isinstance(value, int):
        plain = str(value // source.unit)
    else:
        plain = value or ""
    for spelt, meant in (source.values or {}).items():
        if meant is not None and meant.lower() == plain.lower():
            yield spelt
    yield plain
    yield (source.prefix or "") + plain


def _scalar(entry: Entry, mapped: Mapped, source: Source, text: str) -> Scalar:
    found = read(source, entry, text.encode())
    form = mapped.field.form
    try:
        if not found:
            return None
        if form is Form.BOOLEAN:
            return boolean(found, invert=source.invert)
        if form is Form.NUMBER:
            return number(found, source.unit, mapped.field.least)
    except BadValue:
        return None
    if form is Form.WORD and found not in mapped.field.words:
        return None
    return found
