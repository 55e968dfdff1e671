"""One look at the directory for a page: lists, roles, and the group that the address names, all of one generation.

`DirectoryUnknown` passes through; what somebody may not know of is `Gone`, the same as what isn't there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from groupmilter.directory.catalogue import Catalogue
from groupmilter.directory.snapshot import Snapshot
from groupmilter.groups.group import Group, JoinPolicy
from groupmilter.groups.ticket import digest
from groupmilter.membership.roles import CHANGE, Role, Roles
from groupmilter.moderation.request import Wanted
from groupmilter.panel.visit import Gone, Visit

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Look:
    """What one generation of the mirror says to one visitor.

    :param lists: as he may see them. ``roles``: what he is to groups.
    """

    directory: Snapshot
    lists: Catalogue
    roles: Roles

    def group(self, uuid: str) -> Group:
        """Return the group that a path names; `Gone` where there is none that the visitor may know of."""
        found = self.directory.by_digest(digest(uuid))
        if not isinstance(found, Group) or found.uuid != uuid:
            raise Gone
        if not self.roles.knows_of(found):
            raise Gone
        return found

    def changes(self, group: Group) -> bool:
        """Tell whether he may change the group, as far as the mirror knows."""
        return self.roles.may_change(group)

    def sees_members(self, group: Group) -> bool:
        """Tell whether he may see who is in the group."""
        return not group.hidden_members or self.roles.may_change(group)


def offered(group: Group, mine: frozenset[Role]) -> Wanted | None:
    """Return what a group's pages offer to somebody who only looks: to join, to leave, or None for neither.

    :param mine: what he is to the group. What becomes of it is `enrolment`'s to say, once he asks.
    """
    wanted, policy = Wanted.JOIN, group.join_policy
    if Role.MEMBER in mine:
        wanted, policy = Wanted.LEAVE, group.leave_policy
    return None if policy is JoinPolicy.CLOSED or not mine.isdisjoint(CHANGE) else wanted


@dataclass(frozen=True, slots=True)
class Pager:
    """Where in a list of several pages one is; pages count from 1."""

    page: int
    pages: int
    total: int

    @classmethod
    def at(cls, page: int, total: int, rows: int) -> Pager:
        """Return the pager of a list of so many rows."""
        return cls(page, max(1, -(-total // rows)), total)


def looked(visit: Visit, gather: Callable[[Look], Found]) -> Found:
    """Return what is gathered from one look at the directory on behalf of the visitor."""
    with visit.parts.lookups.snapshot() as directory:
        roles = visit.parts.roles(visit.me.person, directory)
        return gather(Look(directory, Catalogue(directory, roles.viewer(visit.me.person)), roles))
