"""The ledger: what is recorded, the decision that stands, the rows that never change, the questions of the desk."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.moderation.contenders import at_once, deciding
from tests.moderation.ledgers import DAY, GROUP, NOW, PATIENCE, TERMS, arrival, recorded, ticket, url
from tests.support.letters import untyped

from groupmilter.groups.ticket import Kind, digest
from groupmilter.moderation.item import DESK, Arrival, Event, State, Terms, Way, Who
from groupmilter.moderation.ledger import Changed, Ledger, Letter, Outcome
from groupmilter.moderation.transitions import DECISIONS, OPEN, TRANSITIONS, WAITING, after

JEAN = Who("jean@own.example", Way.MAIL, "uuid-jean", "<answer@own.example>")
ALICE = Who("alice@own.example", Way.LINK, "uuid-alice", "192.0.2.7")


def test_an_arrival_is_recorded_once_with_its_audit_row(ledger: Ledger) -> None:
    first = ledger.record(arrival(), TERMS, State.HELD, NOW, "a note")
    again = ledger.record(arrival(), TERMS, State.HELD, NOW + 60)
    assert (first.outcome, again.outcome) == (Outcome.NEW, Outcome.KNOWN)
    assert again.item == first.item == ledger.item(first.item.id)
    assert (first.item.arrival, first.item.terms, first.item.recorded) == (arrival(), TERMS, NOW)
    assert first.item.note == "a note"
    rows = [(row.action, row.item, row.group, row.after, row.detail) for row in ledger.audit()]
    assert rows == [("record", first.item.name, GROUP, "held", "a note")]


def test_one_ticket_with_two_contents_is_a_conflict_that_changes_nothing(ledger: Ledger) -> None:
    first = ledger.record(arrival(), TERMS, State.HELD, NOW)
    other = ledger.record(arrival(content="f" * 64, subject="another"), TERMS, State.HELD, NOW)
    assert (other.outcome, other.item) == (Outcome.CONFLICT, first.item)
    assert len(ledger.audit()) == 1


def test_what_has_no_ticket_is_only_ever_the_same_file(ledger: Ledger) -> None:
    """One mail that came past the milter for two groups stands there twice, for two decisions."""
    first = ledger.record(arrival(ticket="", kind=None), Terms(), State.SHUNTED, NOW)
    again = ledger.record(arrival(ticket="", kind=None), Terms(), State.SHUNTED, NOW)
    other = ledger.record(arrival(ticket="", kind=None, file="other"), Terms(), State.SHUNTED, NOW)
    assert (again.outcome, again.item) == (Outcome.KNOWN, first.item)
    assert (other.outcome, other.item.name == first.item.name) == (Outcome.NEW, False)
    assert first.item.arrival.kind is None


def test_items_are_found_by_number_digest_name_and_mail(ledger: Ledger) -> None:
    one, two = recorded(ledger, 1), recorded(ledger, 2, queue_id="SAME", message_id="<same@x>")
    three = recorded(ledger, 3, queue_id="SAME", message_id="<same@x>")
    assert ledger.item(one.id) == ledger.by_digest(digest(ticket(1))) == ledger.by_name(one.name) == one
    assert ledger.find(message_id="<same@x>") == ledger.find(queue_id="SAME") == (two, three)
    assert ledger.item(99) is ledger.by_digest(99) is ledger.by_name("nobody") is None
    assert ledger.find(queue_id="NONE") == ()


text = st.text(st.characters(codec=None), max_size=40)
TEXTS = [field.name for field in fields(Arrival) if field.type == "str" and field.name != "ticket"]
WORDS = [field.name for field in fields(Terms) if field.type == "str"]


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_any_text_is_kept_or_marked_where_nobody_could_keep_it(ledger: Ledger, data: st.DataObject) -> None:
    """NUL and lone surrogates come from the wire; they must neither stop the desk nor hit another item."""
    words = {name: data.draw(text) for name in TEXTS if name != "content"}
    number = len(ledger.items(set(State)))
    made = arrival(number, **words)
    terms = Terms(**untyped({name: data.draw(text) for name in WORDS}), moderators=("a@x", "é"))
    note, comment = data.draw(text), data.draw(text)
    item = ledger.record(made, terms, State.HELD, NOW, note).item
    stored = {name: getattr(item.arrival, name) for name in TEXTS if name != "content"}
    stored |= {name: getattr(item.terms, name) for name in WORDS}
    wanted = words | {name: getattr(terms, name) for name in WORDS}
    assert stored == {name: storable(value) for name, value in wanted.items()}
    assert item.terms.moderators == terms.moderators
    changed = ledger.change(item.id, Event.REJECT, Who(note, Way.COMMAND, origin=note), NOW, comment=comment)
    assert (changed.item.comment, changed.item.decided_by) == (storable(comment), storable(note))
    ledger.note(note, Who(comment, Way.DESK), NOW, item_id=item.id, group=note, detail=comment)
    ledger.attempted(item.id, NOW, note)
    assert (
        item.name in {found.name for found in ledger.find(message_id=made.message_id)} or not made.message_id
    )


def storable(value: str) -> str:
    return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in value)


def test_every_state_and_event_does_what_the_table_says_and_nothing_else(ledger: Ledger) -> None:
    """The table is all there is: what isn't in it leaves the item and the audit as they are."""
    for number, (state, event) in enumerate(itertools.product(State, Event)):
        item = recorded(ledger, number, state)
        before = ledger.newest()
        changed = ledger.change(item.id, event, JEAN, NOW + 5, comment="why", note="what")
        target = TRANSITIONS.get((state, event))
        assert target is after(state, event)
        if target is None:
            assert changed == Changed(item, happened=False)
            assert ledger.newest() == before
            continue
        now = ledger.item(item.id)
        assert changed == Changed(now, happened=True) if now else False
        assert changed.item.state is target
        assert (changed.item.decided_by == JEAN.name) is (event in DECISIONS)
        assert (changed.item.finished == NOW + 5) is (target not in OPEN)
        row = ledger.audit(after=before)[0]
        assert (row.action, row.before, row.after, row.actor) == (event, state, target, JEAN.name)


def test_what_has_ended_never_changes_again() -> None:
    """Everything but held, approved and shunted is an end, and everything can get to an end."""
    ends = set(State) - {state for state, _ in TRANSITIONS}
    assert ends == {State.RELEASED, State.REJECTED, State.EXPIRED, State.REPORTED}
    for state in State:
        reached, frontier = set(), {state}
        while frontier:
            reached |= frontier
            frontier = {t for (s, _), t in TRANSITIONS.items() if s in reached} - reached
        assert reached & ends


def test_the_first_decision_stands_and_the_later_one_is_shown_whose_it_is(ledger: Ledger) -> None:
    item = recorded(ledger)
    assert ledger.change(item.id, Event.REJECT, JEAN, NOW + 1, comment="not here").happened
    late = ledger.change(item.id, Event.APPROVE, ALICE, NOW + 2, comment="yes")
    assert not late.happened
    shown = (late.item.state, late.item.decided_by, late.item.decided, late.item.way, late.item.comment)
    assert shown == (State.REJECTED, JEAN.name, NOW + 1, "mail", "not here")
    assert [row.action for row in ledger.audit()] == ["record", "reject"]


def test_several_are_changed_in_one_transaction(ledger: Ledger) -> None:
    items = [recorded(ledger, number) for number in range(4)]
    ledger.change(items[1].id, Event.REJECT, JEAN, NOW)
    changed = ledger.change_each([item.id for item in items], Event.APPROVE, ALICE, NOW + 1, comment="all")
    assert [one.happened for one in changed] == [True, False, True, True]
    assert [one.item.decided_by for one in changed] == [ALICE.name, JEAN.name, ALICE.name, ALICE.name]
    with pytest.raises(LookupError, match="no item 99"):
        ledger.change_each([items[0].id, 99], Event.RELEASE, DESK, NOW + 2)
    assert [item.state for item in ledger.items({State.RELEASED})] == []


def test_an_item_that_is_not_there_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(LookupError, match="no item 7"):
        ledger.change(7, Event.APPROVE, JEAN, NOW)


def test_of_many_threads_that_decide_at_once_exactly_one_wins(ledger: Ledger) -> None:
    items = [recorded(ledger, number) for number in range(6)]
    wins: list[tuple[int, str]] = []
    barrier = threading.Barrier(8)

    def decide(name: str, event: Event) -> None:
        barrier.wait(PATIENCE)
        for item in items:
            if ledger.change(item.id, event, Who(name, Way.MAIL), NOW).happened:
                wins.append((item.id, name))

    people = [(f"who{n}", Event.APPROVE if n % 2 else Event.REJECT) for n in range(8)]
    threads = [threading.Thread(target=decide, args=one) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stand = [(item.id, item.decided_by) for item in ledger.items(set(State))]
    assert sorted(wins) == stand
    assert len(ledger.audit()) == 12


def test_of_several_processes_that_decide_at_once_exactly_one_wins(tmp_path: Path, ledger: Ledger) -> None:
    items = [recorded(ledger, number).id for number in range(20)]
    names = ("alice", "bob", "peter", "quentin")
    stood = at_once(deciding, [(url(tmp_path), name, items) for name in names])
    assert [sum(one) for one in zip(*stood, strict=True)] == [1] * 20
    for place, item in enumerate(ledger.items(set(State))):
        winner = next(name for name, won in zip(names, stood, strict=True) if won[place])
        state = State.APPROVED if winner < "m" else State.REJECTED
        assert (item.decided_by, item.comment, item.state) == (winner, f"by {winner}", state)
    assert [row.action for row in ledger.audit() if row.action != "record"].count("approve") == len(
        ledger.items({State.APPROVED})
    )


def test_audit_rows_stay_as_they_are(tmp_path: Path, ledger: Ledger) -> None:
    recorded(ledger)
    before = ledger.audit()
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        for change in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "UPDATE audit SET at = 0"):
            with pytest.raises(sqlite3.IntegrityError, match="audit rows stay as they are"):
                connection.execute(change)
        replaced = "REPLACE INTO audit (id, actor) SELECT id, 'nobody' FROM audit"
        with pytest.raises(sqlite3.IntegrityError, match="audit rows stay as they are"):
            connection.execute(replaced)
    assert ledger.audit() == before


def test_items_come_in_the_order_of_their_arrival_by_state_group_and_page(ledger: Ledger) -> None:
    made = [recorded(ledger, number) for number in range(5)]
    other = ledger.record(arrival(9), Terms(group_address="other@own.example"), State.SHUNTED, NOW).item
    ledger.change(made[2].id, Event.REJECT, JEAN, NOW)
    held = [made[n] for n in (0, 1, 3, 4)]
    assert ledger.items({State.HELD}) == tuple(held)
    assert ledger.items({State.HELD, State.SHUNTED}) == (*held, other)
    assert ledger.items(set(State), group="other@own.example") == (other,)
    assert ledger.items({State.HELD}, limit=2) == tuple(held[:2])
    assert ledger.items({State.HELD}, after=held[1].id) == tuple(held[2:])
    assert ledger.items(set()) == ()


def test_what_is_due_is_found_and_what_failed_waits(ledger: Ledger) -> None:
    one, two = recorded(ledger, 1, State.APPROVED), recorded(ledger, 2, State.APPROVED)
    recorded(ledger, 3, State.HELD)
    assert ledger.agenda.due(State.APPROVED, NOW) == (one, two)
    ledger.attempted(one.id, NOW + 60, "451 later")
    assert ledger.agenda.due(State.APPROVED, NOW + 59) == (two,)
    waiting = ledger.agenda.due(State.APPROVED, NOW + 60)[0]
    assert (waiting.attempts, waiting.note, waiting.next_attempt) == (1, "451 later", NOW + 60)
    released = ledger.change(one.id, Event.RELEASE, DESK, NOW + 61, note="queued").item
    assert (released.attempts, released.next_attempt, released.note) == (0, 0, "queued")
    assert ledger.agenda.due(State.APPROVED, NOW + 60, limit=1) == (two,)


def test_only_what_somebody_was_asked_about_expires_or_is_reminded_of(ledger: Ledger) -> None:
    asked, unasked = recorded(ledger, 1), recorded(ledger, 2)
    forever = ledger.record(arrival(3), Terms(group_address=GROUP), State.HELD, NOW).item
    for item in (asked, forever):
        ledger.mark(item.id, noticed=NOW)
    end, early = TERMS.expires, TERMS.remind
    assert ledger.agenda.expiring(end - 1) == ledger.agenda.to_remind(early - 1) == ()
    assert [item.id for item in ledger.agenda.expiring(end)] == [asked.id]
    assert [item.id for item in ledger.agenda.to_remind(early)] == [asked.id]
    ledger.mark(asked.id, reminded=early)
    assert ledger.agenda.to_remind(end) == ()
    ledger.change(asked.id, Event.APPROVE, JEAN, NOW)
    assert ledger.agenda.expiring(end) == ()
    ledger.mark(unasked.id, noticed=end)
    assert [item.id for item in ledger.agenda.expiring(end)] == [unasked.id]


def test_what_has_ended_long_ago_is_found_until_it_is_purged(ledger: Ledger) -> None:
    ended, open_ = recorded(ledger, 1), recorded(ledger, 2)
    shunted = recorded(ledger, 3, State.SHUNTED)
    ledger.change(ended.id, Event.REJECT, JEAN, NOW)
    assert ledger.agenda.finished_before(NOW) == ()
    assert [item.id for item in ledger.agenda.finished_before(NOW + 1)] == [ended.id]
    ledger.mark(ended.id, purged=True)
    assert ledger.agenda.finished_before(NOW + 1) == ()
    assert {item.id for item in ledger.items(WAITING)} == {open_.id, shunted.id}


def test_only_what_the_desk_notes_can_be_marked(ledger: Ledger) -> None:
    item = recorded(ledger)
    with pytest.raises(TypeError, match="can't mark state"):
        ledger.mark(item.id, state="released")
    ledger.mark(item.id, noticed=5, reminded=6, file="elsewhere")
    marked = ledger.item(item.id)
    assert marked is not None
    assert (marked.noticed, marked.reminded, marked.arrival.file) == (5, 6, "elsewhere")


def test_what_waits_is_counted_by_group(ledger: Ledger) -> None:
    for number, state in enumerate(State):
        recorded(ledger, number, state)
    recorded(ledger, 20, State.HELD, group=digest("uuid-other"))
    waiting = ledger.waiting()
    assert waiting.total == 3
    assert dict(waiting.groups) == {digest("uuid-sales"): 2, digest("uuid-other"): 1}


def test_the_audit_is_read_by_time_item_group_action_and_page(ledger: Ledger) -> None:
    one = recorded(ledger, 1)
    recorded(ledger, 2)
    ledger.change(one.id, Event.APPROVE, JEAN, NOW + 10)
    ledger.note("token-forged", ALICE, NOW + 20, group="other@own.example", detail="x")
    rows = ledger.audit()
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    assert [row.action for row in rows] == ["record", "record", "approve", "token-forged"]
    assert [row.action for row in ledger.audit(item=one.name)] == ["record", "approve"]
    assert [row.action for row in ledger.audit(since=NOW + 10)] == ["approve", "token-forged"]
    assert [row.action for row in ledger.audit(group="other@own.example")] == ["token-forged"]
    assert len(ledger.audit(action="record")) == 2
    assert ledger.audit(after=rows[1].id, limit=1) == rows[2:3]
    assert (rows[3].actor, rows[3].way, rows[3].origin) == (ALICE.name, "link", "192.0.2.7")
    assert ledger.newest() == rows[-1].id


def test_two_arrivals_of_one_digest_are_a_conflict(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    first = recorded(ledger, 1)
    monkeypatch.setattr("groupmilter.moderation.ledger.item_digest", lambda _: first.digest)
    other = ledger.record(arrival(2), TERMS, State.HELD, NOW)
    assert (other.outcome, other.item) == (Outcome.CONFLICT, first)
    assert ledger.items(set(State)) == (first,)


def test_a_split_copy_is_approved_from_the_beginning(ledger: Ledger) -> None:
    copy = recorded(ledger, 1, State.APPROVED, kind=Kind.SPLIT)
    assert ledger.agenda.due(State.APPROVED, NOW) == (copy,)
    assert not ledger.change(copy.id, Event.APPROVE, JEAN, NOW).happened


def test_a_clock_that_was_ahead_keeps_nothing_waiting(ledger: Ledger) -> None:
    """An attempt put off by some seconds while the clock was a day ahead is due as soon as it is right again."""
    item = recorded(ledger, state=State.APPROVED)
    ledger.attempted(item.id, NOW + DAY + 5, "not now")
    assert [one.id for one in ledger.agenda.due(State.APPROVED, NOW)] == [item.id]
    ledger.attempted(item.id, NOW + 5, "not now")
    assert ledger.agenda.due(State.APPROVED, NOW) == ()
    letter = Letter(0, item.id, "rejected", "x@outside.example", "", "", "", 0, NOW, "")
    ledger.letters.plan([letter])
    (planned,) = ledger.letters.due(NOW)
    ledger.letters.failed(planned, NOW + DAY, "not now")
    assert ledger.letters.addresses(NOW) == ("x@outside.example",)
    ledger.letters.failed(planned, NOW, "not now")
    assert ledger.letters.due(NOW) == ()
