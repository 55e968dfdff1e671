"""Who administers which groups: everything, or what lies in some domains or below a name. Pure; nothing here fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from groupmilter.directory.dn import normalise, within
from groupmilter.mail.address import domain_of


@dataclass(frozen=True, slots=True)
class Administration:
    """One group of administrators, and the groups that its members administer.

    :param holder: DN of the group, or of one person.
    :param domains: canonical; none: all. ``base``: DN; empty: everywhere. Both have to hold.
    """

    holder: str
    domains: frozenset[str] = frozenset()
    base: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return not self.domains and not self.base

    def covers(self, dn: str, addresses: Iterable[str]) -> bool:
        """Tell whether a group belongs to it: below the base, and every address in one of the domains.

        :param addresses: canonical. A group without any belongs to no domain.
        """
        below, base = normalise(dn), normalise(self.base)
        if base is None or (base and (below is None or not within(below, base))):
            return False
        found = {domain_of(address) for address in addresses}
        return not self.domains or (bool(found) and found <= self.domains)


def open_to(held: Iterable[Administration], below: str) -> bool:
    """Tell whether somebody may have rules ask for anything that stands in the entries below a normalised DN.

    So who administers everything, or all that is below a base. Domains part groups from each other, and not persons.

    :param held: what he administers.
    """
    bases = (normalise(one.base) for one in held if one.whole or one.base)
    return any(base is not None and within(below, base) for base in bases)


def covering(
    administrations: Iterable[Administration], dn: str, addresses: Iterable[str]
) -> tuple[Administration, ...]:
    """Return those to which a group belongs."""
    known = tuple(addresses)
    return tuple(one for one in administrations if one.covers(dn, known))
