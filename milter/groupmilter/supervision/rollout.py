"""Which child to start, drain or kill next: a pure function of what runs, what is wanted and the time.

A replacement is started and has reported ready before one that it replaces is drained, one after the other, so
a configuration that can't start leaves the old processes at work. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from groupmilter.supervision.channel import Detail
from groupmilter.supervision.role import Limits, Role


class Stage(StrEnum):
    """All states of a child: starting -> serving -> draining -> killed; from each it can end."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Child:
    """One process that was forked and has not been waited for.

    :param heard: when it last gave a sign of life.
    :param asked, grace: when it was told to drain, and how many seconds it was given.
    """

    pid: int
    role: Role
    generation: int
    started: float
    heard: float
    stage: Stage = Stage.STARTING
    asked: float = 0.0
    grace: float = 0.0
    acknowledged: bool = False
    detail: Detail = field(default_factory=dict)

    @property
    def at_work(self) -> bool:
        """Whether it takes work, or will in a moment."""
        return self.stage in {Stage.STARTING, Stage.SERVING}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A role as it shall be; children of an older generation are to be replaced."""

    role: Role
    generation: int


@dataclass(frozen=True, slots=True)
class Start:
    """Fork one more child."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Drain:
    """Tell a child to finish; ``why`` goes to the log."""

    pid: int
    why: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End a child at once."""

    pid: int
    why: str


Order = Start | Drain | Kill


def orders(
    children: Sequence[Child],
    wanted: Sequence[Wanted],
    not_before: Mapping[str, float],
    now: float,
    limits: Limits,
) -> tuple[Order, ...]:
    """Return what to do now.

    :param not_before: by role, the time before which none is started (the pause after failures).
    """
    overdue = tuple(order for child in children if (order := _overdue(child, now, limits)) is not None)
    condemned = {order.pid for order in overdue}
    well = [child for child in children if child.pid not in condemned]
    found: list[Order] = list(overdue)
    for each in wanted:
        paused = now < not_before.get(each.role.name, 0.0)
        found += _of_role([c for c in well if c.role.name == each.role.name], each, paused=paused)
    names = {each.role.name for each in wanted}
    found += [Drain(c.pid, "no longer wanted") for c in well if c.at_work and c.role.name not in names]
    return tuple(found)


def settled(children: Sequence[Child], wanted: Sequence[Wanted]) -> bool:
    """Say whether every wanted child serves, and none of an older generation takes work any more.

    One that was told to drain may still take some until it has acknowledged that.
    """
    return all(child.acknowledged for child in children if child.stage is Stage.DRAINING) and all(
        sum(1 for child in mine if child.stage is Stage.SERVING) == each.role.count
        and all(child.generation == each.generation for child in mine)
        for each in wanted
        for mine in [[child for child in children if child.at_work and child.role.name == each.role.name]]
    )


def _overdue(child: Child, now: float, limits: Limits) -> Drain | Kill | None:
    role = child.role
    if child.stage is Stage.STARTING and now - child.started > role.start_within:
        return Kill(child.pid, f"not ready within {role.start_within:g} s")
    if child.stage is Stage.SERVING and role.stall_after and now - child.heard > role.stall_after:
        return Drain(child.pid, f"no sign of life for {role.stall_after:g} s")
    if child.stage is not Stage.DRAINING:
        return None
    if not child.acknowledged and now - child.asked > limits.acknowledge:
        return Kill(child.pid, f"does not drain within {limits.acknowledge:g} s")
    if now - child.asked > child.grace + limits.acknowledge:
        return Kill(child.pid, f"still there after {child.grace:g} s")
    return None


def _of_role(mine: Sequence[Child], wanted: Wanted, *, paused: bool) -> Iterator[Order]:
    """Yield the orders for one role; ``mine`` are its children of all generations."""
    role = wanted.role
    current = [child for child in mine if child.at_work and child.generation == wanted.generation]
    old = [child for child in mine if child.at_work and child.generation != wanted.generation]
    never_ready = [child for child in old if child.stage is Stage.STARTING]
    old_serving = [child for child in old if child.stage is Stage.SERVING]
    serving = [child for child in current if child.stage is Stage.SERVING]
    surplus = len(old) if role.alone else len(serving) + len(old_serving) - role.count
    leaving = (old_serving + serving)[: max(0, surplus)]
    for child in never_ready + leaving:
        yield Drain(child.pid, "replaced" if child in old else "no longer wanted")
    if not paused:
        occupied = len(mine) if role.alone else len(current)
        missing = role.count - occupied
        wave = min(missing, 1 - (len(current) - len(serving))) if old_serving else missing
        yield from [Start(wanted)] * max(0, wave)
