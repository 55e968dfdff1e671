"""Saying things in one language: sentences with their values, counts, times, numbers, sizes. Pure.

Times are shown in the host's zone unless another is given, and say their difference from UTC. Sources: Unicode CLDR
through Babel.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal
from babel.units import format_unit

from groupmilter.language.catalogue import Catalogue
from groupmilter.language.spoken import said

# Day before month, as in most places where English is read beside French.
LOCALES = {"en": "en_GB", "fr": "fr"}
_KILO = 1000


@dataclass(frozen=True, slots=True)
class Speech:
    """One language with its catalogue.

    :param zone: in which times are said; None for the host's.
    """

    language: str
    catalogue: Catalogue
    zone: tzinfo | None = None

    def say(self, sentence: str, **values: object) -> str:
        """Return a sentence, the values in their places."""
        return said(partial(self.catalogue, self.language), sentence, values)

    def counted(self, one: str, many: str, number: int) -> str:
        """Return the form of a sentence for a number, which stands in the place ``{number}``."""
        form = self.catalogue.counted(self.language, one, many, number)
        return form.format(number=spoken_number(number, self.language))

    def when(self, time: int) -> str:
        """Return a time: day, clock and difference from UTC.

        :param time: seconds since 1970, UTC.
        """
        local = local_time(time, self.zone)
        day, clock = spoken_day(local, self.language), spoken_clock(local, self.language)
        return f"{self.say('{date} at {time}', date=day, time=clock)} ({difference(local)})"

    def size(self, octets: int) -> str:
        """Return a size, rounded to what people compare."""
        return spoken_size(octets, self.language)


def local_time(time: int, zone: tzinfo | None) -> datetime:
    """Return seconds since 1970, UTC, in a zone; None for the host's."""
    return datetime.fromtimestamp(time, tz=zone).astimezone(zone)


def spoken_day(local: datetime, language: str) -> str:
    """Return ``Tuesday 24 November 2026``."""
    return format_date(local, "full", locale=LOCALES[language])


def spoken_clock(local: datetime, language: str) -> str:
    """Return ``17:51``."""
    return format_time(local, "HH:mm", locale=LOCALES[language])


def spoken_moment(local: datetime, language: str) -> str:
    """Return ``24 Nov 2026, 17:51``, where there is no room for more."""
    return format_datetime(local, "d MMM yyyy, HH:mm", locale=LOCALES[language])


def spoken_date(local: datetime, language: str) -> str:
    """Return ``24 Nov``."""
    return format_date(local, "d MMM", locale=LOCALES[language])


def spoken_length(seconds: float, language: str) -> str:
    """Return ``3 hours``, ``4 days``: a length of time in its largest unit, a minute at least."""
    # Babel rounds up where most of the next unit has passed; a deadline is better said too early.
    return format_timedelta(
        timedelta(seconds=max(60, seconds)), granularity="minute", threshold=2, locale=LOCALES[language]
    )


def spoken_short_length(seconds: float, language: str) -> str:
    """Return ``3 hrs``, ``4 days``: a length of time as an axis has room for it."""
    return format_timedelta(
        timedelta(seconds=seconds),
        granularity="minute",
        threshold=1,
        format="short",
        locale=LOCALES[language],
    )


def difference(local: datetime) -> str:
    """Return ``UTC+1``, ``UTC−3:30``."""
    minutes = int((local.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "−"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def spoken_number(number: int, language: str) -> str:
    """Return ``9,950``."""
    return format_decimal(number, locale=LOCALES[language])


def spoken_size(octets: int, language: str) -> str:
    """Return ``812 bytes``, ``12 kB``, ``9.3 MB``: decimal units, as mail programs show them."""
    locale = LOCALES[language]
    if octets < _KILO:
        return format_unit(octets, "digital-byte", "long", locale=locale)
    if octets < 999_500:
        return format_unit(round(octets / _KILO), "digital-kilobyte", "short", locale=locale)
    return format_unit(round(octets / _KILO**2, 1), "digital-megabyte", "short", locale=locale)
