"""Rules that find members, as people put them: an attribute is something, begins so, or is there; and their LDAP URLs.

Pure. A URL that says more than this has no criteria; it stays what it is (RFC 4516, RFC 4515).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from groupmilter.directory.dynamic import MemberUrl, UrlError, parse_url
from groupmilter.directory.filter import literal
from groupmilter.language.catalogue import marked

_SCOPES = ("sub", "one")
_ITEM = re.compile(r"\(([A-Za-z][A-Za-z0-9;-]*)=((?:[^()*\\]|\\[0-9A-Fa-f]{2})*)(\*?)\)")
_WHOLE = re.compile(rf"(?:\(&)?(?:{_ITEM.pattern})+\)?")
_KEPT = "()&|!=*,:;<>~-_."
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class How(StrEnum):
    """In which way a value is compared."""

    IS = "is"
    BEGINS = "begins"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that all members have in common.

    :param value: without meaning of its own but for a ``*`` at its end: anything may follow.
    """

    attribute: str
    value: str

    @property
    def how(self) -> How:
        """In which way its value is compared."""
        if self.value == "*":
            return How.ANY
        return How.BEGINS if self.value.endswith("*") else How.IS

    @property
    def plain(self) -> str:
        """The value without what says how it is compared."""
        return self.value.removesuffix("*")


@dataclass(frozen=True, slots=True)
class Rule:
    """A member URL as people put it.

    :param base: DN of the branch. ``below``: everywhere below it, not only right beneath.
    """

    base: str
    criteria: tuple[Criterion, ...]
    below: bool = True


def url(base: str, criteria: Iterable[Criterion], *, below: bool = True) -> str:
    """Return the URL of a rule; `UrlError` for one that can't be.

    :param criteria: all of which have to hold; at least one.
    """
    terms = []
    for each in criteria:
        if not _ATTRIBUTE.fullmatch(each.attribute) or not each.value:
            raise UrlError(marked("an attribute and a value are wanted"))
        star = "*" if each.value.endswith("*") else ""
        terms.append(f"({each.attribute}={literal(each.plain)}{star})")
    if not terms:
        raise UrlError(marked("at least one criterion is wanted"))
    text = terms[0] if len(terms) == 1 else f"(&{''.join(terms)})"
    made = f"ldap:///{quote(base, safe=_KEPT)}??{_SCOPES[0 if below else 1]}?{quote(text, safe=_KEPT)}"
    parse_url(made)
    return made


def rule(written: str) -> Rule | None:
    """Return what a URL says, where criteria can say it; None for anything else."""
    try:
        parsed = parse_url(written)
    except UrlError:
        return None
    if parsed.scope not in _SCOPES or not _WHOLE.fullmatch(parsed.text):
        return None
    found = tuple(
        Criterion(name, _unescaped(value) + star) for name, value, star in _ITEM.findall(parsed.text)
    )
    return Rule(parsed.base, found, parsed.scope == "sub") if _said(parsed, found) else None


def _said(parsed: MemberUrl, found: tuple[Criterion, ...]) -> bool:
    """Tell whether these criteria mean what the URL does: the text may be odd where brackets don't match."""
    try:
        again = parse_url(url(parsed.base, found, below=parsed.scope == "sub"))
    except UrlError:
        return False
    return again.filter == parsed.filter


def _unescaped(value: str) -> str:
    octets = re.sub(rb"\\([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), value.encode())
    return octets.decode("utf-8", "replace")
