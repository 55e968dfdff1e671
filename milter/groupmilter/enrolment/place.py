"""What the directory says of a wish: the group, whose address it is, how he stands to it, who decides.

Every function raises `DirectoryUnknown` where the mirror can't tell.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from groupmilter.directory.change import WriteRefused
from groupmilter.enrolment.verdict import Answer, Applicant, Verdict, answered
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node, Person
from groupmilter.groups.reach import reachable
from groupmilter.groups.standing import Standing
from groupmilter.groups.ticket import digest
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import canonical
from groupmilter.moderation.circle import Circle, Lookup, title
from groupmilter.moderation.entitlement import ON_THE_SERVER
from groupmilter.moderation.item import Who
from groupmilter.moderation.request import Request, Wanted

NO_LONGER = marked("whoever accepted it no longer decides about it")
NOT_BY_ITSELF = marked("the group no longer lets people in and out by themselves")
"""Why what was accepted is not written after all."""

Around = Callable[[Group, Lookup], Circle]
"""Who has to do with a group: `moderation.circle.circle`, with the site's administrators filled in."""


class Register(Lookup, Protocol):
    """What is asked here beside what the desk asks."""

    def standing(self, group: Node, person: Node | None, addresses: Collection[str]) -> Standing:
        """Return why somebody is a member of a group."""


class People(Lookup, Protocol):
    """What finds people by all their names."""

    def person_by_login(self, login: str) -> Person | None:
        """Return the person with a log-in name."""


class Registers(Protocol):
    """Where one consistent directory is to be had for a moment."""

    def snapshot(self) -> AbstractContextManager[Register]:
        """Open a snapshot; raises `DirectoryUnknown` where there is none."""


@dataclass(frozen=True, slots=True)
class Place:
    """One look at the directory for one wish.

    :param group: None for an address of no group.
    """

    group: Group | None
    answer: Answer


def place(registers: Registers, address: str, applicant: Applicant, wanted: Wanted, around: Around) -> Place:
    """Return what becomes of a wish, as the mirror has it now.

    :param address: of the group, canonical.
    """
    with registers.snapshot() as directory:
        return _place(directory.find(address), applicant, wanted, around, directory)


def _place(
    found: Group | Person | None,
    applicant: Applicant,
    wanted: Wanted,
    around: Around,
    directory: Register,
) -> Place:
    if not isinstance(found, Group) or not found.address:
        return Place(None, Answer(Verdict.UNKNOWN))
    person = applicant.person
    standing = directory.standing(found.node, person.node if person else None, applicant.addresses)
    decides = person is not None and deciders(found, around, directory).holds(person, directory)
    return Place(found, answered(found, applicant, wanted, standing, decides=decides))


def applicant_of(address: str, directory: Lookup, *, proven: bool) -> Applicant:
    """Return who has a canonical address."""
    found = directory.find(address)
    if isinstance(found, Group):
        return Applicant(address, None, proven, group=True)
    return Applicant(found.address or address, found, proven) if found else Applicant(address, None, proven)


def deciders(group: Group, around: Around, directory: Lookup) -> Circle:
    """Return who decides about requests: owners first, then administrators; moderators decide about mail alone."""
    return replace(around(group, directory), moderators=frozenset())


def asked(group: Group, around: Around, directory: Lookup, lost: Collection[str] = ()) -> tuple[Person, ...]:
    """Return who is written to about a request: owners, and administrators where no owner can be reached.

    :param lost: UUIDs of persons whom letters don't reach. They are written to, and count for nobody.
    """
    found: dict[str, Person] = {}
    for ring in deciders(group, around, directory).rings:
        found |= {person.uuid: person for person in reachable(ring, directory)}
        if not found.keys() <= set(lost):
            break
    return tuple(found.values())


def group_of(request: Request, directory: Lookup) -> Group | None:
    """Return the group of a request, None where it is gone."""
    found = directory.by_digest(digest(request.group_uuid))
    return found if isinstance(found, Group) and found.uuid == request.group_uuid else None


def title_of(request: Request, registers: Registers) -> str:
    """Return what people call the group of a request, empty where it has no name or the mirror can't tell."""
    with suppress(DirectoryUnknown), registers.snapshot() as directory:
        return title(group_of(request, directory))
    return ""


def person_of(request: Request, directory: Lookup) -> Person | None:
    """Return who asks, None for an outsider and for somebody who is gone."""
    found = directory.by_digest(digest(request.person_uuid)) if request.person_uuid else None
    return found if isinstance(found, Person) and found.uuid == request.person_uuid else None


def decider_of(request: Request, who: Who, own_domains: frozenset[str], directory: People) -> Person | None:
    """Return whose right it is that a request is decided or written; None where it is an outsider's, or the service's.

    :param who: who decides, by UUID, else by name as the ledger has it. :raises WriteRefused: for somebody gone.
    """
    if who.way in ON_THE_SERVER:
        return None
    if who.uuid:
        found = directory.by_digest(digest(who.uuid))
    else:
        address = canonical(who.name, own_domains)
        found = directory.find(address) if address else directory.person_by_login(who.name)
    person = found if isinstance(found, Person) and who.uuid in ("", found.uuid) else None
    if person is None and (request.person_uuid or who.name != request.address):
        raise WriteRefused(NO_LONGER)
    return person
