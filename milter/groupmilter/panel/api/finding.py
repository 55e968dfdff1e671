"""Which group a path means, and what the caller is to it: one he may not know of is one that isn't there.

The mirror is asked first; a group that was made a moment ago is looked for in the directory itself. Raises `Refusal`
(404), `DirectoryUnknown`.
"""

from __future__ import annotations

from dataclasses import dataclass

from groupmilter.directory.entry import Entry
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.groups.ticket import digest
from groupmilter.mail.address import canonical
from groupmilter.membership.address_book import Known
from groupmilter.membership.authority import Forbidden, Reason
from groupmilter.membership.roles import Role
from groupmilter.membership.service import Groups, Stored
from groupmilter.moderation.circle import Lookup
from groupmilter.panel.api.call import Call
from groupmilter.panel.api.problem import Code, Refusal

OWN = frozenset({Role.ADMINISTRATOR, Role.OWNER})


@dataclass(frozen=True, slots=True)
class Found:
    """A group that the caller may know of, as the mirror has it, and his roles."""

    group: Group
    roles: frozenset[Role]

    @property
    def own(self) -> bool:
        """Whether all its settings are his business."""
        return not self.roles.isdisjoint(OWN)


def group_in(call: Call, directory: Lookup, written: str) -> Found:
    """Return the group that a path names by UUID or by an address."""
    if "@" in written:
        address = canonical(written, call.parts.settings.own_domains)
        entry = directory.find(address) if address else None
    else:
        entry = directory.by_digest(digest(written))
    roles = call.roles(directory)
    if not isinstance(entry, Group) or not roles.knows_of(entry):
        raise Refusal(Code.NOT_FOUND)
    if "@" not in written and entry.uuid != written:
        raise Refusal(Code.NOT_FOUND)
    return Found(entry, roles.to(entry))


def group(call: Call, written: str) -> Found:
    """Return the group that a path names."""
    return call.look(lambda directory: group_in(call, directory, written))


def stored(call: Call, service: Groups, written: str) -> tuple[Stored, frozenset[Role]]:
    """Return a group as the directory itself has it now, and the caller's roles."""
    try:
        found = group(call, written)
    except Refusal:
        return fresh(call, service, written)
    return service.at(found.group.dn, found.group.uuid), found.roles


def editing(call: Call, service: Groups, written: str) -> tuple[Stored, frozenset[Role]]:
    """Return a group as `stored` does, to whoever may change it: looking up whom he names tells who there is.

    :raises Forbidden: for everybody else.
    """
    found, roles = stored(call, service, written)
    if roles.isdisjoint(OWN):
        raise Forbidden(Reason.NOT_OWNER)
    return found, roles


def fresh(call: Call, service: Groups, written: str) -> tuple[Stored, frozenset[Role]]:
    """Return a group that the mirror doesn't know yet, to whoever owns or administers it; 404 for anything else."""
    known = service.book.having([written])[written] if "@" in written else service.book.bearing(written)
    for each in known:
        entry = service.book.entry(each.dn) if each.group else None
        roles = _roles(call, service, entry, each) if entry is not None else None
        if entry is not None and roles is not None:
            return Stored(each.address, entry), roles
    raise Refusal(Code.NOT_FOUND)


def _roles(call: Call, service: Groups, entry: Entry, known: Known) -> frozenset[Role] | None:
    """Return what somebody is to a group that the mirror didn't know; None where he may not know of it.

    It may have come into the mirror by now.
    """
    owners = service.value(Stored("", entry), "owners")
    names = owners if isinstance(owners, tuple) else ()

    def gathered(directory: Lookup) -> frozenset[Role] | None:
        there, his = directory.by_dn(entry.dn), call.roles(directory)
        if isinstance(there, Group):
            return his.to(there) if his.knows_of(there) else None
        nodes = frozenset(found.node for name in names if (found := directory.by_dn(name)) is not None)
        made = Group(node=Node(-1), uuid=entry.uuid, dn=entry.dn, address=known.address,
                     aliases=known.addresses[1:], owners=nodes)  # fmt: skip
        return his.to(made) & OWN or None

    return call.look(gathered)
