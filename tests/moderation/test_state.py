"""What a milter worker asks of the state: answered in time or not at all, seldom, and each outage logged once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger
from tests.moderation.ledgers import PATIENCE, recorded, ticket, url

from groupmilter.bootstrap.state import State
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import digest
from groupmilter.moderation import item
from groupmilter.moderation.bounce_book import Suspension
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.mta.aside import Aside, Remembered
from groupmilter.policy.facts import Batch, Waiting
from groupmilter.policy.sighting import Seen, Sighting


@dataclass
class Worker:
    """A worker's view of the state in a folder, what it logged, and the time, which stands still."""

    folder: Path
    now: float = 100.0
    capture: LogCapture = field(default_factory=LogCapture)
    opened: list[Ledger] = field(default_factory=list)
    aside: Aside = field(default_factory=lambda: Aside(PATIENCE))

    def __post_init__(self) -> None:
        log = cast(FilteringBoundLogger, structlog.wrap_logger(None, processors=[self.capture]))
        self.state = State(self._open, "release", "desk", log, self.aside, lambda: self.now)

    def _open(self) -> Ledger:
        self.opened.append(Ledger.open(url(self.folder), timeout=PATIENCE))
        return self.opened[-1]

    def lines(self) -> list[tuple[str, str]]:
        return [(line["log_level"], line["event"]) for line in self.capture.entries]

    def settled(self) -> None:
        """Return once everything that was told has been done."""
        self.aside.ask(lambda: None)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = Worker(tmp_path)
    yield made
    for ledger in made.opened:
        ledger.close()


def test_how_much_is_held_is_told_and_remembered_for_a_second(worker: Worker, ledger: Ledger) -> None:
    waiting = worker.state.waiting
    assert waiting() == Waiting()
    recorded(ledger)
    worker.now += 0.9
    assert waiting() == Waiting(), "asked a moment ago"
    assert worker.state.waiting() == Waiting(1, {digest("uuid-sales"): 1})
    worker.now += 0.2
    assert waiting() == Waiting(1, {digest("uuid-sales"): 1})
    assert len(worker.opened) == 1
    assert worker.lines() == []


def test_without_the_state_nobody_can_tell_and_each_outage_is_one_line(
    worker: Worker, ledger: Ledger
) -> None:
    assert worker.state.waiting() == Waiting()
    for _ in range(2):
        (worker.folder / "state.db").rename(worker.folder / "aside.db")
        assert [worker.state.waiting() for _ in range(3)] == [None] * 3
        (worker.folder / "aside.db").rename(worker.folder / "state.db")
        assert worker.state.waiting() == Waiting()
    assert ledger.items(set(item.State)) == ()
    bad = ("error", "the state can't be asked: nothing more is held")
    assert worker.lines() == [bad, ("info", "the state can be asked again")] * 2


def test_a_ledger_that_cant_be_opened_is_tried_again(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "later")
    assert worker.state.waiting() is None
    with pytest.raises(LedgerUnavailable):
        worker.state.release.spend(ticket())
    (tmp_path / "later").mkdir()
    assert worker.state.waiting() == Waiting()
    worker.opened[0].close()


def test_a_release_ticket_is_spent_once(worker: Worker, ledger: Ledger) -> None:
    made = recorded(ledger, state=item.State.APPROVED)
    ledger.releases.prepare(made.id, "t1")
    door = worker.state.release
    assert (door.daemon_name, door.login) == ("release", "desk")
    assert door.spend("t1") == Batch(0, None)
    assert door.spend("t1") is None
    assert door.spend("unknown") is None
    assert ledger.releases.batches(made.id)[0].spent > 0


def test_whom_a_copy_need_not_reach_is_noted_or_the_message_deferred(worker: Worker, ledger: Ledger) -> None:
    worker.state.leave_out("t1", ("a@x.example",))
    assert ledger.releases.left_out("t1") == ("a@x.example",)
    (worker.folder / "state.db").rename(worker.folder / "aside.db")
    with pytest.raises(DirectoryUnknown, match="the state can't be written"):
        worker.state.leave_out("t2", ())


def test_whoever_guesses_tokens_does_not_fill_the_disk(worker: Worker, ledger: Ledger) -> None:
    for _ in range(500):
        worker.state.audit("token-forged", "x@outside.example", "203.0.113.9", "approve")
    worker.settled()
    rows = ledger.audit()
    assert 60 <= len(rows) <= 120, "sixty a minute"
    row = rows[0]
    assert (row.action, row.actor, row.way, row.origin, row.detail) == (
        "token-forged", "x@outside.example", "mail", "203.0.113.9", "approve"
    )  # fmt: skip


def test_an_audit_row_that_cant_be_written_is_logged_instead(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "nowhere")
    worker.state.audit("token-forged", "x@outside.example", "203.0.113.9", "")
    worker.settled()
    assert worker.lines() == [("warning", "no audit row")]


# aside


def test_an_answer_comes_from_a_thread_of_its_own_with_whatever_it_raises() -> None:
    aside = Aside(PATIENCE)
    assert aside.ask(threading.current_thread) is not threading.current_thread()
    assert aside.ask(threading.get_ident) == aside.ask(threading.get_ident)
    with pytest.raises(ZeroDivisionError):
        aside.ask(lambda: 1 // 0)
    assert aside.ask(lambda: 7) == 7


def test_a_question_that_hangs_costs_its_time_once_and_then_nobody_waits(tmp_path: Path) -> None:
    aside, answered = Aside(0.3), threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer in 0\.3 s"):
        aside.ask(lambda: answered.wait(PATIENCE))
    assert time.monotonic() - began >= 0.3
    for _ in range(1000):
        with pytest.raises(TimeoutError, match="an earlier question"):
            aside.ask(lambda: 7)
    done = tmp_path / "done"
    aside.tell(done.touch)
    answered.set()
    until(done.exists)
    until(lambda: _answers(aside))


def test_of_several_that_wait_behind_one_that_hangs_none_is_answered_late() -> None:
    aside, asked, answered, late = Aside(0.5), threading.Event(), threading.Event(), list[int]()
    outcomes: list[str] = []

    def ask(question: Callable[[], object]) -> None:
        try:
            aside.ask(question)
        except TimeoutError:
            outcomes.append("late")

    def hangs() -> None:
        asked.set()
        answered.wait(PATIENCE)

    hung = threading.Thread(target=ask, args=(hangs,))
    hung.start()
    assert asked.wait(PATIENCE)
    others = [threading.Thread(target=ask, args=(lambda: late.append(1),)) for _ in range(5)]
    for one in others:
        one.start()
    for one in (hung, *others):
        one.join(PATIENCE)
    assert outcomes == ["late"] * 6
    with pytest.raises(TimeoutError, match="an earlier question"):
        aside.ask(lambda: 7)
    answered.set()
    until(lambda: _answers(aside))
    assert late == [], "whoever gave up is not served behind his back"


def _answers(aside: Aside) -> bool:
    try:
        return aside.ask(lambda: True)
    except TimeoutError:
        return False


def until(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_is_remembered_from_when_it_came() -> None:
    now, asked = [100.0], list[float]()

    def slow() -> int | None:
        asked.append(now[0])
        now[0] += 5.0
        return len(asked) if len(asked) != 2 else None

    remembered = Remembered(slow, clock=lambda: now[0])
    assert [remembered(), remembered()] == [1, 1]
    now[0] += 0.9
    assert remembered() == 1
    now[0] += 0.2
    assert [remembered(), remembered()] == [None, None], "a failure is asked again as seldom"
    now[0] += 1.0
    assert remembered() == 3
    assert len(asked) == 3


def test_whose_delivery_is_suspended_is_told_and_nobodys_is_where_nobody_can_tell(
    worker: Worker, ledger: Ledger
) -> None:
    who = item.DESK
    ledger.bounces.suspend(Suspension("gone@x.example", 1, 0, 0, "desk", "", ""), who)
    ledger.bounces.suspend(Suspension("tried@x.example", 1, 0, 2, "desk", "", ""), who)
    suspended = worker.state.suspended
    assert suspended() == {"gone@x.example"}
    assert ledger.bounces.resume("gone@x.example", who, 3)
    worker.now += 4.9
    assert suspended() == {"gone@x.example"}, "asked a moment ago"
    assert worker.state.suspended() == frozenset()
    worker.now += 0.2
    assert suspended() == frozenset()
    (worker.folder / "state.db").rename(worker.folder / "aside.db")
    assert worker.state.suspended() == frozenset()
    (worker.folder / "aside.db").rename(worker.folder / "state.db")
    assert worker.lines() == []


def test_a_message_that_came_before_is_told_and_remembered_once(worker: Worker, ledger: Ledger) -> None:
    sighting = Sighting(("uuid-sales",), (b"f" * 16,), "here", 3600)
    assert worker.state.seen(sighting) == {}
    worker.state.remember(sighting)
    assert ledger.sightings.seen(sighting, int(time.time())) == {"uuid-sales": Seen.RETRY}
    assert worker.state.seen(replace(sighting, origin="elsewhere")) == {"uuid-sales": Seen.REPEATED}
    with pytest.raises(DirectoryUnknown, match="another copy"):
        worker.state.remember(sighting)


def test_without_the_state_nobody_can_tell_what_came_before(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "nowhere")
    sighting = Sighting(("uuid-sales",), (b"f" * 16,), "here", 3600)
    assert worker.state.seen(sighting) is None
    with pytest.raises(DirectoryUnknown, match="can't be written"):
        worker.state.remember(sighting)
