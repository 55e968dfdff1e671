"""What is recorded of the mirror's age: in a file that never grows, and that survives what is done to it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from groupmilter.directory.age_history import Stretch, stretches, together
from groupmilter.directory.ages import MINUTES, NEVER, QUARTERS, Ages

NOON = 1_795_694_400
DAY = 86_400


@pytest.fixture
def ages(tmp_path: Path) -> Ages:
    return Ages(tmp_path / "state.ages")


def test_what_was_noted_is_found_by_minute_and_by_quarter_of_an_hour(ages: Ages) -> None:
    for second, age in ((0, 5.0), (59, 2.0), (60, 700.0), (840, 1.5), (900, NEVER)):
        ages.note(NOON + second, age)
    assert ages.between(MINUTES, NOON, NOON + DAY) == {
        NOON: 5.0, NOON + 60: 700.0, NOON + 840: 1.5, NOON + 900: math.inf,
    }  # fmt: skip
    assert ages.between(QUARTERS, NOON, NOON + DAY) == {NOON: 700.0, NOON + 900: math.inf}
    assert ages.between(MINUTES, NOON + 60, NOON + 840) == {NOON + 60: 700.0}


def test_the_file_never_grows_and_forgets_by_itself(ages: Ages) -> None:
    ages.note(NOON, 1.0)
    size = ages.path.stat().st_size
    for minute in range(0, 40 * 24 * 60, 15):
        ages.note(NOON + minute * 60, float(minute))
    assert ages.path.stat().st_size == size < 70_000
    assert ages.path.stat().st_mode & 0o007 == 0
    end = NOON + 40 * DAY
    quarters = ages.between(QUARTERS, 0, end)
    assert (min(quarters), len(quarters)) == (end - 35 * DAY, 35 * 96)
    assert min(ages.between(MINUTES, 0, end)) >= end - 25 * 3600


def test_another_process_goes_on_where_the_first_one_ended(ages: Ages) -> None:
    ages.note(NOON, 40.0)
    Ages(ages.path).note(NOON + 30, 3.0)
    assert Ages(ages.path).between(MINUTES, NOON, NOON + 60) == {NOON: 40.0}


def test_without_a_file_nothing_is_recorded(ages: Ages) -> None:
    assert ages.between(MINUTES, 0, NOON) == {}


def test_a_damaged_place_is_a_gap_and_a_foreign_file_begins_anew(ages: Ages) -> None:
    ages.note(NOON, 1.0)
    ages.note(NOON + 60, 2.0)
    octets = bytearray(ages.path.read_bytes())
    octets[MINUTES.at(NOON // 60) + 2] ^= 1
    ages.path.write_bytes(octets)
    assert ages.between(MINUTES, NOON, NOON + DAY) == {NOON + 60: 2.0}
    ages.note(NOON, 3.0)
    assert ages.between(MINUTES, NOON, NOON + DAY) == {NOON: 3.0, NOON + 60: 2.0}
    for foreign in (b"", b"something else", bytes(octets[:-1]), b"x" * len(octets)):
        ages.path.write_bytes(foreign)
        assert ages.between(MINUTES, 0, NOON + DAY) == {}
        ages.note(NOON, 4.0)
        assert ages.between(MINUTES, 0, NOON + DAY) == {NOON: 4.0}


def test_a_clock_that_was_wrong_leaves_nothing_behind(ages: Ages) -> None:
    ages.note(NOON + 400 * DAY, 1.0)
    ages.note(NOON, 2.0)
    assert ages.between(MINUTES, NOON - DAY, NOON + 60) == {NOON: 2.0}


def test_stretches_tell_the_highest_age_what_was_too_old_and_what_is_unknown() -> None:
    ages = {0: 5.0, 60: 130.0, 120: NEVER, 600: 1.0, 660: 2.0}
    found = stretches(ages, 60, (0, 300, 600, 900, 1200), 120.0, 690)
    assert found == (
        Stretch(0, 300, 180, 120, NEVER),
        Stretch(300, 300, 0, 0, None),
        Stretch(600, 90, 90, 0, 2.0),
    )
    assert [each.gap for each in found] == [False, True, False]
    assert together(found) == Stretch(0, 690, 270, 120, NEVER)
    assert together(()) is None
    assert stretches({}, 60, (0, 300), 120.0, 0) == ()
