"""The persons behind a right: whom mail can reach. Raises `DirectoryUnknown` where the snapshot can't tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from groupmilter.groups.directory import Directory
from groupmilter.groups.group import Nodes
from groupmilter.groups.person import Node, Person

_MOST = 200
"""Persons who are written to about one thing; a group of thousands as owner or moderator is nobody's wish."""


def reachable(nodes: Nodes, directory: Directory) -> tuple[Person, ...]:
    """Return the persons behind nodes that mail can reach, each once, members of groups at any depth included."""
    found: dict[Node, Person] = {}
    for person in _persons(nodes, directory):
        if person.address and not person.disabled:
            found.setdefault(person.node, person)
        if len(found) >= _MOST:
            break
    return tuple(found.values())


def _persons(nodes: Nodes, directory: Directory) -> Iterator[Person]:
    queue, seen = deque(sorted(nodes)), set(nodes)
    while queue:
        node = queue.popleft()
        person = directory.person(node)
        if person is not None:
            yield person
            continue
        members = directory.members(node)
        inside = [*(member.node for member in members.people if member.node is not None), *members.groups]
        queue.extend(member for member in inside if member not in seen)
        seen.update(inside)
