"""Writing to moderators and senders: which letters are due, how many somebody gets an hour, what happens when one
can't be sent.

A letter that isn't taken is tried again, later and later; when too few of a ring are left whom it can reach, for it was
refused for good or has come back, the request goes on to the next one: owners, then administrators, then the site's
contact. The item stays held all the while. Raises `LedgerUnavailable` and `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.person import Person
from groupmilter.groups.reach import reachable
from groupmilter.groups.ticket import LETTER, Action, Keys, Kind, Ticket, Token, digest, seal, seal_token
from groupmilter.moderation.answers import letter
from groupmilter.moderation.arrival import automatic, message_of
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.item import DESK, Item, State
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable, Letter
from groupmilter.moderation.letter_queue import ASKING
from groupmilter.moderation.letters import LISTED, Addressee, Letters, Ways
from groupmilter.moderation.mailbox import HoldMailbox, Missing
from groupmilter.moderation.pacing import HOUR, allowance
from groupmilter.moderation.quorum import persons
from groupmilter.moderation.rows import About
from groupmilter.moderation.submission import Envelope, NotSubmitted
from groupmilter.moderation.weekly import BOUNCES, Weekly

__all__ = ["ASKING", "Correspondence"]

_DAY = 24 * HOUR
_CONTACT = "contact"
_A_TURN = 50
"""Letters after which the desk looks at something else first."""


class Submitting(Protocol):
    """What takes letters: `submission.Submitter`."""

    def submit(self, envelope: Envelope, message: bytes) -> str:
        """Submit one message; raises `NotSubmitted`."""


class Writing(Protocol):
    """What writes letters that aren't about held mail."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of letters that it writes."""

    def composed(self, one: Letter) -> EmailMessage | None:
        """Return a letter; None for one that has nothing to say any more."""

    @property
    def asking(self) -> frozenset[str]:
        """The kinds that ask somebody to decide; the others tell something."""

    def about(self, one: Letter) -> About | None:
        """Return what a letter asks about; None where that is gone, and for a letter that asks nothing."""

    def lost(self, one: Letter) -> None:
        """Ask others where a letter that asks has not reached somebody, and nobody else was reached."""


class _Silent(Exception):
    """The MTA can't be asked at all; whatever else is due would meet the same."""


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What letters need.

    :param panel: URL of the pages, empty where links are off.
    :param contact: address that is written to when nobody else can be reached.
    :param per_hour: letters to one address an hour; the rest comes as one summary.
    :param others: what writes the letters that aren't about held mail.
    """

    ledger: Ledger
    mailbox: HoldMailbox
    lookups: Lookups
    decisions: Decisions
    letters: Letters
    weekly: Weekly
    submitter: Submitting
    keys: Keys
    service_domain: str
    panel: str
    contact: Callable[[str], str]
    per_hour: int
    clock: Callable[[], float]
    log: FilteringBoundLogger
    others: Writing | None = None

    def ask(self, item: Item, kind: str = "request") -> None:
        """Plan the letters about an item to whoever can decide: the nearest ring that can be reached.

        Whom no letter has reached is written to once more, and counts for nobody: others were asked in his place.
        """
        known = self.ledger.letters.asked(item.id)
        lost = frozenset(uuid for uuid, may in known.items() if not may)
        self._ask(item, kind, 0, frozenset(), frozenset(), lost)

    def returned(self, bundle: int, about: int, why: str) -> bool:
        """Note that a piece of mail that asked has come back, and ask others where too few are left; once.

        :param bundle: the number of its first letter. ``about``: the digest of what that one asks about.
        :returns: False where there is no such letter, or it has come back before.
        """
        letters = self.ledger.letters.arrived(bundle, self._asking)
        first = next((self._about(one) for one in letters if one.id == bundle), None)
        if first is None or first.digest != about:
            return False
        # Others first, and the letter last by which all are found: where something fails, the report is read again.
        for one in reversed(letters):
            self._ask_others(one)
            self.ledger.letters.returned(one, self._about(one), self._now(), why)
        return True

    def _ask(
        self,
        item: Item,
        kind: str,
        first: int,
        asked: Set[str],
        passed: Set[str],
        lost: Set[str] = frozenset(),
    ) -> None:
        """Plan letters to one ring after the other, until there are as many as have to approve.

        :param first: the number of the ring to begin with. ``asked``: UUIDs of who was asked already; ``passed``: of
            who isn't to be asked; ``lost``: of who may not be reached.
        """
        now = self._now()
        with self.lookups.snapshot() as directory:
            rings = self.decisions.circle(item, directory).rings
            people = [(number, reachable(ring, directory)) for number, ring in enumerate(rings)]
        agreed = persons(item.approved_by)
        for number, ring in people[first:]:
            left = [person for person in ring if person.uuid not in agreed | asked | passed]
            self.ledger.letters.plan(letter(kind, item.id, person, now, str(number)) for person in left)
            asked = asked | ({person.uuid for person in left} - lost)
            if asked and len(asked | agreed) >= item.terms.approvals:
                return
        if not asked:
            self._ask_contact(item, kind, now)

    @property
    def _asking(self) -> frozenset[str]:
        return ASKING | (self.others.asking if self.others else frozenset())

    def _writer(self, one: Letter) -> Writing | None:
        """Return who writes a letter where it isn't about held mail."""
        return self.others if self.others is not None and one.kind in self.others.kinds else None

    def _about(self, one: Letter) -> About | None:
        """Return what a letter asks about; None where that is gone, and for a letter that asks nothing."""
        if (writer := self._writer(one)) is not None:
            return writer.about(one)
        item = self.ledger.item(one.item_id) if one.kind in ASKING else None
        if item is None:
            return None
        return About(item.digest, item.name, item.terms.group_address, item.terms.group_uuid)

    def _ask_others(self, lost: Letter) -> None:
        """Go on to the next ring where a letter has not reached somebody, and too few are left who can decide."""
        if (writer := self._writer(lost)) is not None:
            writer.lost(lost)
            return
        item = self.ledger.item(lost.item_id)
        if item is None or item.state is not State.HELD or lost.detail == _CONTACT:
            return
        known = {**self.ledger.letters.asked(item.id), lost.uuid: False}
        reached = {uuid for uuid, may in known.items() if may and uuid}
        if len(reached | persons(item.approved_by)) < max(1, item.terms.approvals):
            self._ask(item, "request", int(lost.detail or 0) + 1, reached, known.keys())

    def _ask_contact(self, item: Item, kind: str, now: int) -> None:
        address = self.contact(item.terms.group_address)
        if self.ledger.letters.plan((Letter(0, item.id, kind, address, "", "", "", 0, now, _CONTACT),)):
            self.log.warning("no moderator can be reached", item=item.name, contact=address)

    def send_due(self) -> bool:
        """Send what is due; tell whether there was anything.

        Each address in turn, so that a flood to one keeps nobody else waiting.
        """
        tried = 0
        try:
            for address in self.ledger.letters.addresses(self._now()):
                tried += self._to(address, asking=False) + self._to(address, asking=True)
                if tried >= _A_TURN:
                    break
        except _Silent:
            return False
        return tried > 0

    def _to(self, address: str, *, asking: bool) -> int:
        """Send what may be sent to an address, of what asks or of what tells; return how much that was."""
        now, queue = self._now(), self.ledger.letters
        due = queue.due(now, self.per_hour + 1, address=address, asking=asking)
        if not due:
            return 0
        pieces = queue.pieces(address, now - HOUR, now, asking=asking)
        allowed = allowance(pieces, [one.planned for one in due], self.per_hour, now)
        for one in due[: allowed.singles]:
            self._single(one)
        if asking and allowed.summary:
            self._summary(due[-1])
        if allowed.singles < len(due):
            queue.postpone(address, now, allowed.again, asking=asking)
        return allowed.singles + (asking and allowed.summary)

    def _single(self, one: Letter) -> None:
        item = self.ledger.item(one.item_id) if one.item_id else None
        if one.kind in ASKING and not self._still_asks(one, item):
            return
        try:
            composed = self._composed(one, item)
        except OSError as error:
            self._unwritten(one, item, f"can't be read: {error}")
            return
        except LedgerUnavailable:
            raise
        except Exception as surprise:
            # One letter that can't be written must not keep all others from being sent.
            self.log.exception("surprise with a letter", item=item.name if item else "", kind=one.kind)
            self._unwritten(one, item, f"can't be written: {surprise}")
            return
        if composed is None:
            self.ledger.letters.forget(one.id)
        elif self._submitted((one,), composed):
            self.ledger.letters.sent((one.id,), self._now())
            self.log.info("letter sent", kind=one.kind, to=one.address, item=item.name if item else "")

    def _still_asks(self, one: Letter, item: Item | None) -> bool:
        """Tell whether a planned letter is still to ask; who decides no more gets none, and somebody else is asked."""
        if item is None or item.state is not State.HELD:
            self.ledger.letters.drop((one.item_id,), ASKING)
            return False
        if not one.uuid:
            return True
        if one.uuid in persons(item.approved_by):
            self.ledger.letters.forget(one.id)
            return False
        with self.lookups.snapshot() as directory:
            person = directory.by_digest(digest(one.uuid))
            if isinstance(person, Person) and self.decisions.may(person, item, directory):
                return True
        self.ledger.letters.forget(one.id)
        if not any(self.ledger.letters.asked(item.id).values()):
            self.ask(item, one.kind)
        return False

    def _unwritten(self, one: Letter, item: Item | None, why: str) -> None:
        self.ledger.letters.failed(one, self._now(), why)
        self.log.warning("letter can't be written yet", item=item.name if item else "", why=why)

    def _composed(self, one: Letter, item: Item | None) -> EmailMessage | None:
        """Return a letter; None for one that answers automatic mail, which nobody may (RFC 3834 section 2)."""
        to = Addressee(one.address, one.name, one.language, one.uuid)
        now = self._now()
        if (writer := self._writer(one)) is not None:
            return writer.composed(one)
        if one.kind == BOUNCES:
            return self.weekly.composed(one, to)
        if item is None:
            return self.letters.invalid(one.detail, to, now)
        if one.kind == "decided":
            return self.letters.decided(item, to, now)
        if one.kind == "counted":
            return self.letters.counted(item, int(one.detail or 1), to, now)
        octets = self._read(item)
        if one.kind in ASKING:
            ways, reminder = self._ways(item, one.uuid), one.kind == "reminder"
            return self.letters.request(item, message_of(octets), to, ways, now, reminder=reminder)
        if octets and automatic(octets):
            return None
        return self.letters.outcome(item, one.kind, to, message_of(octets), now)

    def _read(self, item: Item) -> bytes:
        """Return an item's file, nothing where it is gone: what the ledger knows can still be told."""
        try:
            return self.mailbox.read(item.arrival.file)
        except Missing:
            self.log.warning("a letter about a message that is gone", item=item.name)
            return b""

    def _ways(self, item: Item, uuid: str) -> Ways:
        """Return the addresses and the link that are this person's alone; none for somebody without an entry."""
        if not uuid:
            return Ways("", "", "")

        def token(kind: Kind, action: Action) -> str:
            made = Token(kind, action, self._expiry(item), item.digest, digest(uuid))
            return seal_token(made, self.keys)

        domain = self.service_domain
        link = f"{self.panel.rstrip('/')}/decide/{token(Kind.LINK, Action.ASK)}" if self.panel else ""
        return Ways(
            f"approve+{token(Kind.ANSWER, Action.APPROVE)}@{domain}",
            f"reject+{token(Kind.ANSWER, Action.REJECT)}@{domain}",
            link,
        )

    def _expiry(self, item: Item) -> int:
        """Return until when tokens hold: beyond the item, so that who comes late is told what became of it."""
        return (item.terms.expires or self._now() + 30 * _DAY) + 2 * _DAY

    def _summary(self, due: Letter) -> None:
        """Tell somebody together of what he can't be asked about singly, due by now or not."""
        queue = self.ledger.letters
        waiting, count = queue.waiting(due.address, LISTED)
        found = ((one, self.ledger.item(one.item_id)) for one in waiting)
        listed = [(one, item) for one, item in found if item is not None and self._still_asks(one, item)]
        count -= len(waiting) - len(listed)
        if not listed:
            return
        to = Addressee(due.address, due.name, due.language, due.uuid)
        items = [(item, self._ways(item, one.uuid)) for one, item in listed]
        composed = self.letters.summary(items, count, to, self._now())
        if self._submitted([one for one, _ in listed], composed):
            queue.sent([one.id for one, _ in listed], self._now(), summary=True)
            queue.counted(due.address, self._now())
            self.log.info("summary sent", to=due.address, listed=len(listed), waiting=count)

    def _submitted(self, letters: Sequence[Letter], composed: EmailMessage) -> bool:
        """Submit one piece of mail; note where it wasn't taken."""
        try:
            self.submitter.submit(self._envelope(letters), composed.as_bytes())
        except NotSubmitted as failure:
            self.log.warning("letter not taken", to=letters[0].address, why=str(failure))
            for one in letters:
                self._failed(one, failure)
            if not failure.code:
                raise _Silent from failure
            return False
        return True

    def _envelope(self, letters: Sequence[Letter]) -> Envelope:
        """Return the envelope of a piece of mail: of what asks we want to hear when it doesn't arrive."""
        first = min(letters, key=lambda one: one.id)
        about = self._about(first)
        path, notify = "", "NEVER"
        if about is not None:
            ticket = Ticket(Kind.BOUNCE, self._now(), first.id, about.digest, reason=LETTER)
            path, notify = f"bounce+{seal(ticket, self.keys)}@{self.service_domain}", "FAILURE"
        return Envelope(path, ((first.address, f"NOTIFY={notify}"),), not first.address.isascii())

    def _failed(self, one: Letter, failure: NotSubmitted) -> None:
        queue, now = self.ledger.letters, self._now()
        if failure.permanent and one.kind not in self._asking:
            queue.forget(one.id)
            self.ledger.note("letter-refused", DESK, now, item_id=one.item_id, detail=one.address)
            return
        queue.failed(one, now, str(failure), refused=failure.permanent)
        if failure.permanent:
            self._ask_others(one)

    def _now(self) -> int:
        return int(self.clock())
