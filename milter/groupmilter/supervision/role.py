"""What is supervised, and the times that bound it. Values only: nothing here fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from groupmilter.supervision.channel import Channel


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of process.

    :param count: how many of them run.
    :param run: what each does with its end of the channel; returns the exit code. Runs in a fresh fork with
        default signal handling, in a process group of its own.
    :param descriptors: open files of the parent that this role needs; what the other roles named is closed.
    :param alone: never two at a time, not even while one replaces the other (a synchroniser).
    :param start_within: seconds until it must have reported ready.
    :param stall_after: seconds without a sign of life after which it is replaced; 0 asks for none.
    :param drain_within: seconds that it has for what it has begun, once it is to be replaced.
    """

    name: str
    count: int
    run: Callable[[Channel], int]
    descriptors: frozenset[int] = frozenset()
    alone: bool = False
    start_within: float = 60.0
    stall_after: float = 15.0
    drain_within: float = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Times of the supervisor itself, in seconds.

    :param stop: what a child may still need when everything stops.
    :param acknowledge: how long a child may take to say that it drains, and to end once its time is over.
    :param stable: a child that lived so long starts anew at once.
    :param shortest, longest: the pause before the second start in a row; doubled each time up to the longest.
    """

    stop: float = 30.0
    acknowledge: float = 10.0
    stable: float = 60.0
    shortest: float = 0.5
    longest: float = 30.0

    def pause(self, failures: int) -> float:
        """Return how long to wait before a start that ``failures`` short lives preceded."""
        return min(self.longest, self.shortest * 2.0 ** min(failures - 1, 30)) if failures else 0.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A configuration that was read and checked: the roles as they shall be now."""

    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A configuration with errors: everything stays as it is."""

    errors: tuple[str, ...]
