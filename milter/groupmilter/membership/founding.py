"""The organisation's rules for new groups: who makes them, in which domains, under which names, with what. Pure.

Nothing here fails: what can't be had is a `BadWish`, one for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from groupmilter.directory.change import Change, Setting, Values
from groupmilter.directory.dn import normalise, parent
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import domain_of
from groupmilter.membership.vocabulary import BadWish
from groupmilter.policy.conditions import any_glob

RESERVED = marked("this name is reserved")
NAMES = marked("groups that you make have other names here")
DOMAINS = marked("groups that you make have no addresses in this domain")
REQUIRED = marked("a new group must have this")


@dataclass(frozen=True, slots=True)
class Founding:
    """The rules.

    :param holders: DNs of groups and persons who may, besides administrators; ``everybody``: all may.
    :param domains: canonical; none: all. ``names``: globs for what stands left of the @; none: any.
    :param reserved: globs of names that only administrators may give. ``required``: canonical fields.
    :param parent: DN below which new groups are made.
    """

    holders: tuple[str, ...] = ()
    everybody: bool = False
    domains: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    parent: str = ""

    def open_to(self, reaches: Callable[[Iterable[str]], bool]) -> bool:
        """Tell whether somebody who is no administrator may make groups.

        :param reaches: tells whether one of some DNs is his, or a group's that holds him.
        """
        return self.everybody or (bool(self.holders) and reaches(self.holders))

    def allows(self, dn: str, reaches: Callable[[Iterable[str]], bool]) -> bool:
        """Tell whether he may make one with this DN: where new groups go, and nowhere else."""
        above = parent(normalise(dn) or "")
        return bool(above) and above == normalise(self.parent) and self.open_to(reaches)

    def address_problems(self, wanted: Iterable[tuple[str, str]]) -> list[BadWish]:
        """Return what is wrong with addresses that somebody who is no administrator wants.

        :param wanted: field, ``address`` or ``aliases``, and canonical address.
        """
        return [
            BadWish(field, address, why)
            for field, address in wanted
            if (why := self._against(address.rpartition("@")[0], domain_of(address)))
        ]

    def _against(self, name: str, domain: str) -> str:
        if any_glob(self.reserved, name):
            return RESERVED
        if self.domains and domain not in self.domains:
            return DOMAINS
        return NAMES if self.names and not any_glob(self.names, name) else ""

    def missing(self, changes: Sequence[Change]) -> list[BadWish]:
        """Return the fields that a new group must have and hasn't."""
        given: set[str] = set()
        for each in changes:
            if isinstance(each, Setting) and each.value not in (None, ""):
                given.add(each.field)
            elif isinstance(each, Values) and each.add:
                given.add("members" if each.field in {"member_addresses", "member_urls"} else each.field)
        return [BadWish(field, "", REQUIRED) for field in self.required if field not in given]
