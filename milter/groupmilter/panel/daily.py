"""The last thirty days one by one, for page and API: what was decided, what waited. Raises `LedgerUnavailable`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from groupmilter.language.speech import local_time
from groupmilter.moderation.overview import Crowd, Day, Overview
from groupmilter.panel.language import Words

DAY = 86_400
DAYS = 30


@dataclass(frozen=True, slots=True)
class Daily:
    """One day; ``start`` in seconds since 1970."""

    start: int
    decided: Day
    crowd: Crowd


def daily(overview: Overview, now: int, offset: int) -> tuple[Daily, ...]:
    """Return the days, today the last of them.

    :param offset: seconds that the zone of the days is before UTC.
    """
    today = day_of(now, offset)
    numbers = range(today - DAYS + 1, today + 1)
    starts = [number * DAY - offset for number in numbers]
    decided = {day.number: day for day in overview.days(starts[0], offset)}
    crowds = overview.waited((*starts, now + 1))
    return tuple(
        Daily(start, decided.get(number, Day(number)), crowd)
        for number, start, crowd in zip(numbers, starts, crowds, strict=True)
    )


def day_of(at: int, offset: int) -> int:
    """Return the number of a day in a zone: seconds since 1970 by 86,400."""
    return (at + offset) // DAY


def offset_of(now: int, words: Words) -> int:
    """Return how many seconds the zone of a page is before UTC."""
    return int((local_time(now, words.zone).utcoffset() or timedelta()).total_seconds())
