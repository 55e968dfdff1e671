"""The panel's small parts: counting by address, languages, times."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from groupmilter.moderation.item import Event
from groupmilter.panel.language import Words, chosen
from groupmilter.panel.throttle import Throttle, network_of
from groupmilter.panel.typed import Typed, typed


def test_memory_is_bounded() -> None:
    throttle = Throttle(1, 10**9, 60.0, lambda: 0.0)
    for number in range(10_000):
        throttle.admits(f"10.0.{number >> 8}.{number & 255}")
    assert len(throttle) == 4096


def test_all_together_are_bounded_too() -> None:
    throttle = Throttle(10, 3, 60.0, lambda: 0.0)
    assert [throttle.admits(f"192.0.2.{n}") for n in range(5)] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_what_counts_as_one_client(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("asked", "person", "accepted", "language"),
    [
        ("", "", "", "en"),
        ("", "", "fr", "fr"),
        ("", "", "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("", "", "de, en;q=0.3, fr;q=0.7", "fr"),
        ("", "", "fr;q=0, en", "en"),
        ("", "", "de", "en"),
        ("", "", "fr;q=x", "en"),
        ("", "fr_FR", "en", "fr"),
        ("", "EN-gb", "fr", "en"),
        ("", "de", "fr", "fr"),
        ("en", "fr", "fr", "en"),
        ("FR", "en", "en", "fr"),
        ("../..", "", "fr", "fr"),
        ("", "", ";;,,=" * 100_000, "en"),
    ],
)
def test_languages(asked: str, person: str, accepted: str, language: str) -> None:
    assert chosen(asked, person, accepted) == language


@pytest.mark.parametrize(
    ("zone", "difference"),
    [
        (ZoneInfo("Europe/Paris"), "UTC+1"),
        (ZoneInfo("UTC"), "UTC"),
        (timezone(timedelta(hours=-3, minutes=-30)), "UTC−3:30"),
        (timezone(timedelta(minutes=30)), "UTC+0:30"),
    ],
)
def test_times(zone: tzinfo, difference: str) -> None:
    now = int(datetime(2026, 11, 24, 16, 51, tzinfo=ZoneInfo("UTC")).timestamp())
    english = Words("en", lambda _, text: text, zone).when(now)
    assert difference in english
    assert "24 November 2026 at " in english
    french = Words("fr", lambda _, text: text.replace(" at ", " à "), zone).when(now, zone=False)
    assert "24 novembre 2026 à " in french
    assert "UTC" not in french


def test_an_approval_has_no_comment_and_remembers_nothing_of_a_rejection() -> None:
    form = typed(b"decision=approve&reason=x&block=1&word=a&word=b")
    assert form == Typed(Event.APPROVE, "x", "a", block=True)
    assert (form.comment, form.remembers) == ("", False)
    assert Typed().remembers is False
