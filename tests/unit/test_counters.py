"""The shared table of counts: windows that slide, slots that are taken over, nothing that fails."""

from multiprocessing import get_context

from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mta.counters import Counters, CountsNow
from groupmilter.policy.facts import Count

ONE = Count("storm", "uuid", 60)
START = 1_700_000_040.0
"""The beginning of a minute."""


def filled(number: int, at: float = START) -> Counters:
    counters = Counters(64)
    for _ in range(number):
        counters.add([ONE], at)
    return counters


def test_what_was_counted_is_read() -> None:
    counters = filled(5)
    assert counters.read(ONE, START + 59) == 5
    assert counters.read(Count("storm", "other", 60), START) == 0
    assert counters.read(Count("storm", "uuid", 61), START) == 0


def test_the_window_slides() -> None:
    counters = filled(8)
    assert counters.read(ONE, START + 60) == 8
    assert counters.read(ONE, START + 90) == 4
    assert counters.read(ONE, START + 120) == 0
    counters.add([ONE], START + 90)
    assert counters.read(ONE, START + 90) == 5


def test_after_a_pause_counting_begins_anew() -> None:
    counters = filled(8)
    counters.add([ONE], START + 600)
    assert counters.read(ONE, START + 600) == 1


def test_a_clock_set_back_loses_counts_but_never_fails() -> None:
    counters = filled(8)
    assert counters.read(ONE, START - 3600) == 0
    counters.add([ONE], START - 3600)
    assert counters.read(ONE, START - 3600) == 1


def test_a_full_table_forgets_the_oldest_first() -> None:
    counters = Counters(9)
    old = [Count("old", str(number), 60) for number in range(8)]
    counters.add(old, START)
    recent = [Count("new", str(number), 60) for number in range(4)]
    counters.add(recent, START + 600)
    assert [counters.read(count, START + 600) for count in recent] == [1] * 4


def test_processes_share_the_table() -> None:
    counters = filled(1)
    child = get_context("fork").Process(target=counters.add, args=([ONE], START))
    child.start()
    child.join(150)
    assert child.exitcode == 0
    assert counters.read(ONE, START) == 2


def test_the_view_of_a_moment() -> None:
    view = CountsNow(filled(3), START + 30)
    assert view.get(ONE, 0) == view[ONE] == 3
    assert list(view) == []
    assert len(view) == 0


@given(st.lists(st.floats(0, 1e9), max_size=30), st.integers(1, 10**6))
def test_an_estimate_is_never_above_what_was_counted_nor_below_nothing(
    times: list[float], seconds: int
) -> None:
    counters = Counters(64)
    count = Count("any", "\udcff", seconds)
    for at in sorted(times):
        counters.add([count], at)
    assert 0 <= counters.read(count, max(times, default=0.0)) <= len(times)
