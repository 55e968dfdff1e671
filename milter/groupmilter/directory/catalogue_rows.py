"""What lists of groups and people are asked for, and the rows that come back: frozen values. Nothing here fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from groupmilter.directory.findings import Kind
from groupmilter.groups.group import Nodes
from groupmilter.groups.person import Node

MOST_ROWS = 500
"""Rows that one page has at most."""

_MOST_SKIPPED = 10_000_000


class Scope(StrEnum):
    """Which groups, as seen by whoever looks.

    ``MINE``: in them at any depth. ``OWNED``, ``MODERATED`` (whoever decides there): directly or by a group.
    ``JOINABLE``: open or on approval, and not in them yet.
    """

    ALL = "all"
    MINE = "mine"
    OWNED = "owned"
    MODERATED = "moderated"
    JOINABLE = "joinable"


class Flag(StrEnum):
    """What is remarkable about a group.

    ``OPEN``: some who aren't authenticated may write. ``DYNAMIC``: it has member URLs.
    """

    OPEN = "open"
    MODERATED = "moderated"
    OWNERLESS = "ownerless"
    DISABLED = "disabled"
    HIDDEN = "hidden"
    DYNAMIC = "dynamic"


class Sort(StrEnum):
    """What groups are in order of; the name decides between equals."""

    NAME = "name"
    ADDRESS = "address"
    MEMBERS = "members"


class MemberKind(StrEnum):
    """What a direct member is.

    ``OUTSIDER``: an address that nobody of the directory has. ``DYNAMIC``: found by a member URL alone.
    ``LEFT_OUT``: it gets no mail (`Reason`).
    """

    PERSON = "person"
    GROUP = "group"
    OUTSIDER = "outsider"
    DYNAMIC = "dynamic"
    LEFT_OUT = "left-out"


class Reason(StrEnum):
    """Why a member is left out."""

    NOWHERE = "nowhere"
    LOCKED = "locked"
    NO_ADDRESS = "no-address"


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list: from ``offset`` (from 0), at most ``limit`` rows, and never more than `MOST_ROWS`."""

    offset: int = 0
    limit: int = 50

    @property
    def bounded(self) -> Mapping[str, int]:
        """As a statement takes them."""
        return {
            "offset": min(max(self.offset, 0), _MOST_SKIPPED),
            "limit": min(max(self.limit, 0), MOST_ROWS),
        }


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at lists. Hidden groups show to who is in them, owns or moderates them, and to administrators.

    :param person: their node; None is nobody of the directory.
    :param administrator: of everything. ``domains``, ``bases``: of the groups with addresses in these canonical
        domains, or that stand at or below these normalised DNs.
    """

    person: Node | None = None
    administrator: bool = False
    domains: frozenset[str] = frozenset()
    bases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """Which groups.

    :param text: words, each in name, address, alias or description; without case and accents.
    :param domains: canonical ones of the primary address; empty: any. ``flags``: all of these.
    """

    text: str = ""
    scope: Scope = Scope.ALL
    domains: frozenset[str] = frozenset()
    flags: frozenset[Flag] = frozenset()
    sort: Sort = Sort.NAME
    descending: bool = False


@dataclass(frozen=True, slots=True)
class MemberQuery:
    """Which direct members of a group; ``text`` as for groups, log-ins too, and ``kind`` None for any."""

    text: str = ""
    kind: MemberKind | None = None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group in a list.

    :param members: how many its lists name directly, dynamic ones included, whether they get mail or not.
    """

    node: Node
    uuid: str
    name: str
    address: str
    flags: frozenset[Flag]
    members: int


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One direct member of a group.

    :param node: of the entry, None for an address alone. ``group``: whether it is one, whatever its kind.
    :param written: what takes it out of the list again: a DN, or the address where that is what stands there.
    :param named: whether the group's own list names it, so that it can be taken out.
    """

    kind: MemberKind
    node: Node | None
    group: bool
    name: str
    address: str
    written: str
    named: bool
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One person or group that can be picked.

    :param address: may be empty; ``dn`` always leads to the entry.
    """

    node: Node
    group: bool
    name: str
    address: str
    dn: str


@dataclass(frozen=True, slots=True)
class Involvement:
    """What somebody is in.

    :param member: groups that hold him at any depth. ``direct``: of these, the ones whose own members he is among.
    :param owned: he owns, himself or by a group. ``moderated``: moderated groups where he decides.
    """

    member: Nodes = frozenset()
    direct: Nodes = frozenset()
    owned: Nodes = frozenset()
    moderated: Nodes = frozenset()


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is.

    :param groups: with mail. ``unaddressed``: groups without, only named in rights and memberships.
    :param findings: by kind, as `Findings.read` tells them.
    :param synced_at: wall clock, seconds, at which mirror and directory were last equal.
    """

    groups: int
    unaddressed: int
    people: int
    findings: Mapping[Kind, int]
    generation: int
    synced_at: float


RowType = TypeVar("RowType")


@dataclass(frozen=True, slots=True)
class Page(Generic[RowType]):
    """Part of a list.

    :param total: rows of the whole list. ``window``: as it was asked for.
    """

    rows: tuple[RowType, ...] = ()
    total: int = 0
    window: Window = field(default_factory=Window)

    @property
    def more(self) -> bool:
        """Whether rows follow."""
        return self.window.bounded["offset"] + len(self.rows) < self.total and bool(self.rows)
