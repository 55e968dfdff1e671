"""How old the mirror has been, as page and API show it: the last day by minutes, the last thirty days by hours.

Read from what the desk records (`directory.ages`); a file that can't be read is shown as nothing recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from groupmilter.directory.age_history import Stretch, stretches, together
from groupmilter.directory.ages import MINUTES, QUARTERS, Ages, Ring
from groupmilter.panel.charts import Axis, Chart, Point, over_time
from groupmilter.panel.daily import DAY, DAYS, day_of
from groupmilter.panel.language import Words

_HOUR = 3_600
_COLUMN = 300
_WIDE = 6 * _HOUR
_LABELS = 6 * _HOUR
_LABEL_DAYS = 7


@dataclass(frozen=True, slots=True)
class History:
    """What is known of the mirror's age.

    :param day: the last 24 hours, five minutes each. ``weeks``: the last thirty days of a zone, six hours each.
    """

    day: tuple[Stretch, ...]
    weeks: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Both charts, and one sentence's facts about the last day: highest, too old, unknown."""

    day: Chart
    weeks: Chart
    facts: tuple[str, str, str]


def history(ages: Ages, limit: float, now: int, offset: int) -> History:
    """Return what is recorded.

    :param limit: age in seconds past which the mirror isn't trusted. ``offset``: of the zone of the days, seconds.
    """
    until = (now // _COLUMN + 1) * _COLUMN
    midnight = day_of(now, offset) * DAY - offset

    def read(ring: Ring, bounds: Sequence[int]) -> tuple[Stretch, ...]:
        known = _known(ages, ring, bounds)
        return stretches(known, ring.step, bounds, limit, now)

    return History(
        read(MINUTES, range(until - DAY, until + 1, _COLUMN)),
        read(QUARTERS, range(midnight - (DAYS - 1) * DAY, midnight + DAY + 1, _WIDE)),
    )


def _known(ages: Ages, ring: Ring, bounds: Sequence[int]) -> dict[int, float]:
    try:
        return ages.between(ring, bounds[0], bounds[-1])
    except OSError:
        # The page tells much else; its charts then show nothing but gaps.
        return {}


def drawn(found: History, limit: float, words: Words, offset: int) -> Drawn | None:
    """Return the charts; None where nothing is recorded at all."""
    if not any(each.recorded for each in (*found.day, *found.weeks)):
        return None
    hours = _folded(found.day, lambda at: (at + offset) // _HOUR)
    days = _folded(found.weeks, lambda at: day_of(at, offset))
    clocks = {
        number: words.clock(each.start)
        for number, each in enumerate(found.day)
        if (each.start + offset) % _LABELS == 0
    }
    last = len(days) - 1
    names = {
        number * (DAY // _WIDE): words.day(each.start + DAY // 2)
        for number, each in enumerate(days)
        if (last - number) % _LABEL_DAYS == 0
    }
    return Drawn(
        _chart(found.day, limit, Axis(DAY // _COLUMN, clocks), words, _rows(hours, words.clock, words)),
        _chart(found.weeks, limit, Axis(DAYS * DAY // _WIDE, names), words, _rows(days, words.day, words)),
        _facts(together(found.day), words),
    )


def _chart(
    found: Sequence[Stretch], limit: float, axis: Axis, words: Words, points: Sequence[Point]
) -> Chart:
    # Of less than a minute nothing can be recorded yet: a column that has just begun is no gap.
    told = [each for each in found if each.recorded or each.seconds >= MINUTES.step]
    ages = [None if each.gap else each.highest for each in told]
    return over_time(ages, limit, axis, words.short_length, points)


def _folded(found: Sequence[Stretch], key: Callable[[int], int]) -> list[Stretch]:
    numbers = dict.fromkeys(key(each.start) for each in found)
    parts = (together(each for each in found if key(each.start) == number) for number in numbers)
    return [part for part in parts if part is not None]


def _rows(found: Sequence[Stretch], named: Callable[[int], str], words: Words) -> list[Point]:
    return [Point(named(each.start), told=_facts(each, words)) for each in found]


def _facts(found: Stretch | None, words: Words) -> tuple[str, str, str]:
    """Return the highest age, how long it was too old, and how long nothing was recorded, in words."""
    if found is None:
        return "–", "–", "–"
    # Of less than a minute nothing can be recorded yet: that is going on.
    unknown = found.unknown if found.unknown >= MINUTES.step else 0
    return _age(found.highest, words), _length(found.too_old, words), _length(unknown, words)


def _length(seconds: int, words: Words) -> str:
    return words.length(seconds) if seconds else "–"


def _age(age: float | None, words: Words) -> str:
    if age is None:
        return "–"
    return words.length(age) if math.isfinite(age) else str(words.t("no mirror"))
