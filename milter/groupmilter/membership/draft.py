"""A group as a file describes it, before anything is known of the directory: frozen values. Nothing here fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import OTHERS, Spoken
from groupmilter.membership.vocabulary import Remark

COLUMN = marked("column {name}")
NO_ADDRESS = marked("no mail address")
NO_COUNTERPART = marked("no counterpart here")
WORDS = OTHERS
"""The sentence of what has no language: a column, a value, a field."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Something of a file that has no counterpart here, or can't be read.

    :param group: whose; empty for the file as a whole. ``place``: column, and the value as far as it shows.
    """

    group: str
    place: Remark
    reason: Remark

    @property
    def what(self) -> str:
        """What it is, in English for administrators."""
        return str(self.place)

    @property
    def why(self) -> str:
        """Why it isn't carried over, in English for administrators."""
        return str(self.reason)


def unmapped(group: str, what: str, why: str, **values: object) -> Unmapped:
    """Return something that isn't carried over.

    :param what, why: sentences of the catalogue, or `WORDS`. ``values``: of both.
    """
    return Unmapped(group, Remark(what, values), Remark(why, values))


@dataclass(frozen=True, slots=True)
class Draft:
    """One group that is wanted.

    :param address: primary address, as written. ``cn``: the name of its entry; empty: from the address.
    :param singles: field to text; only the fields that the file speaks of. ``lists``: field to values.
    """

    address: str
    cn: str = ""
    singles: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unmapped: tuple[Unmapped, ...] = ()


@dataclass(frozen=True, slots=True)
class Drafts:
    """All groups of a file, and what of it as a whole is not carried over."""

    drafts: tuple[Draft, ...]
    unmapped: tuple[Unmapped, ...] = ()


class BadFile(Spoken):
    """A file can't be read as what it is said to be; the message says why."""
