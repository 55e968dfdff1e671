"""Conditions of a site's own rules: each answers yes, no or "not yet" (None) for one case.

No expressions and no regular expressions: globs and lists, so that nothing in a policy can loop or blow up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time
from fnmatch import fnmatchcase
from typing import Protocol
from zoneinfo import ZoneInfo

from groupmilter.mail.address import domain_of
from groupmilter.mail.header import keyword
from groupmilter.policy.case import Case
from groupmilter.policy.facts import Strength


class Condition(Protocol):
    """One condition of a rule."""

    def holds(self, case: Case) -> bool | None:
        """Tell whether it holds; None while it can't be told before the end of the message."""


def any_glob(globs: Iterable[str], text: str) -> bool:
    """Tell whether one of the globs (``*``, ``?``; brackets are brackets) matches, without regard to case."""
    folded = text.casefold()
    return any(fnmatchcase(folded, glob.casefold().replace("[", "[[]")) for glob in globs)


@dataclass(frozen=True, slots=True)
class SenderIs:
    """The sender is one of: internal, external, member, owner, moderator."""

    classes: frozenset[str]

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        if any(_is(name, case) for name in self.classes - {"external"}):
            return True
        if case.facts.identity.may_become is not None:
            return None
        return "external" in self.classes and not case.facts.identity.authenticated


def _is(name: str, case: Case) -> bool:
    identity, group = case.facts.identity, case.group
    if name == "internal":
        return identity.authenticated
    named = {"member": frozenset({group.node}), "owner": group.owners, "moderator": group.deciders}[name]
    return not identity.nodes.isdisjoint(named)


@dataclass(frozen=True, slots=True)
class StrengthIs:
    """The sender's identity is proven by one of these."""

    strengths: frozenset[Strength]

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        identity = case.facts.identity
        if identity.may_become is not None:
            return None
        return identity.strength in self.strengths


@dataclass(frozen=True, slots=True)
class SenderDomain:
    """The domain of a proven address, else of the envelope sender or of an author, matches a glob."""

    globs: tuple[str, ...]

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        identity = case.facts.identity
        if any(any_glob(self.globs, domain_of(a)) for a in identity.addresses or identity.claims):
            return True
        return False if case.facts.ended or identity.addresses else None


@dataclass(frozen=True, slots=True)
class SizeOver:
    """The message has more octets than this, counted or declared."""

    octets: int

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        size = case.facts.size if case.facts.size is not None else case.facts.declared_size
        if size is not None and size > self.octets:
            return True
        return False if case.facts.ended else None


@dataclass(frozen=True, slots=True)
class RecipientsOver:
    """The transaction has more recipients than this."""

    count: int

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        if len(case.facts.recipients) > self.count:
            return True
        return False if case.facts.ended else None


@dataclass(frozen=True, slots=True)
class HeaderMatches:
    """A header field of this (lower-case) name has a value that matches a glob, such as a spam filter's verdict."""

    name: str
    globs: tuple[str, ...]

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        content = case.facts.content
        if content is None:
            return None
        return any(any_glob(self.globs, value.strip()) for value in content.values(self.name))


@dataclass(frozen=True, slots=True)
class AutoSubmitted:
    """The message says (or doesn't say) that no human sent it, RFC 3834."""

    expected: bool

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        content = case.facts.content
        if content is None:
            return None
        values = map(keyword, content.values("auto-submitted"))
        return any(value not in {"", "no"} for value in values) is self.expected


@dataclass(frozen=True, slots=True)
class BlindCopy:
    """The group was written to, and stands (or doesn't) in neither To nor Cc; neither, if reached through another."""

    expected: bool

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        content = case.facts.content
        if all(r.group is None or r.group.node != case.group.node for r in case.facts.recipients):
            return False
        if content is None:
            return None
        return content.addressed.isdisjoint(case.group.addresses) is self.expected


@dataclass(frozen=True, slots=True)
class Calendar:
    """Now lies in a window: these days (Monday is 0), from ``start`` to before ``end``, in ``zone``.

    A window whose end is not after its start runs over midnight and belongs to the day it starts on.
    """

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def holds(self, case: Case) -> bool | None:
        """See `Condition`."""
        if case.facts.local_time is None:
            return None
        now = case.facts.local_time.astimezone(self.zone)
        clock, day = now.time(), now.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= clock < self.end
        return (day in self.days and clock >= self.start) or ((day - 1) % 7 in self.days and clock < self.end)
