"""Log-ins that fail are slowed down by name and by address, and never for good; the clock is the test's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from groupmilter.panel.login_throttle import LoginThrottle

HERE, THERE, OFFICE = "192.0.2.1", "198.51.100.9", "203.0.113.5"
LONGEST = 300.0


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def throttle(clock: Clock, tries: int = 3, tries_by_address: int = 10) -> LoginThrottle:
    return LoginThrottle(tries, tries_by_address, LONGEST, clock)


def failed(guarded: LoginThrottle, clock: Clock, name: str, address: str, times: int) -> list[int]:
    """Fail some times as fast as is allowed; return the waits between."""
    waits = []
    for _ in range(times):
        wait = 0
        while (left := guarded.begin(name, address)) > 0:
            wait += left
            clock.now += left
        waits.append(wait)
    return waits


def test_waits_double_up_to_the_longest_and_an_attempt_is_always_taken_in_the_end() -> None:
    clock = Clock()
    waits = failed(throttle(clock, tries_by_address=1000), clock, "anna", HERE, 40)
    assert waits[:3] == [0, 0, 0]
    assert all(later >= earlier for earlier, later in pairwise(waits[3:16]))
    assert 2 <= waits[4] <= 4
    assert max(waits) <= LONGEST + 2
    assert waits[-1] > 30


def test_an_attempt_during_the_wait_is_not_made_and_makes_it_no_longer() -> None:
    clock = Clock()
    guarded = throttle(clock)
    failed(guarded, clock, "anna", HERE, 6)
    first = guarded.begin("anna", HERE)
    assert first > 1
    assert [guarded.begin("anna", HERE) for _ in range(50)] == [first] * 50
    clock.now += first
    assert guarded.begin("anna", HERE) == 0


def test_another_address_is_no_way_round_for_a_name_nor_another_name_for_an_address() -> None:
    clock = Clock()
    guarded = throttle(clock)
    failed(guarded, clock, "anna", HERE, 6)
    assert guarded.begin("anna", THERE) > 0
    spread = throttle(clock)
    waits = [spread.begin(f"name-{number}", f"2001:db8::{number:x}") for number in range(1, 12)]
    assert waits[:10] == [0] * 10, "one network of 64 bits is one client"
    assert waits[10] > 0


def test_many_at_once_are_no_way_round() -> None:
    guarded = throttle(Clock())
    assert [guarded.begin("anna", HERE) > 0 for _ in range(20)] == [False] * 3 + [True] * 17


def test_who_has_come_in_from_an_address_before_is_not_slowed_there_by_others() -> None:
    clock = Clock()
    guarded = throttle(clock)
    assert guarded.begin("anna", OFFICE) == 0
    guarded.succeeded("anna", OFFICE)
    failed(guarded, clock, "anna", THERE, 8)
    for number in range(30):
        guarded.begin(f"other-{number}", OFFICE)
    assert guarded.begin("new", OFFICE) > 0
    assert guarded.begin("anna", OFFICE) == 0
    guarded.succeeded("anna", OFFICE)
    waits = [guarded.begin("anna", OFFICE) for _ in range(5)]
    assert waits[:3] == [0, 0, 0], "his own failures count"
    assert waits[3] > 0


def test_who_knows_one_password_gets_no_more_tries_at_others() -> None:
    clock = Clock()
    guarded = throttle(clock, tries_by_address=5)
    guesses = 0
    for number in range(100):
        if guarded.begin("mallory", HERE) == 0:
            guarded.succeeded("mallory", HERE)
        guesses += guarded.begin(f"victim-{number}", HERE) == 0
    assert guesses <= 6


def test_what_came_to_nothing_does_not_count_and_failures_fade() -> None:
    clock = Clock()
    guarded = throttle(clock)
    for _ in range(50):
        assert guarded.begin("anna", HERE) == 0
        guarded.undecided("anna", HERE)
    failed(guarded, clock, "bert", HERE, 3)
    clock.now += 3 * LONGEST + 1
    assert failed(guarded, clock, "bert", HERE, 3) == [0, 0, 0]


def test_memory_is_bounded() -> None:
    guarded = throttle(Clock(), tries_by_address=10**9)
    for number in range(40_000):
        guarded.begin(f"name-{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(guarded) <= 8192


def test_who_has_to_wait_can_not_push_out_what_is_remembered() -> None:
    clock = Clock()
    guarded = throttle(clock)
    failed(guarded, clock, "anna", THERE, 8)
    for number in range(30_000):
        guarded.begin(f"name-{number}", HERE)
    assert guarded.begin("anna", THERE) > 0
