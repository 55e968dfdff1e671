"""Who decides about a held item, and who is written to when they can't be reached.

Moderators first (a site rule's own, else the group's), then owners, then the administrators. Every method raises
`DirectoryUnknown` where the snapshot can't tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Protocol

from groupmilter.directory.administration import Administration, covering
from groupmilter.groups.directory import Directory, DirectoryUnknown
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Person
from groupmilter.groups.reach import reachable
from groupmilter.moderation.stationery import before_at


class Lookup(Directory, Protocol):
    """What the desk asks beside what a delivery asks."""

    def by_digest(self, digest: int) -> Group | Person | None:
        """Return the entry that a ticket names; None for none or several."""

    def by_dn(self, dn: str) -> Group | Person | None:
        """Return the entry with a distinguished name."""


class Lookups(Protocol):
    """Where one consistent directory is to be had for a moment."""

    def snapshot(self) -> AbstractContextManager[Lookup]:
        """Open a snapshot; raises `DirectoryUnknown` where there is none."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Who has to do with one group's held mail, nearest first.

    :param moderators, owners, administrators: nodes, each a person or a group whose members are meant.
    """

    moderators: Nodes
    owners: Nodes
    administrators: Nodes = frozenset()

    @property
    def rings(self) -> tuple[Nodes, ...]:
        """Who is asked, and who in his place when nobody there can be reached."""
        return (self.moderators or self.owners, self.owners, self.administrators)

    def deciders(self, directory: Directory) -> frozenset[str]:
        """Return the UUIDs of the persons who may decide and whom mail can reach."""
        return frozenset(one.uuid for ring in self.rings for one in reachable(ring, directory))

    def holds(self, person: Person, directory: Directory) -> bool:
        """Tell whether a person may decide."""
        if person.disabled:
            return False
        nodes = directory.containing(person.node) | {person.node}
        return any(not ring.isdisjoint(nodes) for ring in self.rings)

    def owned_by(self, person: Person, directory: Directory) -> bool:
        """Tell whether a person is an owner of the group."""
        nodes = directory.containing(person.node) | {person.node}
        return not person.disabled and not self.owners.isdisjoint(nodes)


def circle(
    group: Group | None, named: Iterable[str], administrators: Iterable[Administration], directory: Lookup
) -> Circle:
    """Return the circle of a group; of one that is gone or unknown, those who administer everything.

    :param named: addresses of persons or groups that a site rule has moderate instead; none: the group's own.
    :param administrators: all of them; those are meant to whom the group belongs.
    """
    if group is None:
        whole = (one for one in administrators if one.whole)
        return Circle(frozenset(), frozenset(), _holders(whole, directory))
    others = frozenset(found.node for address in named if (found := directory.find(address)) is not None)
    concerned = covering(administrators, group.dn, group.addresses)
    return Circle(others or group.moderators, group.owners, _holders(concerned, directory))


def _holders(administrators: Iterable[Administration], directory: Lookup) -> Nodes:
    found = (directory.by_dn(one.holder) for one in administrators)
    return frozenset(top.node for top in found if top is not None)


def called(address: str, lookups: Lookups) -> str:
    """Return the name of the group with an address, as people see it; else what stands before the @."""
    with suppress(DirectoryUnknown), lookups.snapshot() as directory:
        return title(directory.find(address)) or before_at(address)
    return before_at(address)


def title(found: Group | Person | None) -> str:
    """Return a group's name as people see it, empty where there is none.

    A name with an address in it isn't used: as the name of a sender, filters take it for a forgery.
    """
    return found.name if isinstance(found, Group) and "@" not in found.name else ""
