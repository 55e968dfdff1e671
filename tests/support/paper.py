"""A directory on paper: groups and people as Python values, for tests of the pure rooms."""

from __future__ import annotations

from dataclasses import dataclass, field

from groupmilter.groups.directory import Member, Members
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import digest as digest_of


@dataclass
class Paper:
    """Implements `groups.directory.Directory` over dictionaries."""

    generation: int = 1
    groups: dict[Node, Group] = field(default_factory=dict)
    people: dict[Node, Person] = field(default_factory=dict)
    lists: dict[Node, Members] = field(default_factory=dict)

    def add_group(self, group: Group, *members: Group | Person | str) -> Group:
        self.groups[group.node] = group
        people = [Member(m.address, m.node) for m in members if isinstance(m, Person)]
        people += [Member(m) for m in members if isinstance(m, str)]
        self.lists[group.node] = Members(
            tuple(people), tuple(m.node for m in members if isinstance(m, Group))
        )
        return group

    def add_person(self, number: int, *addresses: str, login: str = "") -> Person:
        logins = (login,) if login else ()
        person = Person(
            Node(number), f"uuid-{number}", f"uid={number}", str(number), addresses[0], addresses, logins
        )
        self.people[person.node] = person
        return person

    def find(self, address: str) -> Group | Person | None:
        for group in self.groups.values():
            if address in group.addresses:
                return group
        return next((p for p in self.people.values() if address in p.addresses), None)

    def person_by_login(self, login: str) -> Person | None:
        return next((p for p in self.people.values() if login in p.logins), None)

    def by_digest(self, digest: int) -> Group | Person | None:
        entries: list[Group | Person] = [*self.groups.values(), *self.people.values()]
        found = [entry for entry in entries if digest_of(entry.uuid) == digest]
        return found[0] if len(found) == 1 else None

    def by_dn(self, dn: str) -> Group | Person | None:
        entries: list[Group | Person] = [*self.groups.values(), *self.people.values()]
        return next((entry for entry in entries if entry.dn == dn), None)

    def group(self, node: Node) -> Group | None:
        return self.groups.get(node)

    def person(self, node: Node) -> Person | None:
        return self.people.get(node)

    def members(self, node: Node) -> Members:
        return self.lists.get(node, Members())

    def containing(self, node: Node) -> Nodes:
        found: set[Node] = set()
        seeds = {node}
        while seeds:
            holders = {
                group
                for group, members in self.lists.items()
                if seeds & ({m.node for m in members.people} | set(members.groups))
            }
            seeds = holders - found
            found |= holders
        return frozenset(found)
