"""Pieces of work: what fails keeps nothing else waiting, and is logged once until it succeeds."""

from __future__ import annotations

from functools import partial
from typing import cast

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.ledger import LedgerUnavailable


@pytest.fixture
def capture() -> LogCapture:
    return LogCapture()


@pytest.fixture
def attempts(capture: LogCapture) -> Attempts:
    return Attempts(cast(FilteringBoundLogger, structlog.wrap_logger(None, processors=[capture])))


def raising(error: Exception) -> bool:
    raise error


def test_a_step_gives_what_comes_of_it_and_none_where_it_failed(attempts: Attempts) -> None:
    assert attempts.step("x", lambda: 7) == 7
    assert attempts.step("x", lambda: raising(OSError("disk"))) is None
    assert attempts.step("x", lambda: raising(ZeroDivisionError())) is None


def test_the_same_trouble_is_one_line_and_its_end_another(attempts: Attempts, capture: LogCapture) -> None:
    for trouble in ("locked", "locked", "full", "locked", None, None):
        attempts.step("x", partial(raising, LedgerUnavailable(trouble)) if trouble else bool)
    said = [(line["log_level"], line.get("why", "")) for line in capture.entries]
    assert said == [("error", "locked"), ("error", "full"), ("error", "locked"), ("info", "")]


def test_only_a_surprise_has_a_traceback(attempts: Attempts, capture: LogCapture) -> None:
    attempts.step("x", lambda: raising(OSError("disk")))
    attempts.step("y", lambda: raising(ValueError("odd")))
    assert [bool(line["exc_info"]) for line in capture.entries] == [False, True]
    assert capture.entries[1]["why"] == "ValueError: odd"


def test_of_several_things_those_that_fail_keep_no_other_waiting(
    attempts: Attempts, capture: LogCapture
) -> None:
    done: list[str] = []

    def work(thing: str) -> str:
        if thing in {"b", "d", "e"}:
            raise DirectoryUnknown("too old") if thing != "e" else KeyError("e")
        done.append(thing)
        return thing.upper()

    for _ in range(2):
        assert attempts.each("x", "abcdef", work) == {"a": "A", "c": "C", "f": "F"}
    assert done == ["a", "c", "f"] * 2
    said = [(line["why"], line["first"], line["count"]) for line in capture.entries]
    assert said == [("too old", "b", 2), ("KeyError: 'e'", "e", 1)], "each reason once, not each thing"
    assert attempts.each("x", "ac", work) == {"a": "A", "c": "C"}
    assert capture.entries[-1]["event"] == "desk goes on"


def test_without_the_ledger_nothing_further_is_tried(attempts: Attempts) -> None:
    tried: list[str] = []

    def work(thing: str) -> None:
        tried.append(thing)
        raise LedgerUnavailable("locked")

    with pytest.raises(LedgerUnavailable):
        attempts.each("x", "abc", work)
    assert tried == ["a"]
