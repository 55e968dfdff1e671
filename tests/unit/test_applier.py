"""Carrying out a plan, edit by edit, in time, or not at all."""

from dataclasses import dataclass, field
from itertools import count

import pytest

from groupmilter.mail.action import (
    Action,
    AddHeader,
    AddRecipient,
    ChangeSender,
    DeleteHeader,
    DeleteRecipient,
    InsertHeader,
    LeaveOut,
)
from groupmilter.mail.reply import reply
from groupmilter.mta.applier import OutOfTime, answer, apply, spaced


@dataclass
class Recorder:
    """Notes what libmilter would be asked, and fails where told."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    fails_at: int = 10**9

    def _note(self, *what: object) -> None:
        if len(self.asked) == self.fails_at:
            raise RuntimeError("cannot add recipient")
        self.asked.append(what)

    def addrcpt(self, recipient: str, parameters: str | None = None) -> None:
        self._note("addrcpt", recipient, parameters)

    def delrcpt(self, recipient: str) -> None:
        self._note("delrcpt", recipient)

    def addheader(self, name: str, value: str, index: int = -1) -> None:
        self._note("addheader", name, value, index)

    def chgheader(self, name: str, index: int, value: str | None) -> None:
        self._note("chgheader", name, index, value)

    def setreply(self, code: str, enhanced: str, text: str) -> None:
        self._note("setreply", code, enhanced, text)

    def remember(self, ticket: str, addresses: tuple[str, ...]) -> None:
        self._note("remember", ticket, addresses)

    def chgfrom(self, sender: str, parameters: str | None = None) -> None:
        self._note("chgfrom", sender, parameters)


PLAN: tuple[Action, ...] = (
    LeaveOut("ticket", ("c@x.example",)),
    AddRecipient("a@x.example"),
    AddRecipient("b@x.example", "NOTIFY=NEVER"),
    AddHeader("X-A", "1"),
    InsertHeader("X-B", "2"),
    DeleteHeader("X-C", 3),
    ChangeSender("s@x.example"),
    DeleteRecipient('<"g"@x.example>'),
)


def test_each_action_in_its_order() -> None:
    recorder = Recorder()
    assert apply(PLAN, recorder, 1.0, observe=False, remember=recorder.remember, clock=lambda: 0.0) == 8
    assert recorder.asked == [
        ("remember", "ticket", ("c@x.example",)),
        ("addrcpt", "<a@x.example>", None),
        ("addrcpt", "<b@x.example>", "NOTIFY=NEVER"),
        ("addheader", "X-A", "1", -1),
        ("addheader", "X-B", "2", 1),
        ("chgheader", "X-C", 3, None),
        ("chgfrom", "<s@x.example>", None),
        ("delrcpt", '<"g"@x.example>'),
    ]


def test_an_mta_that_writes_no_space_gets_one_with_the_value() -> None:
    assert list(spaced(PLAN)) == [
        *PLAN[:3],
        AddHeader("X-A", " 1"),
        InsertHeader("X-B", " 2"),
        *PLAN[5:],
    ]


def test_observing_performs_nothing() -> None:
    recorder = Recorder()
    assert apply(PLAN, recorder, -1.0, observe=True, remember=recorder.remember, clock=lambda: 0.0) == 0
    assert not answer(reply("550 5.7.1", "no"), recorder, observe=True)
    assert recorder.asked == []


def test_a_failed_edit_ends_it_before_anything_is_deleted() -> None:
    recorder = Recorder(fails_at=2)
    with pytest.raises(RuntimeError, match="cannot add"):
        apply(PLAN, recorder, 1.0, observe=False, remember=recorder.remember, clock=lambda: 0.0)
    assert [asked[0] for asked in recorder.asked] == ["remember", "addrcpt"]


def test_our_own_time_runs_out_in_the_middle() -> None:
    recorder, ticks = Recorder(), count()
    many = [AddRecipient(f"a{number}@x.example") for number in range(2_000)]
    with pytest.raises(OutOfTime, match="after 768 edits"):
        apply(
            many, recorder, 2.5, observe=False, remember=recorder.remember, clock=lambda: float(next(ticks))
        )
    assert len(recorder.asked) == 768


def test_past_the_deadline_nothing_begins() -> None:
    recorder = Recorder()
    with pytest.raises(OutOfTime):
        apply(PLAN, recorder, 1.0, observe=False, remember=recorder.remember, clock=lambda: 2.0)
    assert recorder.asked == []


def test_an_answer_is_set_with_both_codes() -> None:
    recorder = Recorder()
    assert answer(reply("450 4.7.1", "later"), recorder, observe=False)
    assert recorder.asked == [("setreply", "450", "4.7.1", "later")]
