"""One group as a visitor sees it: what he is to it, whom its lists name, and what is wrong with it.

Read from the mirror, so it is there while the directory is down; what is changed is asked of the directory then. Raises
`Gone` for a group that isn't there or that the visitor may not know of, `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from groupmilter.directory.catalogue_details import findings, names
from groupmilter.directory.findings import Kind
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.membership.address_book import Known
from groupmilter.membership.roles import CHANGE, Role
from groupmilter.membership.vocabulary import ADDRESSES_OF
from groupmilter.panel.look import Look, looked, offered
from groupmilter.panel.troubles import Trouble, troubles
from groupmilter.panel.visit import Gone, Visit

LISTS = ("owners", "allowed", "denied", "moderators", "bypass", "send_as", "on_behalf")
"""Lists of people that are read with the group; its members may be 100,000, and are not."""

_FOR_EDITORS = frozenset({"denied", "bypass", "send_as", "on_behalf"})


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody in a list of a group.

    :param key: what takes him out of it: a DN, or the address that stands there.
    :param uuid: of a group that the visitor may look at; else empty. ``gone``: nothing stands at the DN any more.
    :param veiled: a hidden group that the visitor may not know of; nothing else is told of it.
    """

    key: str
    name: str = ""
    address: str = ""
    group: bool = False
    uuid: str = ""
    gone: bool = False
    veiled: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What a visitor sees of a group.

    :param mine: what he is to it. ``lists``: whom each of `LISTS` names, people first, then addresses and domains.
    :param findings: what is wrong with it, told to whoever can mend it: kind, and how often.
    """

    group: Group
    mine: frozenset[Role]
    lists: Mapping[str, tuple[Named, ...]] = field(default_factory=dict)
    findings: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the group's pages are."""
        return f"/groups/{self.group.uuid}"

    @property
    def may_change(self) -> bool:
        """Whether he may change it, save what is the administrators'."""
        return not self.mine.isdisjoint(CHANGE)

    @property
    def administers(self) -> bool:
        """Whether he may change everything of it, and delete it."""
        return Role.ADMINISTRATOR in self.mine

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What is wrong with it, the worst first."""
        return tuple(troubles(self.findings))

    def sees(self, name: str) -> bool:
        """Tell whether a list is shown to him."""
        return self.may_change or name not in _FOR_EDITORS

    @property
    def content(self) -> Mapping[str, object]:
        """What ``screens/group.html`` wants."""
        sees = self.may_change or not self.group.hidden_members
        return {
            "sight": self,
            "group": self.group,
            "may_change": self.may_change,
            "sees": sees,
            "offer": offered(self.group, self.mine),
        }


def sighted(visit: Visit) -> Sight:
    """Return the group that the address names, as the visitor sees it."""
    return looked(visit, lambda look: _sight(visit, look))


def editing(visit: Visit) -> Sight:
    """Return the group of the address for whoever may change it; `Gone` for everybody else."""
    sight = sighted(visit)
    if not sight.may_change:
        raise Gone
    return sight


def knows(visit: Visit, known: Known) -> bool:
    """Tell whether the visitor may learn of an entry: not of a hidden group that is none of his business."""
    if not known.group:
        return True
    with visit.parts.lookups.snapshot() as directory:
        found = directory.by_dn(known.dn)
        # What the mirror doesn't have yet may be hidden.
        if not isinstance(found, Group):
            return False
        return visit.parts.roles(visit.me.person, directory).knows_of(found)


def _sight(visit: Visit, look: Look) -> Sight:
    group = look.group(visit.asked("group"))
    if not group.address:
        raise Gone
    sight = Sight(group, look.roles.to(group))
    lists = {name: tuple(_listed(look, group, name)) for name in LISTS if sight.sees(name)}
    told = findings(look.directory, group.node) if sight.may_change else {}
    return Sight(group, sight.mine, lists, told)


def _listed(look: Look, group: Group, name: str) -> Iterator[Named]:
    nodes = getattr(group, name)
    found = [each for node in nodes if (each := look.directory.group(node) or look.directory.person(node))]
    named = [_named(look, group, each) for each in found]
    yield from sorted(named, key=lambda each: (each.veiled, (each.name or each.address).casefold()))
    lost = nodes - {each.node for each in found}
    for dn in names(look.directory, lost).values() if lost else ():
        yield Named(dn, name=dn, gone=True)
    if name in ADDRESSES_OF:
        for pattern in sorted(map(str, getattr(group, ADDRESSES_OF[name]))):
            yield Named(pattern, address=pattern)


def _named(look: Look, group: Group, found: Group | Person) -> Named:
    if isinstance(found, Person):
        return Named(found.dn, found.name, found.address)
    if not look.roles.knows_of(found) and not look.changes(group):
        return Named("", group=True, veiled=True)
    shown = bool(found.address) and look.lists.may_see(found.node)
    return Named(found.dn, found.name, found.address, group=True, uuid=found.uuid if shown else "")
