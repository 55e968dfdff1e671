"""Undoing changes of the journal: what takes one back, value by value, and what of it has changed since. Pure.

Of a list, what came goes and what went comes again; whatever else has come or gone since stays. A single value goes
back to what it was, and only where it still is what the change made it: what somebody did later is never overwritten.
`NotUndone` where a row holds nothing that could be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.directory.change import FieldContent
from groupmilter.directory.profile import Profile
from groupmilter.directory.profile_fields import GROUP, Scalar
from groupmilter.directory.spelling import SEVERAL, key_of
from groupmilter.membership.vocabulary import Several, Single, Wish, written

Look = Callable[[str, str], object]
"""Returns what a field of the group (first), in a language (second), is now."""


class NotUndone(Exception):
    """A row of the journal doesn't hold what could be taken back."""


class Still(StrEnum):
    """How one value stands to the change that is to be undone."""

    SO = "so"
    BACK = "back"
    OTHERWISE = "otherwise"


@dataclass(frozen=True, slots=True)
class Piece:
    """One field of a change, and what taking it back would do.

    :param field: canonical, with its language. ``was``, ``became``: as the journal has it.
    :param comes, goes: values that would come into a list and leave it. ``kept``: values of the change
        that somebody has moved since, which stay as they are.
    :param now: of a single value. ``still``: whether it is what the change made it, what it was before, or another.
    """

    field: str
    was: FieldContent
    became: FieldContent
    comes: tuple[str, ...] = ()
    goes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    now: Scalar = None
    still: Still = Still.SO

    @property
    def listed(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.was, tuple)


def fields_of(before: str, after: str) -> tuple[tuple[str, FieldContent, FieldContent], ...]:
    """Return the fields that a row of the journal is about, with what was and what became of them.

    :param before, after: JSON objects (`journal.journal_texts`). Empty where the row holds none.
    """
    was, became = _object(before), _object(after)
    return tuple(
        (name, _content(was.get(name)), _content(became.get(name))) for name in dict.fromkeys((*was, *became))
    )


def pieces(profile: Profile, look: Look, before: str, after: str) -> tuple[Piece, ...]:
    """Return what taking a change back would do to a group as it is now."""
    found = fields_of(before, after)
    if not found or any(field.partition(".")[0] not in GROUP for field, _, _ in found):
        raise NotUndone("the journal doesn't hold what was before")
    return tuple(_piece(profile, look, *each) for each in found)


def _piece(profile: Profile, look: Look, field: str, was: FieldContent, became: FieldContent) -> Piece:
    name, _, language = field.partition(".")
    now = look(name, language)
    if GROUP[name].form in SEVERAL and name != "address":
        return _list(profile, field, _values(was), _values(became), now if isinstance(now, tuple) else ())
    alone = now if isinstance(now, bool | int | str) else None
    still = _standing(profile.mapped(name).absent, was, became, alone)
    return Piece(field, _scalar(was), _scalar(became), now=alone, still=still)


def _standing(absent: Scalar, was: FieldContent, became: FieldContent, now: Scalar) -> Still:
    for then, still in ((became, Still.SO), (was, Still.BACK)):
        if now == then or (then is None and now in (absent, "")):
            return still
    return Still.OTHERWISE


def _list(
    profile: Profile, field: str, was: Sequence[str], became: Sequence[str], now: Sequence[str]
) -> Piece:
    mapped = profile.mapped(field)
    there = {key_of(mapped, value) for value in now}
    comes = tuple(value for value in was if key_of(mapped, value) not in there)
    goes = tuple(value for value in became if key_of(mapped, value) in there)
    kept = tuple(value for value in (*was, *became) if value not in {*comes, *goes})
    return Piece(field, tuple(was), tuple(became), comes, goes, kept)


def wishes(found: Sequence[Piece]) -> tuple[Wish, ...]:
    """Return what takes a change back, where nobody has changed the same since."""
    return tuple(_wishes(found))


def _wishes(found: Sequence[Piece]) -> Iterator[Wish]:
    for piece in found:
        if piece.comes or piece.goes:
            yield Several(piece.field, piece.comes, piece.goes)
        elif not piece.listed and piece.still is Still.SO:
            yield Single(piece.field, "" if isinstance(piece.was, tuple) else written(piece.was))


def _object(text: str) -> Mapping[str, object]:
    try:
        read = json.loads(text) if text else {}
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _content(value: object) -> FieldContent:
    if isinstance(value, list):
        return tuple(str(each) for each in value)
    return value if isinstance(value, bool | int | str) else None


def _values(content: FieldContent) -> tuple[str, ...]:
    return content if isinstance(content, tuple) else ()


def _scalar(content: FieldContent) -> Scalar:
    return None if isinstance(content, tuple) else content
