"""What was recorded of the mirror's age, told in stretches of time: the highest, too old for how long, gaps. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """How old the mirror was from one time to another.

    :param start: seconds since 1970. ``seconds``: how much of it has passed.
    :param recorded, too_old: for how many of these it is known, and for how many it was past what is trusted.
    :param highest: in seconds, `ages.NEVER` for no mirror to read; None where nothing is known.
    """

    start: int
    seconds: int
    recorded: int = 0
    too_old: int = 0
    highest: float | None = None

    @property
    def unknown(self) -> int:
        """Seconds of which nothing is recorded."""
        return self.seconds - self.recorded

    @property
    def gap(self) -> bool:
        """Whether less of it is known than isn't."""
        return self.unknown > self.recorded


def stretches(
    ages: Mapping[int, float], every: int, bounds: Sequence[int], limit: float, now: int
) -> tuple[Stretch, ...]:
    """Return the stretches between times, those that have begun.

    :param ages: the highest age in each ``every`` seconds, by when these began (`ages.Ages.between`).
    :param bounds: seconds since 1970, in order. ``limit``: age past which the mirror isn't trusted.
    """
    found: list[list[float]] = [[] for _ in bounds[1:]]
    for at, age in ages.items():
        place = bisect_right(bounds, at) - 1
        if 0 <= place < len(found):
            found[place].append(age)
    pairs = zip(bounds, bounds[1:], found, strict=False)
    return tuple(
        _stretch(start, min(end, now) - start, known, every, limit)
        for start, end, known in pairs
        if start < now
    )


def _stretch(start: int, seconds: int, known: Sequence[float], every: int, limit: float) -> Stretch:
    too_old = sum(age > limit for age in known)
    # What is going on now counts as far as it has come.
    return Stretch(
        start,
        seconds,
        min(seconds, len(known) * every),
        min(seconds, too_old * every),
        max(known, default=None),
    )


def together(parts: Iterable[Stretch]) -> Stretch | None:
    """Return one stretch for several that follow each other; None for none."""
    every = tuple(parts)
    if not every:
        return None
    known = [part.highest for part in every if part.highest is not None]
    return Stretch(
        every[0].start,
        sum(part.seconds for part in every),
        sum(part.recorded for part in every),
        sum(part.too_old for part in every),
        max(known, default=None),
    )
