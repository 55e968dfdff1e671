"""Members whose mail fails, of groups that somebody administers: looked at, and given group mail again.

Page and API share it. Raises `LedgerUnavailable`, `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.mail.address import canonical
from groupmilter.membership.roles import Role, Roles
from groupmilter.moderation.bounce_book import Suspension
from groupmilter.moderation.bounced import Known, known, listed
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.item import Who
from groupmilter.panel.parts import Parts

Found = TypeVar("Found")
Administered = Callable[[str], bool]
"""Tells whether a group (address or DN) is somebody's to administer."""


class NotHis(Exception):
    """What somebody asks for is about groups that he doesn't administer."""


def administered(roles: Roles, directory: Lookup) -> Administered:
    """Return what tells whether a group is somebody's to administer; everything is, for some."""

    def his(named: str) -> bool:
        if roles.administers_everything:
            return True
        found = directory.find(named) if "@" in named and "=" not in named else directory.by_dn(named)
        return isinstance(found, Group) and Role.ADMINISTRATOR in roles.to(found)

    return his


@dataclass(frozen=True, slots=True)
class Failing:
    """The members whose mail fails, as one person may know of them."""

    parts: Parts
    person: Person

    def listed(
        self, since: int, *, group: str = "", suspended: bool = False, limit: int = 1000
    ) -> list[Known]:
        """Return those that failed from a time on, and those suspended; see `moderation.bounced.listed`."""
        book = self.parts.ledger.bounces
        rows = listed(book, since, group=group, suspended=suspended, limit=limit)
        return self._of_his(rows)

    def known(self, address: str) -> Known:
        """Return what is known of an address, as the directory delivers to it; `NotHis` for nothing of his."""
        found = self._of_his([known(self.parts.ledger.bounces, address)])
        if not found:
            raise NotHis
        return found[0]

    def his(self, groups: list[str]) -> frozenset[str]:
        """Return which of some groups are his to administer."""
        return self._asked(lambda his: frozenset(filter(his, groups)))

    def resume(self, written: str, who: Who) -> Suspension | None:
        """Let an address get group mail again; None where it wasn't suspended, `NotHis` for another's to resume."""
        address = canonical(written, self.parts.settings.own_domains) or ""
        book = self.parts.ledger.bounces
        suspension = book.suspension(address)
        if suspension is not None and not self._asked(lambda his: his(suspension.group_address)):
            raise NotHis
        return book.resume(address, who, int(self.parts.now()))

    def _of_his(self, rows: list[Known]) -> list[Known]:
        return self._asked(lambda his: [one for row in rows if (one := _seen(row, his)) is not None])

    def _asked(self, gather: Callable[[Administered], Found]) -> Found:
        with self.parts.lookups.snapshot() as directory:
            return gather(administered(self.parts.roles(self.person, directory), directory))


def _seen(row: Known, his: Administered) -> Known | None:
    """Return what somebody sees of an address: only what happened in his groups; None for nothing."""
    standing, suspension = row.standing, row.suspension
    if suspension is not None and not his(suspension.group_address):
        suspension = None
    if standing is not None:
        groups = tuple(filter(his, standing.groups))
        standing = replace(standing, groups=groups) if groups else None
    return Known(row.address, standing, suspension) if standing or suspension else None
