"""Tidying up, once an hour: mail that ended long ago, and what the ledger needn't remember any longer.

Two steps of the desk's turn; what fails is told by its `attempts`, and tried again at the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import digest as short_digest
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.bouncing import excess
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, HoldMailbox
from groupmilter.policy.settings import Settings

_EACH = 3600
_DAY = 24 * 3600
_LEFT_OUT_DAYS = 60
"""How long it is known whom a split copy leaves out: far longer than one waits to be sent."""

_FAILURES_DAYS = 90
"""How long a failed delivery is remembered: far longer than any window."""

_PAGE = 500


@dataclass(slots=True)
class Tidying:
    """What is tidied of one host.

    :param clock: seconds since 1970, UTC.
    """

    mailbox: HoldMailbox
    ledger: Ledger
    lookups: Lookups
    settings: Settings
    clock: Callable[[], float]
    log: FilteringBoundLogger
    attempts: Attempts
    _mail_done: int = 0
    _beside_done: int = 0

    def mail(self) -> bool:
        """Delete mail that ended long ago; what the ledger says of it stays."""
        now = int(self.clock())
        if 0 <= now - self._mail_done < _EACH:
            return False
        before = now - self.settings.moderation.keep_days * _DAY
        reports = [*self.mailbox.aged(Folder.REPORTS, before), *excess(self.mailbox)]
        self.attempts.each("delete a report", reports, self.mailbox.remove)
        ended = {item.name: item for item in self.ledger.agenda.finished_before(before, _PAGE)}
        gone = self.attempts.each(
            "delete a file", ended, lambda name: self.mailbox.remove(ended[name].arrival.file)
        )
        self.ledger.mark_each([ended[name].id for name in gone], purged=True)
        if len(ended) == _PAGE and gone:
            return True
        self.ledger.releases.forget_left_out(now - _LEFT_OUT_DAYS * _DAY)
        self.ledger.bounces.forget(now - _FAILURES_DAYS * _DAY)
        self.ledger.sightings.forget(now, self.settings.replay.window)
        self._mail_done = now
        return False

    def beside(self) -> bool:
        """Note which groups of the side store the directory has no longer, and forget those that are long gone."""
        now = int(self.clock())
        if 0 <= now - self._beside_done < _EACH or not (traces := self.ledger.side.everything()):
            return False
        try:
            with self.lookups.snapshot() as directory:
                there = {uuid for uuid in traces if directory.by_digest(short_digest(uuid)) is not None}
        except DirectoryUnknown:
            # Other steps tell of it; nobody is gone as long as it can't be told.
            return False
        if forgotten := self.ledger.side.settle(there, now):
            self.log.info("side store: groups that are long gone are forgotten", count=forgotten)
        self._beside_done = now
        return False
