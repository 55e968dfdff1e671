"""Claims on held messages: "I am dealing with it", for the others to see. Nobody is kept from deciding by one.

A claim ends with the decision, when it is given back, after a time, and when its person may not decide any more; the
desk looks for the last two (`tidy`). Raises `LedgerUnavailable`, `DirectoryUnknown` and `MayNotDecide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import digest
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.claim import Claim
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.item import DESK, Item, Who
from groupmilter.moderation.ledger import Changed, Ledger

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Claiming:
    """The service.

    :param clock: seconds since 1970, UTC.
    """

    ledger: Ledger
    decisions: Decisions
    clock: Callable[[], float]

    @property
    def hours(self) -> int:
        """How long a claim stands."""
        return self.decisions.settings.moderation.claim_hours

    def claim(self, items: Sequence[Item], who: Who) -> tuple[Changed, ...]:
        """Let somebody deal with messages about which he may decide; with which others deal already they go on dealing.

        :returns: each as it stands now, and whether the claim is new.
        """
        self.decisions.require(items, who)
        now = int(self.clock())
        with self.ledger.together():
            taken = [self.ledger.claims.take(item.id, Claim(who.uuid, who.name, now)) for item in items]
            return self._noted("claim", taken, who, now)

    def give_back(self, items: Sequence[Item], who: Who) -> tuple[Changed, ...]:
        """End somebody's own claims; those of others stay."""
        with self.ledger.together():
            ended = [self.ledger.claims.end(item.id, who.uuid) for item in items]
            return self._noted("give-back", ended, who, int(self.clock()))

    def _noted(
        self, action: str, changes: Sequence[tuple[Item, bool]], who: Who, now: int
    ) -> tuple[Changed, ...]:
        for item, happened in changes:
            if happened:
                self.ledger.note(action, who, now, item_id=item.id)
        return tuple(Changed(item, happened) for item, happened in changes)

    def tidy(self) -> bool:
        """End the claims that have lasted long enough, and those of who may not decide any more."""
        claims = {item.id: item for item in self.ledger.claims.standing()}
        over = {number for number, item in claims.items() if self._lapsed(item)} if claims else set()
        for number in over | (self._without_right(claims.values()) if claims.keys() - over else set()):
            self._end(claims[number])
        return False

    def _lapsed(self, item: Item) -> bool:
        return item.claim is not None and self.clock() >= item.claim.at + self.hours * _HOUR

    def _without_right(self, items: Iterable[Item]) -> set[int]:
        try:
            with self.decisions.lookups.snapshot() as directory:
                return {item.id for item in items if not self._may(item, directory)}
        except DirectoryUnknown:
            # Other steps tell of it; as long as it can't be told, who deals with something goes on.
            return set()

    def _may(self, item: Item, directory: Lookup) -> bool:
        person = directory.by_digest(digest(item.claim.person)) if item.claim else None
        return isinstance(person, Person) and self.decisions.may(person, item, directory)

    def _end(self, item: Item) -> None:
        if item.claim is None:
            return
        with self.ledger.together():
            if self.ledger.claims.end(item.id, item.claim.person)[1]:
                now = int(self.clock())
                self.ledger.note("claim-end", DESK, now, item_id=item.id, detail=item.claim.name)
