"""Releases: what is submitted, in how many transactions, and what a second try repeats. The ledger is a real one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count

import pytest
import structlog
from tests.moderation.ledgers import KEYS, NOW, TERMS, arrival, ticket
from tests.support.letters import Office

from groupmilter.bootstrap.dividing import Dividing
from groupmilter.groups.directory import Member
from groupmilter.groups.ticket import Kind, digest, unseal
from groupmilter.mail.content import content_digest
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.release import ContentChanged, Releases
from groupmilter.moderation.submission import Door, Envelope, NotSubmitted, Submitter

NONCES = count(1)
MESSAGE = b"From: client@outside.example\nSubject: subject 1\n\nBonjour\n"


@dataclass
class Mta(Submitter):
    """Answers as it is told to; ``spends`` does at the milter's place what the milter does there."""

    ledger: Ledger
    answers: list[NotSubmitted | None] = field(default_factory=list)
    got: list[tuple[Envelope, tuple[Member, ...] | None]] = field(default_factory=list)
    spends: bool = True

    def __post_init__(self) -> None:
        super().__init__(Door("127.0.0.1", 1, "", lambda: ""))

    def submit(self, envelope: Envelope, message: bytes) -> str:
        assert message == MESSAGE
        ((address, orcpt),) = envelope.recipients
        assert address == "release@groups.own.example"
        text = orcpt.removeprefix("ORCPT=rfc822;")
        opened = unseal(text, KEYS, content_digest(message))
        assert opened is not None
        assert opened.kind is Kind.RELEASE
        if not self.spends:
            return "Q0"
        batch = self.ledger.releases.spend(text, NOW)
        assert batch is not None, "each submission has a ticket of its own"
        self.got.append((envelope, batch.members))
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return f"Q{len(self.got)}"

    @property
    def receivers(self) -> list[list[str] | None]:
        """Whom each transaction was for."""
        return [None if members is None else [m.address for m in members] for _, members in self.got]


def item_of(ledger: Ledger, kind: Kind = Kind.HOLD, **changes: object) -> Item:
    made = arrival(1, kind=kind, ticket=ticket(1, kind), content=content_digest(MESSAGE).hex(), **changes)
    return ledger.record(made, TERMS, State.APPROVED, NOW).item


def releases(ledger: Ledger, mta: Mta, office: Office) -> Releases:
    return Releases(
        ledger, mta, Dividing(office.site), KEYS, "groups.own.example", lambda: NOW, lambda: next(NONCES),
        structlog.get_logger(),
    )  # fmt: skip


def office(*members: str, in_place: int = 2, **fields: object) -> Office:
    made = Office()
    bounds = replace(made.settings.bounds, in_place=in_place)
    made.settings = replace(made.settings, bounds=bounds)
    group = made.group("sales", *members, **fields)
    made.rewrite(group, uuid="uuid-sales")
    return made


def again(ledger: Ledger) -> list[str]:
    return [row.detail for row in ledger.audit(action="release-again")]


def test_a_held_message_goes_in_one_transaction_that_the_milter_expands(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger)
    assert releases(ledger, mta, office()).release(item, MESSAGE) == "Q1"
    assert mta.receivers == [None]
    (envelope, _), (batch,) = mta.got[0], ledger.releases.batches(item.id)
    assert (envelope.sender, envelope.smtputf8) == ("client@outside.example", False)
    assert (batch.accepted, batch.members) == (NOW, None)


def test_a_split_copy_goes_in_as_many_as_the_mta_takes(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger, Kind.SPLIT)
    members = [f"m{n}@out.example" for n in range(5)]
    assert releases(ledger, mta, office(*members)).release(item, MESSAGE) == "Q1 Q2 Q3"
    assert mta.receivers == [members[:2], members[2:4], members[4:]]


def test_what_waits_inside_goes_first_and_for_nobody(ledger: Ledger) -> None:
    made = office("m0@out.example", "m1@out.example")
    sales = made.paper.find("sales@own.example")
    inner = made.group("inner", "i@out.example", moderated=True)
    assert sales is not None
    made.paper.lists[sales.node] = replace(made.paper.lists[sales.node], groups=(inner.node,))
    mta, item = Mta(ledger), item_of(ledger, Kind.SPLIT)
    releases(ledger, mta, made).release(item, MESSAGE)
    assert mta.receivers == [[], ["m0@out.example", "m1@out.example"]]


def test_whom_others_of_its_delivery_have_reached_is_left_out(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger, Kind.SPLIT)
    ledger.releases.leave_out(item.arrival.ticket, ["m0@out.example"], NOW)
    releases(ledger, mta, office("m0@out.example", "m1@out.example")).release(item, MESSAGE)
    assert mta.receivers == [["m1@out.example"]]


def test_where_everybody_has_been_reached_nothing_is_sent(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger, Kind.SPLIT)
    ledger.releases.leave_out(item.arrival.ticket, ["m0@out.example"], NOW)
    assert releases(ledger, mta, office("m0@out.example")).release(item, MESSAGE) == ""
    assert mta.got == []


def test_a_group_that_is_gone_or_empty_gets_nothing_and_says_so(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger, Kind.SPLIT)
    with pytest.raises(NotSubmitted, match="550") as empty:
        releases(ledger, mta, office()).release(item, MESSAGE)
    assert empty.value.permanent
    with pytest.raises(NotSubmitted, match="550") as gone:
        releases(ledger, mta, Office()).release(item, MESSAGE)
    assert gone.value.permanent


@pytest.mark.parametrize(
    ("failure", "repeated"),
    [
        (NotSubmitted(451, "come again"), []),
        (NotSubmitted(552, "too big"), []),
        (NotSubmitted(0, "the connection is lost"), ["transaction 1"]),
    ],
    ids=["deferred", "refused", "nobody knows"],
)
def test_after_a_failure_the_rest_follows_and_nothing_is_repeated_but_what_nobody_knows(
    ledger: Ledger, failure: NotSubmitted, repeated: list[str]
) -> None:
    mta, item = Mta(ledger, [None, failure]), item_of(ledger, Kind.SPLIT)
    members = [f"m{n}@out.example" for n in range(6)]
    made = office(*members)
    with pytest.raises(NotSubmitted):
        releases(ledger, mta, made).release(item, MESSAGE)
    # Whoever joins in between gets the next message: whom this one is for is noted.
    sales = made.paper.find("sales@own.example")
    assert sales is not None
    made.paper.lists[sales.node] = replace(made.paper.lists[sales.node], people=(Member("new@out.example"),))
    assert releases(ledger, mta, made).release(item, MESSAGE) == "Q3 Q4"
    assert mta.receivers == [members[:2], members[2:4], members[2:4], members[4:]]
    assert again(ledger) == repeated


def test_until_something_may_have_gone_out_it_is_for_the_group_as_it_is(ledger: Ledger) -> None:
    made = office("m0@out.example")
    inner = made.group("inner", "i@out.example", moderated=True)
    sales = made.paper.find("sales@own.example")
    assert sales is not None
    made.paper.lists[sales.node] = replace(made.paper.lists[sales.node], groups=(inner.node,))
    mta, item = Mta(ledger, [NotSubmitted(451, "not now")]), item_of(ledger, Kind.SPLIT)
    with pytest.raises(NotSubmitted):
        releases(ledger, mta, made).release(item, MESSAGE)
    # The group inside waits for nobody any more: its members would be in no transaction, and nothing held for it.
    made.rewrite(inner, moderated=False)
    releases(ledger, mta, made).release(item, MESSAGE)
    assert mta.receivers == [[], ["m0@out.example", "i@out.example"]]
    assert [batch.number for batch in ledger.releases.batches(item.id)] == [0]


def test_a_ticket_of_transactions_that_were_noted_anew_opens_nothing(ledger: Ledger) -> None:
    item = item_of(ledger, Kind.SPLIT)
    ledger.releases.set_batches(item.id, [(Member("a@out.example"),)])
    ledger.releases.prepare(item.id, "old")
    ledger.releases.set_batches(item.id, [(Member("b@out.example"),)])
    assert ledger.releases.spend("old", NOW) is None
    ledger.releases.set_batches(item.id, [])
    assert ledger.releases.batches(item.id) == ()


def test_only_the_newest_ticket_of_a_transaction_opens_anything(ledger: Ledger) -> None:
    item = item_of(ledger)
    ledger.releases.prepare(item.id, "first")
    ledger.releases.prepare(item.id, "second")
    # The session of the first one was given up; the MTA may come with it later all the same.
    assert ledger.releases.spend("first", NOW) is None
    assert ledger.releases.spend("second", NOW) is not None


def test_an_accepted_transaction_is_never_sent_again(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger)
    released = releases(ledger, mta, office())
    assert released.release(item, MESSAGE) == "Q1"
    assert released.release(item, MESSAGE) == ""
    assert len(mta.got) == 1


def test_what_the_mta_takes_without_the_milter_is_not_released(ledger: Ledger) -> None:
    """A listener that has lost its milter says 250, and nobody gets anything."""
    mta, item = Mta(ledger, spends=False), item_of(ledger)
    with pytest.raises(NotSubmitted, match="without asking the milter") as past:
        releases(ledger, mta, office()).release(item, MESSAGE)
    assert past.value.permanent
    (batch,) = ledger.releases.batches(item.id)
    assert (batch.spent, batch.accepted) == (0, 0)
    mta.spends = True
    assert releases(ledger, mta, office()).release(item, MESSAGE) == "Q1"
    assert again(ledger) == []


def test_another_content_than_was_recorded_goes_nowhere(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger)
    with pytest.raises(ContentChanged):
        releases(ledger, mta, office()).release(item, MESSAGE + b"and more\n")
    assert mta.got == []
    assert ledger.releases.batches(item.id) == ()


def test_a_spent_ticket_and_a_foreign_one_open_nothing(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger)
    releases(ledger, mta, office()).release(item, MESSAGE)
    text = mta.got[0][0].recipients[0][1].removeprefix("ORCPT=rfc822;")
    assert ledger.releases.spend(text, NOW) is None
    assert ledger.releases.spend(hashlib.sha256(b"x").hexdigest(), NOW) is None


def test_what_is_left_out_is_forgotten_in_time(ledger: Ledger) -> None:
    ledger.releases.leave_out("one", ["a@x.example"], NOW - 10)
    ledger.releases.leave_out("two", ["b@x.example"], NOW)
    ledger.releases.leave_out("two", ["b@x.example", "c@x.example"], NOW)
    ledger.releases.forget_left_out(NOW)
    assert ledger.releases.left_out("one") == ()
    assert ledger.releases.left_out("two") == ("b@x.example", "c@x.example")


def receivers_of(batches: Sequence[Sequence[Member]]) -> list[list[str]]:
    return [[member.address for member in batch] for batch in batches]


def test_a_copy_near_the_mtas_limit_goes_in_small_transactions() -> None:
    made = office(*(f"m{n:04}@out.example" for n in range(40)), in_place=1000)
    limit = made.settings.bounds.message_size_limit
    held = arrival(1, kind=Kind.SPLIT, group=digest("uuid-sales"))
    large = b"From: x@out.example\n\n" + b"x" * (limit + 1_048_576 - 32_768 - 1_300)
    divided = receivers_of(Dividing(made.site)(held, large, ()))
    assert list(chain.from_iterable(divided)) == [f"m{n:04}@out.example" for n in range(40)]
    assert max(map(len, divided)) < 15
    assert len(divided) > 3
