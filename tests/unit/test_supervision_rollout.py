"""Which child is started, drained or killed: the decision alone, without a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.supervision.channel import Channel
from groupmilter.supervision.role import Limits, Role
from groupmilter.supervision.rollout import Child, Drain, Kill, Order, Stage, Start, Wanted, orders, settled

LIMITS = Limits()
NOW = 1000.0


def _run(_: Channel) -> int:
    return 0


MILTER = Role("milter", 2, _run)
DIRECTORY = Role("directory", 1, _run, alone=True)


def _child(pid: int, role: Role = MILTER, generation: int = 1, stage: Stage = Stage.SERVING) -> Child:
    return Child(pid, role, generation, started=NOW - 5, heard=NOW - 1, stage=stage, asked=NOW - 1, grace=300)


def _orders(
    *children: Child, wanted: Sequence[Wanted] = (Wanted(MILTER, 1),), now: float = NOW
) -> list[Order]:
    return list(orders(children, wanted, {}, now, LIMITS))


def test_at_first_all_are_started_at_once() -> None:
    assert _orders() == [Start(Wanted(MILTER, 1))] * 2


def test_nothing_is_done_while_all_is_well() -> None:
    assert _orders(_child(1), _child(2)) == []
    assert settled([_child(1), _child(2)], [Wanted(MILTER, 1)])


def test_a_missing_one_is_started() -> None:
    assert _orders(_child(1)) == [Start(Wanted(MILTER, 1))]


def test_none_is_started_in_the_pause_after_failures() -> None:
    assert orders([], [Wanted(MILTER, 1)], {"milter": NOW + 0.1}, NOW, LIMITS) == ()
    assert len(orders([], [Wanted(MILTER, 1)], {"milter": NOW}, NOW, LIMITS)) == 2


def test_a_replacement_goes_one_by_one_and_the_new_one_comes_first() -> None:
    wanted = [Wanted(MILTER, 2)]
    old = [_child(1), _child(2)]
    assert _orders(*old, wanted=wanted) == [Start(wanted[0])]
    coming = _child(3, generation=2, stage=Stage.STARTING)
    assert _orders(*old, coming, wanted=wanted) == []
    come = replace(coming, stage=Stage.SERVING)
    assert _orders(*old, come, wanted=wanted) == [Drain(1, "replaced"), Start(wanted[0])]
    assert not settled([*old, come], wanted)
    told = _child(1, stage=Stage.DRAINING)
    assert not settled([told, come, _child(4, generation=2)], wanted), "it may still take a connection"
    assert settled([replace(told, acknowledged=True), come, _child(4, generation=2)], wanted)


def test_one_that_must_be_alone_is_started_after_the_end_of_the_old_one() -> None:
    wanted = [Wanted(DIRECTORY, 2)]
    assert _orders(_child(1, DIRECTORY), wanted=wanted) == [Drain(1, "replaced")]
    assert _orders(_child(1, DIRECTORY, stage=Stage.DRAINING), wanted=wanted) == []
    assert _orders(wanted=wanted) == [Start(wanted[0])]


def test_a_smaller_count_drains_the_surplus() -> None:
    fewer = [Wanted(replace(MILTER, count=1), 1)]
    assert _orders(_child(1), _child(2), wanted=fewer) == [Drain(1, "no longer wanted")]


def test_a_role_that_is_no_longer_wanted_is_drained() -> None:
    assert _orders(_child(1), _child(2, DIRECTORY, stage=Stage.STARTING), wanted=[]) == [
        Drain(1, "no longer wanted"),
        Drain(2, "no longer wanted"),
    ]


def test_one_of_an_old_generation_that_never_got_ready_is_drained() -> None:
    found = _orders(_child(1, stage=Stage.STARTING), wanted=[Wanted(MILTER, 2)])
    assert found[0] == Drain(1, "replaced")


@pytest.mark.parametrize(
    ("child", "order"),
    [
        (replace(_child(1, stage=Stage.STARTING), started=NOW - 61), Kill(1, "not ready within 60 s")),
        (replace(_child(1), heard=NOW - 16), Drain(1, "no sign of life for 15 s")),
        (replace(_child(1, stage=Stage.DRAINING), asked=NOW - 11), Kill(1, "does not drain within 10 s")),
        (
            replace(_child(1, stage=Stage.DRAINING), asked=NOW - 311, acknowledged=True),
            Kill(1, "still there after 300 s"),
        ),
    ],
)
def test_one_whose_time_is_over(child: Child, order: Order) -> None:
    assert _orders(child, _child(2), _child(3)) == [order]


def test_one_that_gives_no_signs_of_life_by_agreement_is_left_alone() -> None:
    mute = replace(MILTER, stall_after=0.0)
    child = replace(_child(1, mute), heard=0.0)
    assert _orders(child, _child(2, mute), wanted=[Wanted(mute, 1)]) == []


def test_one_that_drains_with_its_time_left_is_left_alone() -> None:
    child = replace(_child(1, stage=Stage.DRAINING), asked=NOW - 250, acknowledged=True)
    assert _orders(child, _child(2), _child(3)) == []


def test_pauses_grow_up_to_the_longest() -> None:
    assert [LIMITS.pause(n) for n in range(9)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert LIMITS.pause(10_000) == 30.0


@given(
    st.lists(st.tuples(st.sampled_from(list(Stage)), st.integers(1, 3)), max_size=12),
    st.integers(0, 4),
)
def test_enough_serve_at_each_step_if_enough_did(found: list[tuple[Stage, int]], count: int) -> None:
    role = replace(MILTER, count=count)
    children = [
        _child(pid, role, generation=generation, stage=stage) for pid, (stage, generation) in enumerate(found)
    ]
    serving = {child.pid for child in children if child.stage is Stage.SERVING}
    given = _orders(*children, wanted=[Wanted(role, 3)])
    left = serving - {order.pid for order in given if isinstance(order, Drain | Kill)}
    assert len(left) >= min(count, len(serving))
    assert len({order.pid for order in given if isinstance(order, Drain | Kill)}) + sum(
        isinstance(order, Start) for order in given
    ) == len(given)


@given(st.integers(1, 4), st.integers(0, 4))
def test_a_replacement_ends(before: int, after: int) -> None:
    role, wanted = replace(MILTER, count=before), [Wanted(replace(MILTER, count=after), 2)]
    children = {pid: _child(pid, role) for pid in range(before)}
    for _ in range(20):
        for order in orders(list(children.values()), wanted, {}, NOW, LIMITS):
            if isinstance(order, Start):
                pid = max(children, default=0) + 1
                children[pid] = _child(pid, generation=2)
            else:
                del children[order.pid]
    assert settled(list(children.values()), wanted)
    assert len(children) == after
