"""One question put to the rules: may this sender's message go to this group? And the shape of their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from groupmilter.groups.group import Group
from groupmilter.mail.action import InsertHeader
from groupmilter.mail.reply import Reply
from groupmilter.policy.facts import Facts
from groupmilter.policy.settings import HoldThen, Settings


class Answer(Enum):
    """A rule hits, misses, or can't tell before the end of the message."""

    HIT = "hit"
    MISS = "miss"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The group doesn't take the message. ``concerns_all``: nor would anybody else (rules 2a, 2b, 6)."""

    reply: Reply
    concerns_all: bool = False


@dataclass(frozen=True, slots=True)
class Defer:
    """Nobody can tell now; the client shall come again."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Hold:
    """A human shall decide; ``terms`` are a site rule's own."""

    why: str
    terms: HoldThen = HoldThen()


Outcome = Refuse | Defer | Hold


class Ruling(NamedTuple):
    """A rule's answer, the fact or attribute value that decided, and (on a hit) what follows.

    A hit without an outcome is a site rule that accepts or tags. ``left_out``: tags that were not to be added, and why.
    """

    answer: Answer
    because: str
    outcome: Outcome | None = None
    tags: tuple[InsertHeader, ...] = ()
    left_out: tuple[str, ...] = ()


class Step(NamedTuple):
    """One row of a trace: which rule, for which group, and what it answered."""

    group: str
    rule: str
    answer: Answer
    because: str


@dataclass(frozen=True, slots=True)
class Case:
    """The question: this group, these facts, these settings.

    :param approved: an approval (or exemption from it) further up covers this group's own moderation.
    :param within: the group that was written to, where this one is nested inside it.
    """

    group: Group
    facts: Facts
    settings: Settings
    approved: bool = False
    within: Group | None = None

    @property
    def proven(self) -> Case | None:
        """The same question, would a proof hold that may still be had; None where none may."""
        could_be = self.facts.identity.could_be
        return replace(self, facts=replace(self.facts, identity=could_be)) if could_be is not None else None

    @property
    def named(self) -> str:
        """The address that a reply names: what was written to, since a nested group is a member."""
        return (self.within or self.group).address


@lru_cache(maxsize=1024)
def miss(because: str) -> Ruling:
    """Return that a rule doesn't apply, and why."""
    return Ruling(Answer.MISS, because)


@lru_cache(maxsize=64)
def pending(because: str) -> Ruling:
    """Return that a rule needs what only the end of the message brings."""
    return Ruling(Answer.PENDING, because)


def hit(because: str, outcome: Outcome) -> Ruling:
    """Return that a rule applies, why, and what follows."""
    return Ruling(Answer.HIT, because, outcome)
