"""Who is logged in."""

from __future__ import annotations

from dataclasses import dataclass

from groupmilter.groups.person import Person
from groupmilter.moderation.item import Way, Who


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is logged in, as the directory's mirror has him now.

    :param csrf: what each form of his session carries. ``client``: his network address.
    :param administrator: whether he administers at least some groups.
    """

    person: Person
    csrf: str
    client: str
    administrator: bool = False

    @property
    def who(self) -> Who:
        """Who he is to ledger and journal."""
        person = self.person
        name = person.address or (person.logins[0] if person.logins else person.name)
        return Who(name, Way.PANEL, person.uuid, self.client)
