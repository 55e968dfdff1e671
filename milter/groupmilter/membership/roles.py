"""What a person is to groups as the mirror has them: which pages, buttons and lists he is shown.

Nothing is written on the strength of it: `authority` asks the directory then. Raises `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from groupmilter.directory.administration import Administration, covering
from groupmilter.directory.catalogue import Viewer
from groupmilter.directory.dn import normalise
from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Person
from groupmilter.membership.founding import Founding


class Role(StrEnum):
    """One thing that a person can be to a group; he may be several."""

    ADMINISTRATOR = "administrator"
    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


class Lookup(Directory, Protocol):
    """A snapshot that finds entries by their names too."""

    def by_dn(self, dn: str) -> Group | Person | None:
        """Return the entry with a distinguished name."""


CHANGE = frozenset({Role.ADMINISTRATOR, Role.OWNER})
"""Whoever is one of these may change the group."""


@dataclass(frozen=True, slots=True)
class Roles:
    """A person's roles, in one generation of the mirror.

    :param nodes: the person's own, and those of all groups that hold him at any depth.
    :param administrations: what he administers. ``may_create``: whether he makes groups.
    """

    nodes: Nodes
    administrations: tuple[Administration, ...] = ()
    may_create: bool = False

    @classmethod
    def of(
        cls, person: Person, directory: Lookup, administrations: Iterable[Administration], founding: Founding
    ) -> Self:
        """Return the roles of a person; a locked account has none."""
        if person.disabled:
            return cls(frozenset())
        nodes = directory.containing(person.node) | {person.node}

        def reaches(names: Iterable[str]) -> bool:
            found = (directory.by_dn(name) for name in names)
            return any(each is not None and each.node in nodes for each in found)

        held = tuple(one for one in administrations if reaches((one.holder,)))
        return cls(nodes, held, bool(held) or founding.open_to(reaches))

    @property
    def administers(self) -> bool:
        """Whether he administers anything."""
        return bool(self.administrations)

    @property
    def administers_everything(self) -> bool:
        """Whether he administers everything."""
        return any(one.whole for one in self.administrations)

    def holding(self, group: Group) -> tuple[Administration, ...]:
        """Return by what he administers a group."""
        return covering(self.administrations, group.dn, group.addresses)

    def to(self, group: Group) -> frozenset[Role]:
        """Return what he is to a group: none of it, for everybody else."""
        found = {
            Role.ADMINISTRATOR: bool(self.holding(group)),
            Role.OWNER: not self.nodes.isdisjoint(group.owners),
            Role.MODERATOR: not self.nodes.isdisjoint(group.deciders),
            Role.MEMBER: group.node in self.nodes,
        }
        return frozenset(role for role, holds in found.items() if holds)

    def knows_of(self, group: Group) -> bool:
        """Tell whether he may know that there is a group."""
        return not group.hidden or bool(self.to(group))

    def viewer(self, person: Person) -> Viewer:
        """Return him, whose roles these are, as lists take him."""
        parts = [one for one in self.administrations if not one.whole]
        return Viewer(
            person.node,
            self.administers_everything,
            frozenset(domain for one in parts if not one.base for domain in one.domains),
            frozenset(base for one in parts if not one.domains and (base := normalise(one.base))),
        )

    def may_change(self, group: Group) -> bool:
        """Tell whether he may change the group at all."""
        return not self.to(group).isdisjoint(CHANGE)
