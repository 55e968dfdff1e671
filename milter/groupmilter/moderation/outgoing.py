"""Items that nobody has to decide about any more: released, split copies submitted, refusals reported to their sender.

What the MTA defers is tried again, later and later; what it refuses for good, and whatever nobody foresaw, is shunted,
for a human. Raises `LedgerUnavailable` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Kind
from groupmilter.mail.reply import Reply
from groupmilter.moderation.agenda import LONGEST_PAUSE
from groupmilter.moderation.arrival import message_of
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.item import DESK, Event, Item, State
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.moderation.letters import Letters
from groupmilter.moderation.mailbox import HoldMailbox, Missing
from groupmilter.moderation.release import Ahead, ContentChanged, Releases
from groupmilter.moderation.submission import Envelope, NotSubmitted, Submitter
from groupmilter.moderation.terms import told
from groupmilter.policy.replies import STATUS, reply_for
from groupmilter.policy.settings import RefuseThen, Settings, SiteRule
from groupmilter.policy.site import refusal

_SITUATIONS = {"size": "size-counted"}
_FIRST = 5


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What sending items out needs.

    :param reason: the situation or site rule of a ticket's number (`policy.reasons`).
    """

    ledger: Ledger
    mailbox: HoldMailbox
    lookups: Lookups
    releases: Releases
    letters: Letters
    submitter: Submitter
    settings: Settings
    reason: Callable[[int], tuple[str, SiteRule | None]]
    host: str
    clock: Callable[[], float]
    log: FilteringBoundLogger

    def send_due(self) -> bool:
        """Send what is approved and due; tell whether there was anything.

        Where the MTA doesn't answer at all, what is left waits for the next turn: each would wait as long for it.
        """
        due = self.ledger.agenda.due(State.APPROVED, int(self.clock()))
        ahead = self.releases.ahead(due) if due else {}
        return bool(due) and all(self._send(item, ahead.get(item.id)) for item in due)

    def _send(self, item: Item, ahead: Ahead | None) -> bool:
        """Send one item; tell whether the MTA could be asked."""
        try:
            message = message_of(self.mailbox.read(item.arrival.file))
            if item.arrival.kind is Kind.REFUSE:
                event, note = Event.REPORT, self._report(item, message)
                self.ledger.change(item.id, event, DESK, int(self.clock()), note=note)
            else:
                event, note = Event.RELEASE, self.releases.release(item, message, ahead)
            group = item.terms.group_address
            self.log.info("sent out", item=item.name, came_to=event.value, group=group, note=note)
        except NotSubmitted as failure:
            if failure.permanent:
                self._shunt(item, str(failure))
            else:
                self._later(item, str(failure))
            return bool(failure.code)
        except (ContentChanged, Missing) as changed:
            self._shunt(item, str(changed))
        except (DirectoryUnknown, OSError) as failure:
            self._later(item, str(failure))
        except LedgerUnavailable:
            raise
        except Exception as surprise:
            # One item that nobody foresaw must not keep the others waiting.
            self.log.exception("surprise with an item", item=item.name)
            self._shunt(item, f"{type(surprise).__name__}: {surprise}")
        return True

    def _shunt(self, item: Item, why: str) -> None:
        self.ledger.change(item.id, Event.SHUNT, DESK, int(self.clock()), note=why)
        self.log.error("shunted", item=item.name, group=item.terms.group_address, why=why)

    def _later(self, item: Item, why: str) -> None:
        pause = min(LONGEST_PAUSE, _FIRST * 2 ** min(item.attempts, 20))
        self.ledger.attempted(item.id, int(self.clock()) + pause, why)
        self.log.warning("not sent out yet", item=item.name, why=why, seconds=pause)

    def _report(self, item: Item, message: bytes) -> str:
        with self.lookups.snapshot() as directory:
            address = told(item.arrival, directory)
        address = address or item.arrival.return_path
        reply, group = self._reply(item), item.terms.group_address
        composed = self.letters.report(item, message, address, reply, self.host, group)
        envelope = Envelope("", ((address, "NOTIFY=NEVER"),), not address.isascii())
        return self.submitter.submit(envelope, composed.as_bytes())

    def _reply(self, item: Item) -> Reply:
        """Return the reply that the group gave, from the reason in the ticket."""
        why, rule = self.reason(item.arrival.reason)
        if rule is not None and isinstance(rule.then, RefuseThen):
            return refusal(rule.then, item.terms.group_address, self.settings)
        situation = _SITUATIONS.get(why, why) if why in STATUS else "site-rule"
        return reply_for(situation, item.terms.group_address, self.settings)
