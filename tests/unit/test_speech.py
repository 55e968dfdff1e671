"""What is said in each language: sentences, counts, times, sizes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from groupmilter.language.catalogue import LANGUAGES, catalogue
from groupmilter.language.speech import LOCALES, Speech, difference, local_time, spoken_number, spoken_size

PARIS = ZoneInfo("Europe/Paris")
NOW = int(datetime(2026, 11, 24, 16, 51, tzinfo=ZoneInfo("UTC")).timestamp())
ENGLISH, FRENCH = (Speech(language, catalogue(), PARIS) for language in ("en", "fr"))


def test_each_language_has_its_locale() -> None:
    assert set(LOCALES) == set(LANGUAGES)


def test_times() -> None:
    assert ENGLISH.when(NOW) == "Tuesday, 24 November 2026 at 17:51 (UTC+1)"
    assert FRENCH.when(NOW) == "mardi 24 novembre 2026 à 17:51 (UTC+1)"


def test_counts() -> None:
    one, many = "{number} message waits for your decision", "{number} messages wait for your decision"
    assert [ENGLISH.counted(one, many, n)[:10] for n in (0, 1, 2)] == [
        "0 messages",
        "1 message ",
        "2 messages",
    ]
    assert [FRENCH.counted(one, many, n)[:10] for n in (0, 1, 2)] == [
        "0 message ",
        "1 message ",
        "2 messages",
    ]
    assert ENGLISH.counted(one, many, 9950).startswith("9,950 messages")
    assert FRENCH.counted(one, many, 9950).startswith("9\u202f950 messages")


@pytest.mark.parametrize(
    ("octets", "english", "french"),
    [
        (0, "0 bytes", "0 octet"),
        (1, "1 byte", "1 octet"),
        (999, "999 bytes", "999 octets"),
        (1000, "1 kB", "1 ko"),
        (48_211, "48 kB", "48 ko"),
        (999_499, "999 kB", "999 ko"),
        (999_500, "1 MB", "1 Mo"),
        (9_349_000, "9.3 MB", "9,3 Mo"),
    ],
)
def test_sizes(octets: int, english: str, french: str) -> None:
    def plain(text: str) -> str:
        return text.replace("\u202f", " ").replace("\xa0", " ")

    assert (plain(spoken_size(octets, "en")), plain(spoken_size(octets, "fr"))) == (english, french)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        (PARIS, "UTC+1"),
        (ZoneInfo("UTC"), "UTC"),
        (timezone(timedelta(hours=-3, minutes=-30)), "UTC−3:30"),
        (timezone(timedelta(minutes=30)), "UTC+0:30"),
    ],
)
def test_the_difference_from_utc(zone: tzinfo, said: str) -> None:
    assert difference(local_time(NOW, zone)) == said


def test_values_are_not_taken_for_places() -> None:
    assert (
        ENGLISH.say("{label}: {subject}", label="{subject}", subject="{0}{label!r}")
        == "{subject}: {0}{label!r}"
    )
    assert spoken_number(1_000_000, "en") == "1,000,000"
