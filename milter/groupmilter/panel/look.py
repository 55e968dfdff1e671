"""One look at the directory for a page: lists, roles, and the group that the address names, all of one generation.

`DirectoryUnknown` passes through; what somebody may not know of is `Gone`, the same as what isn't there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from groupmilter.directory.catalogue import Catalogue, Viewer
from groupmilter.directory.dn import normalise
from groupmilter.directory.snapshot import Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.ticket import digest
from groupmilter.membership.roles import Roles
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
        if not self.knows(found):
            raise Gone
        return found

    def knows(self, group: Group) -> bool:
        """Tell whether the visitor may know that there is a group."""
        # Who administers a domain below a name only has no lists of hidden groups there, but has the groups.
        return self.lists.may_see(group.node) or bool(self.roles.to(group))

    def changes(self, group: Group) -> bool:
        """Tell whether he may change the group, as far as the mirror knows."""
        return self.roles.may_change(group)

    def sees_members(self, group: Group) -> bool:
        """Tell whether he may see who is in the group."""
        return not group.hidden_members or self.roles.may_change(group)


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
        return gather(Look(directory, Catalogue(directory, _viewer(visit, roles)), roles))


def _viewer(visit: Visit, roles: Roles) -> Viewer:
    parts = [one for one in roles.administrations if not one.whole]
    return Viewer(
        visit.me.person.node,
        roles.administers_everything,
        frozenset(domain for one in parts if not one.base for domain in one.domains),
        frozenset(base for one in parts if not one.domains and (base := normalise(one.base))),
    )
