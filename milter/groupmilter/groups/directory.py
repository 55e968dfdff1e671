"""What a decision asks of the directory: one consistent snapshot, whoever holds it.

A lookup has three outcomes. Found and absent are return values; *unknown* (no mirror, too old, unreadable) is the
exception `DirectoryUnknown`, so that code which forgets it ends in the guard and defers, never in "absent".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Node, Person


class DirectoryUnknown(Exception):
    """The directory can't be asked now, so nobody can tell; the only answer is to defer (451 4.4.3)."""


class DirectoryMoved(DirectoryUnknown):
    """The directory changed between two questions to one snapshot; whoever gathers can simply begin again."""


@dataclass(frozen=True, slots=True)
class Member:
    """One receiver: the person's node (None for a bare address of the group) and the strict address."""

    address: str
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """The direct members of one group, dynamic ones (less the excluded) included.

    :param people: persons, contacts and bare addresses that get mail, each once.
    :param groups: member groups, each once.
    :param left_out: what the directory names but can't receive: one sentence each, for findings and the trace.
    """

    people: tuple[Member, ...] = ()
    groups: tuple[Node, ...] = ()
    left_out: tuple[str, ...] = ()


class Directory(Protocol):
    """One snapshot. Every method raises `DirectoryUnknown` where it can't tell."""

    @property
    def generation(self) -> int:
        """The number of the batch of changes that this snapshot ends with."""

    def find(self, address: str) -> Group | Person | None:
        """Return whose canonical address this is; a group before a person where both claim it."""

    def person_by_login(self, login: str) -> Person | None:
        """Return the person who authenticates under this name; None for nobody or more than one."""

    def by_digest(self, digest: int) -> Group | Person | None:
        """Return the entry that a ticket names by 56 bits; None for none or several."""

    def group(self, node: Node) -> Group | None:
        """Return the group at a node, None where none stands there."""

    def person(self, node: Node) -> Person | None:
        """Return the person at a node, None where none stands there."""

    def members(self, node: Node) -> Members:
        """Return the direct members of the group at a node."""

    def containing(self, node: Node) -> Nodes:
        """Return all groups that hold the node as a member at any depth."""
