"""One source of a canonical field: an attribute and the transforms that a profile names for it. Pure.

A value goes through the steps in this order, each optional: ``take`` (keep only DNs, addresses, domains,
URLs), ``prefix`` (keep only values that begin so, without it; ``exact`` for case), ``mask`` (bits of an
integer), ``values`` (an enumeration, ``otherwise`` for the rest, null for nothing) and ``template``. What
can't be read raises `BadValue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from groupmilter.directory.dn import normalise
from groupmilter.directory.entry import Entry
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Spoken
from groupmilter.mail.address import domain_of

EXPECTED_WORDS = marked("expected one of {words}")
TAKES = ("dn", "address", "domain", "url")


class BadValue(Spoken):
    """A value of the directory can't be read; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where values of a field come from.

    :param attribute: lower-case name.
    :param unit: octets or hours that one unit of a number stands for; ``invert`` turns a boolean round.
    :param other: an attribute that ``{other}`` in the template stands for.
    :param writable: whether values may be changed there. ``beside``: it is the side store's.
    """

    attribute: str
    take: str = ""
    prefix: str | None = None
    exact: bool = False
    mask: int | None = None
    values: Mapping[str, str | None] | None = None
    otherwise: str | None = None
    has_otherwise: bool = False
    template: str = ""
    other: str = ""
    unit: int = 1
    invert: bool = False
    plain: bool = field(default=True)
    writable: bool = True
    beside: bool = False

    def read(self, entry: Entry, raw: bytes, *, url: bool = False) -> str | None:
        """Return what one raw value says, None where it says nothing here; raise `BadValue`."""
        try:
            text: str | None = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise BadValue(marked("no UTF-8")) from None
        if self.plain or text is None:
            return text
        if self.take and _shape(text) != self.take:
            return None
        text = self._enumerated(self._unprefixed(text))
        return text if text is None or "{" not in (self.template or text) else self._filled(entry, text, url)

    def _unprefixed(self, text: str) -> str | None:
        if self.prefix is None:
            return text
        start = text[: len(self.prefix)]
        same = start == self.prefix if self.exact else start.lower() == self.prefix.lower()
        return text[len(self.prefix) :].strip() if same else None

    def _enumerated(self, text: str | None) -> str | None:
        if text is None:
            return None
        if self.mask is not None:
            text = str(_integer(text) & self.mask)
        if self.values is None:
            return text
        if text.lower() in self.values:
            return self.values[text.lower()]
        if self.has_otherwise:
            return self.otherwise
        raise BadValue(EXPECTED_WORDS, words=", ".join(self.values))

    def _filled(self, entry: Entry, text: str, url: bool) -> str:
        filled = self.template or text
        known = {"value": text, "dn": entry.dn, "other": entry.first(self.other) if self.other else ""}
        known["domain"] = domain_of(entry.first("mail").lower())
        for name, content in known.items():
            filled = filled.replace(f"{{{name}}}", quote(content, safe="=,()&|!*<>~: ") if url else content)
        return filled


def _shape(text: str) -> str:
    if text.lower().startswith(("ldap:", "ldaps:")):
        return "url"
    if text.lower().startswith("mailto:"):
        return "address"
    if "=" in text and normalise(text):
        return "dn"
    return "address" if "@" in text.lstrip("@") else "domain"


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadValue(marked("no integer")) from None


def number(text: str, unit: int, least: int) -> int:
    """Return an integer in the field's unit; raise `BadValue` where it is none or below ``least``."""
    value = _integer(text) * unit
    if value < least or value > 2**62:
        raise BadValue(marked("out of range, at least {least} expected"), least=least)
    return value


def boolean(text: str, *, invert: bool) -> bool:
    """Return an LDAP boolean (RFC 4517 section 3.3.3) in any case; raise `BadValue`."""
    if text.upper() not in ("TRUE", "FALSE"):
        raise BadValue(marked("expected TRUE or FALSE"))
    return (text.upper() == "TRUE") is not invert
