"""Which rows of the audit somebody may see, and so may undo, as far as he may change the group itself.

A row belongs to the entry of its group, by UUID, and not to its address: whoever gets the address of a group that was
renamed or removed gets none of its rows. Rows without a UUID, and rows of groups that are gone, are for who administers
everything. Nothing here fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from groupmilter.groups.group import Group
from groupmilter.groups.ticket import digest
from groupmilter.mail.address import canonical
from groupmilter.membership.roles import Roles
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.journal import Filter
from groupmilter.moderation.rows import AuditRow

Known = Callable[[str, str], Iterable[str]]
"""Returns the UUIDs of groups in the rows about a UUID or an address; see `moderation.journal.Journal.groups`."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Somebody who looks at the audit.

    :param roles: what he is to groups, as ``directory`` has it.
    """

    roles: Roles
    directory: Lookup

    def filter(self, named: str, own_domains: frozenset[str], known: Known) -> Filter:
        """Return which rows he may see of those that he asks for.

        :param named: UUID or address of a group, also one that it had once; empty for all.
        """
        address = (canonical(named, own_domains) or named.lower()) if "@" in named else ""
        found = self.directory.find(address) if address else None
        uuid = found.uuid if isinstance(found, Group) else "" if address else named
        if self.roles.administers_everything:
            return Filter(None, uuid, address)
        return Filter(frozenset(filter(self._his, known(uuid, address))), uuid, address)

    def may_see(self, row: AuditRow) -> bool:
        """Tell whether a row is one that he may see."""
        return self.roles.administers_everything or self._his(row.group_uuid)

    def _his(self, uuid: str) -> bool:
        found = self.directory.by_digest(digest(uuid)) if uuid else None
        return isinstance(found, Group) and found.uuid == uuid and self.roles.may_change(found)
