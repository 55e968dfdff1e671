"""Which rows of the audit somebody may see, and so may undo, as far as he may change the group itself.

A row belongs to the entry of its group, by UUID, and not to its address: whoever gets the address of a group that was
renamed or removed gets none of its rows. Rows of a group that was removed here stay with whoever administers where it
lay: the row of its removal tells. Rows without a UUID, and rows of groups that went in another way, are for who
administers everything. Raises `LedgerUnavailable` and `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Self

from groupmilter.directory.administration import covering
from groupmilter.directory.catalogue import Catalogue
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import digest
from groupmilter.mail.address import canonical
from groupmilter.membership.roles import Roles
from groupmilter.membership.undoing import fields_of
from groupmilter.moderation.journal import Filter, Journal
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.parts import Parts


@dataclass(frozen=True, slots=True)
class Audience:
    """Somebody who looks at the audit.

    :param roles: what he is to groups, as ``directory`` has it.
    """

    person: Person
    roles: Roles
    directory: Snapshot
    journal: Journal
    own_domains: frozenset[str]

    @classmethod
    def of(cls, parts: Parts, person: Person, directory: Snapshot) -> Self:
        """Return somebody as he looks at the audit of a panel."""
        roles = parts.roles(person, directory)
        return cls(person, roles, directory, parts.ledger.journal, parts.settings.own_domains)

    def filter(self, named: str) -> Filter:
        """Return which rows he may see of those that he asks for.

        :param named: UUID or address of a group, also one that it had once; empty for all.
        """
        address = self._key(named) if "@" in named else ""
        found = self.directory.find(address) if address else None
        uuid = found.uuid if isinstance(found, Group) else "" if address else named
        if self.roles.administers_everything:
            return Filter(None, uuid, address)
        if not named and not self.roles.administers:
            # Not each group of the journal, of which there may be many.
            return Filter(Catalogue(self.directory, self.roles.viewer(self.person)).owned())
        return Filter(frozenset(self._his(self.journal.groups(uuid, address))), uuid, address)

    def may_see(self, rows: Collection[AuditRow]) -> frozenset[int]:
        """Return the numbers of those among some rows that he may see."""
        if self.roles.administers_everything:
            return frozenset(row.id for row in rows)
        his = frozenset(self._his({row.group_uuid for row in rows if row.group_uuid}))
        return frozenset(row.id for row in rows if row.group_uuid in his)

    def _his(self, uuids: Collection[str]) -> Iterator[str]:
        """Yield those among some groups, by UUID, that he may change, or could when they were removed."""
        gone: list[str] = []
        for uuid in uuids:
            found = self.directory.by_digest(digest(uuid))
            if not isinstance(found, Group) or found.uuid != uuid:
                gone.append(uuid)
            elif self.roles.may_change(found):
                yield uuid
        if gone and self.roles.administers:
            yield from (row.group_uuid for row in self.journal.removals(gone) if self._lay_in_his_part(row))

    def _lay_in_his_part(self, row: AuditRow) -> bool:
        held = {name: was for name, was, _ in fields_of(row.before, "")}
        aliases = held.get("aliases")
        addresses = (row.group, held.get("address"), *(aliases if isinstance(aliases, tuple) else ()))
        known = [self._key(each) for each in addresses if isinstance(each, str) and "@" in each]
        return bool(covering(self.roles.administrations, row.detail, known))

    def _key(self, address: str) -> str:
        return canonical(address, self.own_domains) or address.lower()
