"""What the desk does for requests at each turn: carry out, close what is overdue, remind. Each may be repeated.

One that fails keeps no other waiting (`moderation.attempts`). Raises `LedgerUnavailable` and `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.enrolment.notices import REMINDER
from groupmilter.enrolment.service import Requests
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.request import Request, Stage


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The steps.

    :param clock: seconds since 1970, UTC.
    """

    requests: Requests
    attempts: Attempts
    clock: Callable[[], float]
    log: FilteringBoundLogger

    def carry_out(self) -> bool:
        """Write to the directory what was accepted."""
        due = self.requests.ledger.requests.to_write(self._now())
        return self._each("carry out a request", due, self._carry_out)

    def expire(self) -> bool:
        """Close what nobody has decided about, or confirmed, in time."""
        due = self.requests.ledger.requests.expiring(self._now())
        return self._each("close a request", due, self._expire)

    def remind(self) -> bool:
        """Write once more to whoever can decide."""
        due = self.requests.ledger.requests.to_remind(self._now())
        return self._each("remind of a request", due, self._remind)

    def _carry_out(self, request: Request) -> None:
        # Whoever has decided is in the journal as who changed the group.
        who = Who(request.decided_by, Way(request.decided_way))
        stands = self.requests.carry_out(request, who)
        known = {"request": stands.name, "group": stands.group_address, "kind": stands.kind.value}
        if stands.stage is Stage.DONE:
            self.log.info("request carried out", **known)
        else:
            self.log.warning("request not carried out", **known, stage=stands.stage.value, why=stands.note)

    def _expire(self, request: Request) -> None:
        self.requests.expire(request)
        self.log.info("request expired", request=request.name, group=request.group_address)

    def _remind(self, request: Request) -> None:
        with self.requests.ledger.together():
            self.requests.notices.ask(request, REMINDER)
            self.requests.ledger.requests.reminded(request.id, self._now())

    def _each(self, step: str, due: Iterable[Request], act: Callable[[Request], None]) -> bool:
        known = {request.name: request for request in due}
        return bool(self.attempts.each(step, known, lambda name: act(known[name])))

    def _now(self) -> int:
        return int(self.clock())
