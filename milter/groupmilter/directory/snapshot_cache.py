"""What a process has read of one generation of the mirror, bounded. Never fails; a full table begins anew.

Shared by threads without a lock: each entry is one dictionary operation, and two threads that read the same thing
write the same value.
"""

from __future__ import annotations

from groupmilter.groups.directory import Members
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Node, Person

Key = tuple[tuple[int, int], int]

_MOST_ADDRESSES = 20_000
_MOST_ENTRIES = 10_000
_MOST_CONTAINING = 10_000
_MOST_MEMBERS = 100_000


class Cache:
    """Results by their question.

    :param key: file and generation that all of it was read from.
    """

    def __init__(self, key: Key) -> None:
        self.key = key
        self.addresses: dict[str, int] = {}
        self.logins: dict[str, int] = {}
        self.entries: dict[int, Group | Person | None] = {}
        self.containing: dict[int, Nodes] = {}
        self.members: dict[int, Members] = {}
        self._held = 0

    def keep_address(self, address: str, node: int) -> None:
        """Keep whose address it is, 0 for nobody's."""
        if len(self.addresses) >= _MOST_ADDRESSES:
            self.addresses.clear()
        self.addresses[address] = node

    def keep_login(self, login: str, node: int) -> None:
        """Keep whose login it is, 0 for nobody's."""
        if len(self.logins) >= _MOST_ADDRESSES:
            self.logins.clear()
        self.logins[login] = node

    def keep_entry(self, node: int, entry: Group | Person | None) -> None:
        """Keep what stands at a node."""
        if len(self.entries) >= _MOST_ENTRIES:
            self.entries.clear()
        self.entries[node] = entry

    def keep_containing(self, node: Node, groups: Nodes) -> None:
        """Keep the groups above a node."""
        if len(self.containing) >= _MOST_CONTAINING:
            self.containing.clear()
        self.containing[node] = groups

    def keep_members(self, node: Node, members: Members) -> None:
        """Keep a group's members; past 100,000 members in all, only the latest group's."""
        size = 1 + len(members.people) + len(members.groups) + len(members.left_out)
        if size > _MOST_MEMBERS:
            return
        if self._held + size > _MOST_MEMBERS:
            self.members.clear()
            self._held = 0
        self.members[node] = members
        self._held += size
