"""How many letters somebody gets in any hour, and when the rest is told together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.moderation.pacing import GATHER, HOUR, Allowance, Piece, allowance

NOW = 1_000_000


def pieces(*ages: int, summary: int | None = None) -> list[Piece]:
    told = [] if summary is None else [Piece(NOW - summary, summary=True)]
    return sorted([*(Piece(NOW - age) for age in ages), *told], key=lambda piece: piece.at)


@pytest.mark.parametrize(
    ("sent", "ages", "allowed"),
    [
        ([], [], Allowance(0, False, NOW + GATHER)),
        ([], [0, 0], Allowance(2, False, NOW + GATHER)),
        ([], [0] * 5, Allowance(3, False, NOW + GATHER)),
        (pieces(0, 0, 0), [GATHER - 1], Allowance(0, False, NOW + 1)),
        (pieces(0, 0, 0), [GATHER, 0], Allowance(0, True, NOW + HOUR)),
        (pieces(HOUR - 9, 5, 5), [GATHER, 0], Allowance(0, True, NOW + 9)),
        (pieces(5, 5), [GATHER, 0], Allowance(1, False, NOW + GATHER)),
        (pieces(5, 5, 5, summary=600), [2000, 0], Allowance(0, False, NOW + HOUR - 600)),
        (pieces(5, 5, summary=600), [2000, 0], Allowance(1, False, NOW + HOUR - 600)),
    ],
)
def test_what_may_be_sent(sent: list[Piece], ages: list[int], allowed: Allowance) -> None:
    assert allowance(sent, [NOW - age for age in ages], 3, NOW) == allowed


@given(st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=40), st.integers(1, 5))
def test_in_any_hour_so_many_letters_and_one_summary(arrivals: list[int], per_hour: int) -> None:
    sent: list[Piece] = []
    waiting: list[int] = []
    coming = sorted(arrivals)
    time, steps = coming[0], 0
    while waiting or coming:
        while coming and coming[0] <= time:
            waiting.append(coming.pop(0))
        recent = [piece for piece in sent if piece.at > time - HOUR]
        allowed = allowance(recent, waiting, per_hour, time)
        sent += [Piece(time)] * allowed.singles
        waiting = waiting[allowed.singles :]
        if allowed.summary:
            sent.append(Piece(time, summary=True))
            waiting = waiting[2:]
        assert allowed.again > time
        time = min([allowed.again, *coming[:1]])
        steps += 1
        assert steps < 500, "something is sent in the end"
    for piece in sent:
        hour = [other for other in sent if piece.at - HOUR < other.at <= piece.at]
        assert sum(1 for other in hour if not other.summary) <= per_hour
        assert sum(1 for other in hour if other.summary) <= 1
