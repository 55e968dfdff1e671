"""Writing to moderators and senders: which letters are due, how many somebody gets an hour, what happens when one
can't be sent.

A letter that isn't taken is tried again, later and later; one that is refused for good sends the request on to the
next ring: owners, then administrators, then the site's contact. The item stays held all the while. Raises
`LedgerUnavailable` and `DirectoryUnknown`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, Keys, Kind, Token, digest, seal_token
from groupmilter.moderation.answers import letter
from groupmilter.moderation.arrival import message_of
from groupmilter.moderation.circle import Lookups, reachable
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.item import DESK, Item, State
from groupmilter.moderation.ledger import Ledger, Letter
from groupmilter.moderation.letters import Addressee, Letters, Ways
from groupmilter.moderation.mailbox import HoldMailbox, Missing
from groupmilter.moderation.submission import Envelope, NotSubmitted, Submitter

ASKING = frozenset({"request", "reminder"})
_HOUR = 3600
_DAY = 24 * _HOUR
_LATER = 600
_LONGEST = 4 * _HOUR


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What letters need.

    :param panel: URL of the pages, empty where links are off.
    :param contact: address that is written to when nobody else can be reached.
    :param per_hour: letters to one address an hour; the rest comes as one summary.
    """

    ledger: Ledger
    mailbox: HoldMailbox
    lookups: Lookups
    decisions: Decisions
    letters: Letters
    submitter: Submitter
    keys: Keys
    service_domain: str
    panel: str
    contact: Callable[[str], str]
    per_hour: int
    clock: Callable[[], float]
    log: FilteringBoundLogger

    def ask(self, item: Item, kind: str = "request", beyond: int = 0) -> None:
        """Plan the letters about an item to whoever can decide: the nearest ring that can be reached.

        :param beyond: how many rings have failed already.
        """
        now = int(self._now())
        with self.lookups.snapshot() as directory:
            around = self.decisions.circle(item, directory)
            rings = around.rings[beyond:] if around is not None else ()
            people: tuple[Person, ...] = ()
            for ring in rings:
                people = people or reachable(ring, directory)
        planned = [letter(kind, item.id, person, now, str(beyond)) for person in people]
        if not planned:
            address = self.contact(item.terms.group_address)
            planned = [Letter(0, item.id, kind, address, "", "", "", 0, now, "")]
            self.log.warning("no moderator can be reached", item=item.name, contact=address)
        self.ledger.letters.plan(planned)

    def send_due(self) -> bool:
        """Send what is due; tell whether there was anything."""
        due = self.ledger.letters.due(int(self._now()))
        by_address: dict[str, list[Letter]] = defaultdict(list)
        for one in due:
            by_address[one.address].append(one)
        for address, waiting in by_address.items():
            self._to(address, waiting)
        return bool(due)

    def _to(self, address: str, waiting: Sequence[Letter]) -> None:
        asking = [one for one in waiting if one.kind in ASKING]
        for one in waiting:
            if one.kind not in ASKING:
                self._single(one)
        sent = self.ledger.letters.sent_since(address, int(self._now()) - _HOUR)
        single, rest = asking[: max(0, self.per_hour - sent)], asking[max(0, self.per_hour - sent) :]
        for one in single:
            self._single(one)
        if rest and sent + len(single) == self.per_hour:
            self._summary(rest)
        elif rest:
            self._postpone(rest, "more letters than an hour may bring")

    def _single(self, one: Letter) -> None:
        item = self.ledger.item(one.item_id) if one.item_id else None
        if one.kind in ASKING and (item is None or item.state is not State.HELD):
            self.ledger.letters.drop(one.item_id, ASKING)
            return
        try:
            composed = self._compose(one, item)
        except (Missing, OSError) as error:
            self._postpone((one,), f"can't be read: {error}")
            return
        self._submit((one,), composed, item)

    def _compose(self, one: Letter, item: Item | None) -> EmailMessage:
        to = Addressee(one.address, one.name, one.language, one.uuid)
        now = int(self._now())
        if item is None:
            return self.letters.invalid(one.detail, to)
        if one.kind == "decided":
            return self.letters.decided(item, to, now)
        message = message_of(self.mailbox.read(item.arrival.file))
        if one.kind in ASKING:
            ways = self._ways(item, one.uuid)
            return self.letters.request(item, message, to, ways, now, reminder=one.kind == "reminder")
        return self.letters.outcome(item, one.kind, to, message)

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
        return (item.terms.expires or int(self._now()) + 30 * _DAY) + 2 * _DAY

    def _summary(self, rest: Sequence[Letter]) -> None:
        found = [self.ledger.item(one.item_id) for one in rest]
        items = [item for item in found if item is not None and item.state is State.HELD]
        first = rest[0]
        if not items:
            self.ledger.letters.sent([one.id for one in rest], int(self._now()))
            return
        to = Addressee(first.address, first.name, first.language, first.uuid)
        self._submit(rest, self.letters.summary(items, to, self.panel, int(self._now())), items[0])

    def _submit(self, sent: Sequence[Letter], composed: EmailMessage, item: Item | None) -> None:
        now = int(self._now())
        envelope = Envelope("", ((sent[0].address, "NOTIFY=NEVER"),), not sent[0].address.isascii())
        try:
            self.submitter.submit(envelope, composed.as_bytes())
        except NotSubmitted as failure:
            self._failed(sent, failure)
            return
        self.ledger.letters.sent([one.id for one in sent], now)
        for one in sent:
            if one.item_id and one.kind in ASKING:
                self._asked(one, now)
        name = item.name if item else ""
        self.log.info("letter sent", kind=sent[0].kind, to=sent[0].address, item=name, letters=len(sent))

    def _asked(self, one: Letter, now: int) -> None:
        item = self.ledger.item(one.item_id)
        if item is not None and not item.noticed:
            self.ledger.mark(item.id, noticed=now)
        self.ledger.note(f"{one.kind}-sent", DESK, now, item_id=one.item_id, detail=one.address)

    def _failed(self, sent: Sequence[Letter], failure: NotSubmitted) -> None:
        self.log.warning("letter not taken", to=sent[0].address, why=str(failure))
        self._postpone(sent, str(failure))
        if not failure.permanent:
            return
        for one in sent:
            item = self.ledger.item(one.item_id) if one.item_id and one.kind in ASKING else None
            if item is not None and not item.noticed:
                self.ask(item, one.kind, int(one.detail or 0) + 1)

    def _postpone(self, letters: Iterable[Letter], why: str) -> None:
        now = int(self._now())
        for one in letters:
            later = min(_LONGEST, 60 * 2 ** min(one.attempts, 10)) if one.attempts else 30
            self.ledger.letters.failed(one.id, now + (_LATER if why.startswith("more") else later), why)

    def _now(self) -> float:
        return self.clock()
