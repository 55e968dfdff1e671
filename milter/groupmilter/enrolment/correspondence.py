"""From a planned letter about a request to the letter itself; none where there is nothing to say any more.

Raises `LedgerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage

from groupmilter.enrolment.letters import Doors, RequestLetters
from groupmilter.enrolment.notices import ASKING, CONFIRM, KINDS, LATE, OUTCOME, REMINDER, Notices
from groupmilter.enrolment.tokens import Tokens
from groupmilter.groups.ticket import Action
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import Request, Stage
from groupmilter.moderation.rows import About, Letter
from groupmilter.moderation.stationery import Addressee


@dataclass(frozen=True, slots=True)
class RequestCorrespondence:
    """Writes what notices have planned.

    :param owners: the address by which the owners of a group (by its address) are reached.
    :param clock: seconds since 1970, UTC.
    """

    ledger: Ledger
    notices: Notices
    letters: RequestLetters
    tokens: Tokens
    owners: Callable[[str], str]
    clock: Callable[[], float]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of letters that are written here."""
        return KINDS

    @property
    def asking(self) -> frozenset[str]:
        """The kinds that ask somebody to decide."""
        return ASKING

    def about(self, one: Letter) -> About | None:
        """Return the request that a letter asks about; None where it is gone, and for a letter that tells something."""
        found = self.ledger.requests.get(int(one.detail or 0)) if one.kind in ASKING else None
        if found is None:
            return None
        return About(found.digest, found.name, found.group_address, found.group_uuid)

    def lost(self, one: Letter) -> None:
        """Ask others where a letter that asks has not reached somebody; raises `DirectoryUnknown`."""
        self.notices.lost(one)

    def composed(self, one: Letter) -> EmailMessage | None:
        """Return a letter; None for one that has nothing to say any more."""
        request = self.ledger.requests.get(int(one.detail or 0))
        if request is None:
            return None
        to, now = Addressee(one.address, one.name, one.language, one.uuid), int(self.clock())
        if one.kind == CONFIRM:
            return self._confirm(request, to, now)
        if one.kind == OUTCOME:
            return self.letters.outcome(request, to, self.owners(request.group_address), now)
        if one.kind == LATE:
            return self.letters.late(request, to, now)
        if request.stage is not Stage.WAITING:
            return None
        doors = self._doors(request, one.uuid)
        return self.letters.ask(request, to, doors, now, reminder=one.kind == REMINDER)

    def _confirm(self, request: Request, to: Addressee, now: int) -> EmailMessage | None:
        # What was never confirmed is forgotten, and its number may be another's by now.
        if request.stage is not Stage.UNCONFIRMED or request.address != to.address:
            return None
        address = self.tokens.address("confirm", Action.CONFIRM, request, request.address)
        link = self.tokens.link(Action.CONFIRM, request, request.address)
        return self.letters.confirm(request, to, Doors(confirm=address, link=link), now)

    def _doors(self, request: Request, uuid: str) -> Doors:
        """Return the addresses and the link that are this person's alone; none for somebody without an entry."""
        if not uuid:
            return Doors()
        return Doors(
            self.tokens.address("approve", Action.APPROVE, request, uuid),
            self.tokens.address("reject", Action.REJECT, request, uuid),
            link=self.tokens.link(Action.ASK, request, uuid),
        )
