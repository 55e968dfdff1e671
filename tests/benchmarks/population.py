"""The directory that the benchmarks use, as LDIF: people, ordinary groups, and groups of known sizes.

Deterministic: the same sizes give the same text. Written line by line, 100,000 people and 10,000 groups in
a few seconds. Persons are `personN@example.org`, numbered from 0, and a group of size N holds the first N
of them: the same addresses that the trivial milters add.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DOMAIN = "example.org"
SUFFIX = "dc=example,dc=org"
SEED = 20221122

# slapd's mdb never grows past olcDbMaxSize: an entry with its indexes takes well below 4 KiB, a member value 200.
_ENTRY_ROOM = 8192
_MEMBER_ROOM = 400
_LEAST_ROOM = 1 << 28


@dataclass(frozen=True, slots=True)
class Population:
    """How many people and ordinary groups, and the sizes of the groups to be measured."""

    people: int
    groups: int = 0
    sizes: tuple[int, ...] = ()

    @property
    def room(self) -> int:
        """A database size in octets that holds it all (`olcDbMaxSize`)."""
        members = sum(self.sizes) + self.groups * 40
        return _LEAST_ROOM + (self.people + self.groups) * _ENTRY_ROOM + members * _MEMBER_ROOM


def person_address(number: int) -> str:
    """The address of person `number`, from 0."""
    return f"person{number}@{DOMAIN}"


def group_address(size: int) -> str:
    """The address of the group with so many members."""
    return f"members-{size}@{DOMAIN}"


def group_dn(size: int) -> str:
    """The DN of the group with so many members."""
    return f"cn=members-{size},ou=groups,{SUFFIX}"


def person_dn(number: int) -> str:
    """The DN of person `number`, from 0."""
    return f"uid=person{number},ou=people,{SUFFIX}"


def write(population: Population, path: Path) -> None:
    """Write the LDIF (RFC 2849). ValueError when a group is to have more members than there are people."""
    if max(population.sizes, default=0) > population.people:
        raise ValueError("a group cannot have more members than there are people")
    with path.open("w", encoding="ascii") as file:
        file.writelines(_entries(population))


def _entries(population: Population) -> Iterator[str]:
    yield f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"
    for unit in ("people", "groups"):
        yield f"dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    yield from map(_person, range(population.people))
    for size in population.sizes:
        yield _group(f"members-{size}", [person_dn(number) for number in range(size)])
    yield from _ordinary_groups(population)


def _person(number: int) -> str:
    return (
        f"dn: {person_dn(number)}\nobjectClass: inetOrgPerson\nuid: person{number}\ncn: Person {number}\n"
        f"sn: {number}\nmail: {person_address(number)}\n\n"
    )


def _group(name: str, members: Sequence[str]) -> str:
    # Open to everybody: the load's sender is nobody's, and the whole chain of rules is gone through.
    lines = "".join(f"member: {dn}\n" for dn in members)
    return (
        f"dn: cn={name},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\n"
        f"cn: {name}\nmail: {name}@{DOMAIN}\nowner: {person_dn(0)}\ndgRequireAuthentication: FALSE\n{lines}\n"
    )


def _ordinary_groups(population: Population) -> Iterator[str]:
    """Most are small, a few large, and every tenth holds the group before it."""
    dice = random.Random(SEED)
    for number in range(population.groups):
        size = min(population.people, 2 + int(dice.expovariate(1 / 15)))
        members = [person_dn(one) for one in dice.sample(range(population.people), size)]
        if number % 10 == 9:
            members.append(f"cn=team{number - 1},ou=groups,{SUFFIX}")
        yield _group(f"team{number}", members)
