"""The catalogue: groups, members and people as pages of lists, for panel and API, out of one snapshot of the mirror.

Everything is bounded: a page has a limited number of rows, a search a limited number of words, and each statement is
asked only while the snapshot's patience lasts. Whatever can't be read is `DirectoryUnknown`. Whether somebody may see a
group's members at all (`Group.hidden_members`) is for the caller to ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from groupmilter.directory import catalogue_groups, catalogue_members, catalogue_people
from groupmilter.directory.catalogue_counts import counts
from groupmilter.directory.catalogue_rows import (
    Choice,
    Counts,
    Flag,
    GroupQuery,
    GroupRow,
    Involvement,
    MemberKind,
    MemberQuery,
    MemberRow,
    Page,
    Reason,
    Scope,
    Sort,
    Viewer,
    Window,
)
from groupmilter.directory.folding import folded
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.person import Node

__all__ = [
    "Catalogue",
    "Choice",
    "Counts",
    "Flag",
    "GroupQuery",
    "GroupRow",
    "Involvement",
    "MemberKind",
    "MemberQuery",
    "MemberRow",
    "Page",
    "Reason",
    "Scope",
    "Sort",
    "Viewer",
    "Window",
]

_FIRST = Window()
_SOME = Window(limit=20)


class Catalogue:
    """The lists of one snapshot; good as long as that is.

    :param viewer: who looks, and so which hidden groups show.
    """

    __slots__ = ("_snapshot", "_viewer")

    def __init__(self, snapshot: Snapshot, viewer: Viewer) -> None:
        self._snapshot = snapshot
        self._viewer = viewer

    def groups(self, query: GroupQuery, window: Window = _FIRST) -> Page[GroupRow]:
        """Return a page of the groups with mail that the viewer may see."""
        return catalogue_groups.groups(self._snapshot, self._viewer, query, window)

    def group_rows(self, nodes: Iterable[Node]) -> tuple[GroupRow, ...]:
        """Return the rows of some groups, hidden ones too, in the order given; what is no group is left out."""
        return tuple(catalogue_groups.group_rows(self._snapshot, nodes))

    def may_see(self, group: Node) -> bool:
        """Tell whether a group, with or without mail, is there and the viewer may know of it."""
        return catalogue_groups.may_see(self._snapshot, self._viewer, group)

    def members(
        self, group: Node, query: MemberQuery, window: Window = _FIRST, total: int | None = None
    ) -> Page[MemberRow]:
        """Return a page of a group's direct members, by name.

        :param total: how many fit the query, where that is known already (`member_counts`).
        """
        return catalogue_members.members(self._snapshot, group, query, window, total)

    def member_counts(self, group: Node) -> Mapping[MemberKind, int]:
        """Return how many direct members of each kind a group has; only the kinds there are."""
        return catalogue_members.counts(self._snapshot, group)

    def all_members(self, group: Node) -> tuple[MemberRow, ...]:
        """Return all direct members of a group, however many, by name."""
        return catalogue_members.every(self._snapshot, group)

    def rules(self, group: Node) -> tuple[tuple[str, ...], tuple[Choice, ...]]:
        """Return the member URLs of a group, and who is excluded from what they find, by name."""
        urls, excluded = catalogue_members.rules(self._snapshot, group)
        return urls, self.named(excluded)

    def choices(
        self, text: str, window: Window = _SOME, *, people: bool = True, groups: bool = True
    ) -> Page[Choice]:
        """Return who can be picked, by words in name, address or log-in, the likeliest first.

        :param people: persons that aren't locked. ``groups``: those that the viewer may see, also without mail.
        """
        kinds = [kind for kind, wanted in ((0, people), (1, groups)) if wanted]
        return catalogue_people.choices(self._snapshot, self._viewer, text, kinds, window)

    def named(self, nodes: Iterable[Node]) -> tuple[Choice, ...]:
        """Return what some persons and groups are called, such as a group's owners, by name."""
        found = catalogue_people.named(self._snapshot, nodes)
        return tuple(sorted(found, key=lambda each: (folded(each.name or each.address), each.node)))

    def involvement(self) -> Involvement:
        """Return what the viewer is in, hidden groups and those without mail too; nothing for nobody."""
        return catalogue_people.involvement(self._snapshot, self._viewer)

    def owned(self) -> frozenset[str]:
        """Return the UUIDs of the groups that the viewer owns, hidden ones and those without mail too."""
        return catalogue_people.owned(self._snapshot, self._viewer)

    def counts(self) -> Counts:
        """Return how much there is in the mirror, for whoever looks after it."""
        return counts(self._snapshot)

    def domains(self) -> tuple[str, ...]:
        """Return the domains of the groups' addresses that the viewer may see, in order."""
        return catalogue_groups.domains(self._snapshot, self._viewer)
