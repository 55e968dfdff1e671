"""Once a week owners are told which members' mail failed: those of each group that has something to say.

Weeks begin on Monday, 0 h UTC. Up to when people have been told stands in the ledger and is written in one transaction
with the letters that are planned, so a crash or a restart neither repeats a week nor leaves one out. Raises
`LedgerUnavailable` and `DirectoryUnknown`: it is tried again then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage

from groupmilter.directory.administration import Administration
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.reach import reachable
from groupmilter.groups.ticket import digest
from groupmilter.moderation.answers import letter
from groupmilter.moderation.circle import Lookup, Lookups, circle
from groupmilter.moderation.failing import Week
from groupmilter.moderation.ledger import Ledger, Letter
from groupmilter.moderation.letters import LISTED, Addressee, Letters
from groupmilter.policy.settings import Settings

BOUNCES = "bounces"
"""The kind of these letters, and the topic in the ledger."""

_COUNTED = 100_000
"""Members that are counted; far fewer are listed."""

WEEK = 7 * 86_400
_MONDAY = 4 * 86_400
"""1 January 1970 was a Thursday."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """What telling owners takes.

    :param administrators: who is told where no owner can be. ``contact``: address of a group's contact.
    :param clock: seconds since 1970, UTC.
    """

    ledger: Ledger
    lookups: Lookups
    settings: Settings
    letters: Letters
    administrators: tuple[Administration, ...]
    contact: Callable[[str], str]
    clock: Callable[[], float]

    def plan(self) -> bool:
        """Plan the letters about the week that is over, unless they are; never more work at once."""
        begun = week_of(int(self.clock()))
        told = self.ledger.bounces.summed_up(BOUNCES)
        if told == begun:
            return False
        # Of what came before the first start nobody is told; of several weeks, the desk being away, at once. A time to
        # come was written by a clock that was ahead.
        since = min(told or begun, begun)
        concerned = self.ledger.bounces.concerned(since, begun) if self.settings.bounces.summary else ()
        # At the first start the mirror may still be empty; but then there is nobody to tell of anything either.
        letters = self._about(concerned, (since, begun)) if concerned else []
        with self.ledger.together():
            self.ledger.letters.plan(letters)
            self.ledger.bounces.sum_up(BOUNCES, begun)
        return False

    def _about(self, concerned: Iterable[tuple[str, str]], time: tuple[int, int]) -> list[Letter]:
        with self.lookups.snapshot() as directory:
            return [one for group in concerned for one in self._letters(*group, time, directory)]

    def _letters(self, uuid: str, address: str, time: tuple[int, int], directory: Lookup) -> Iterator[Letter]:
        group, now = directory.by_digest(digest(uuid)), int(self.clock())
        about = ":".join((uuid, *map(str, time)))
        people = self._people(group, directory) if isinstance(group, Group) else ()
        yield from (letter(BOUNCES, 0, person, now, about) for person in people)
        if not people:
            yield Letter(0, 0, BOUNCES, self.contact(address), "", "", "", 0, now, about)

    def composed(self, planned: Letter, to: Addressee) -> EmailMessage | None:
        """Return a planned letter; None where there is nothing to say any more, or its reader is no owner any more."""
        uuid, since, until = about(planned.detail)
        members = self.ledger.bounces.standings(since, until=until, group_uuid=uuid, limit=_COUNTED)
        with self.lookups.snapshot() as directory:
            group = directory.by_digest(digest(uuid))
            if not isinstance(group, Group) or not members:
                return None
            if planned.uuid and planned.uuid not in {one.uuid for one in self._people(group, directory)}:
                return None
        listed = members[:LISTED]
        suspensions = self.ledger.bounces.suspensions([one.address for one in listed])
        known = {one.address: one for one in suspensions}
        week = Week(group.address or group.dn, since, until, listed, len(members), known)
        return self.letters.failing(week, to, int(self.clock()))

    def _people(self, group: Group, directory: Lookup) -> tuple[Person, ...]:
        around = circle(group, (), self.administrators, directory)
        owners = reachable(around.owners, directory)
        return owners or reachable(around.administrators, directory)


def week_of(time: int) -> int:
    """Return the beginning of the week of a time: Monday, 0 h UTC."""
    return (time - _MONDAY) // WEEK * WEEK + _MONDAY


def about(detail: str) -> tuple[str, int, int]:
    """Return what a planned letter is about: the group's UUID, from when and until when."""
    uuid, since, until = detail.rsplit(":", 2)
    return uuid, int(since), int(until)
