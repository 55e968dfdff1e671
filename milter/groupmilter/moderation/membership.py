"""Who is a member of a group at any depth, and whose owners hear of his failures. Raises `DirectoryUnknown`.

A member whom only a group inside with hidden members reaches is that group's affair: owners of what contains it don't
learn who he is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.moderation.circle import Lookup


@dataclass(frozen=True, slots=True)
class Told:
    """A member: the address that gets his mail, and the group whose owners are told of it."""

    address: str
    group: Group


@dataclass(slots=True)
class Membership:
    """The members of the group that was asked for last: reports come in heaps, about one message."""

    _known: tuple[Node, int] = (Node(0), -1)
    _members: Mapping[str, Told] = field(default_factory=dict)

    def of(self, group: Group, directory: Lookup) -> Mapping[str, Told]:
        """Return the members by lower-case address."""
        wanted = (group.node, directory.generation)
        if wanted != self._known:
            self._members = walked(group, directory)
            self._known = wanted
        return self._members


def walked(root: Group, directory: Lookup) -> dict[str, Told]:
    """Return everybody in a group, groups without hidden members first."""
    found: dict[str, Told] = {}
    queue: deque[tuple[Group, Group]] = deque([(root, root)])
    seen = {root.node}
    while queue:
        group, told = queue.popleft()
        direct = directory.members(group.node)
        for member in direct.people:
            found.setdefault(member.address.lower(), Told(member.address, told))
        for node in direct.groups:
            inner = None if node in seen else directory.group(node)
            if inner is None:
                continue
            seen.add(node)
            if inner.hidden_members:
                queue.append((inner, inner))
            else:
                queue.appendleft((inner, told))
    return found
