"""A desk that runs: it sees at once what comes and what others decide, and costs next to nothing at rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.moderation.deskwork import Deskwork, deskwork
from tests.moderation.ledgers import NOW

from groupmilter.moderation.item import Event, Way, Who
from groupmilter.moderation.ledger import Ledger

ANNA = Who("anna@example.org", Way.LINK, "person-anna")
DEADLINE = 30.0


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Deskwork]:
    with deskwork(tmp_path) as made:
        yield made


@contextmanager
def running(work: Deskwork) -> Iterator[None]:
    """The desk in a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=work.desk.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


def until(question: Callable[[], bool]) -> float:
    """Wait for something; return how many seconds it took."""
    began = time.monotonic()
    while not question():
        assert time.monotonic() - began < DEADLINE
        time.sleep(0.005)
    return time.monotonic() - began


def test_a_desk_that_runs_sees_new_mail_and_others_decisions_at_once(work: Deskwork) -> None:
    with running(work):
        time.sleep(0.5)
        name = work.hold.delivered(work.hold.ticket(1))
        until(lambda: work.hold.place(name) == "Held")
        item = work.hold.items()[name]
        elsewhere = Ledger.open(f"sqlite:///{work.hold.folder}/state.db")
        elsewhere.change(item.id, Event.REJECT, ANNA, NOW)
        elsewhere.close()
        until(lambda: work.hold.place(name) == "Rejected")
    assert work.lines("error") == []


def test_with_more_to_be_done_it_does_not_rest(work: Deskwork) -> None:
    work.releasing.busy = [True] * 20
    with running(work):
        assert until(lambda: work.played.order.count("send out") > 20) < DEADLINE / 3


def test_at_rest_it_costs_next_to_nothing_even_with_a_file_that_cant_be_taken_in(work: Deskwork) -> None:
    (work.hold.mailbox.path / "new" / "17.1.mx").mkdir()
    with running(work):
        until(lambda: bool(work.lines("error")))
        time.sleep(1.0)
        before, turns = time.process_time(), work.played.order.count("letters")
        time.sleep(3.0)
        spent = time.process_time() - before
        assert work.played.order.count("letters") - turns <= 2
    assert spent < 1.0
    assert len(work.lines("error")) == 1


def test_a_mailbox_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with deskwork(tmp_path) as work:
        root = work.hold.mailbox.path
        root.rename(tmp_path / "aside")
        with running(work):
            until(lambda: (root / "new").is_dir())
            name = work.hold.delivered(work.hold.ticket(1))
            until(lambda: work.hold.place(name) == "Held")


def test_it_ends_within_a_moment_of_being_told(work: Deskwork) -> None:
    with running(work):
        time.sleep(0.3)
        began = time.monotonic()
    assert time.monotonic() - began < DEADLINE / 3
