"""Sightings in the ledger: which group has taken which message, for how long, and from where."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.moderation.ledgers import NOW, PATIENCE, url

from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.policy.sighting import Seen, Sighting

WEEK = 7 * 86_400
FIRST = Sighting(("uuid-a", "uuid-b"), (b"f" * 16, b"s" * 16), "here", WEEK)


def at(
    origin: str = "here", groups: tuple[str, ...] = ("uuid-a",), known: tuple[bytes, ...] = (b"f" * 16,)
) -> Sighting:
    return Sighting(groups, known, origin, WEEK)


def test_a_message_is_known_to_the_groups_that_took_it_and_to_no_other(ledger: Ledger) -> None:
    book = ledger.sightings
    assert book.seen(FIRST, NOW) == {}
    assert book.record(FIRST, NOW)
    assert book.seen(at(groups=("uuid-a", "uuid-c")), NOW + 1) == {"uuid-a": Seen.RETRY}
    assert book.seen(at("elsewhere"), NOW + 1) == {"uuid-a": Seen.REPEATED}
    assert book.seen(at(known=(b"x" * 16, b"s" * 16)), NOW) == {"uuid-a": Seen.RETRY}, (
        "by any of its fingerprints"
    )
    assert book.seen(at(known=(b"x" * 16,)), NOW) == {}


def test_of_two_copies_at_once_one_is_remembered(tmp_path: Path) -> None:
    def taking(_: int) -> bool:
        ledger = Ledger.open(url(tmp_path), timeout=PATIENCE)
        try:
            return ledger.sightings.record(FIRST, NOW)
        finally:
            ledger.close()

    Ledger.open(url(tmp_path)).close()
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(taking, range(16))) == 1


def test_after_its_window_it_is_new_again_and_purged(ledger: Ledger) -> None:
    book = ledger.sightings
    book.record(FIRST, NOW)
    assert book.seen(at(), NOW + WEEK - 1) != {}
    assert book.seen(at(), NOW + WEEK) == {}
    assert book.record(at("elsewhere"), NOW + WEEK), "what was not purged yet is in nobody's way"
    assert book.seen(at("elsewhere"), NOW + WEEK + 1) == {"uuid-a": Seen.RETRY}
    book.forget(NOW + WEEK + 2, WEEK)
    assert book.seen(at("elsewhere"), NOW + WEEK + 2) != {}
    book.forget(NOW + 3 * WEEK, WEEK)
    assert book.seen(Sighting(FIRST.groups, FIRST.fingerprints, "here", 10 * WEEK), NOW + 3 * WEEK) == {}


def test_what_a_clock_that_was_ahead_has_written_is_purged(ledger: Ledger) -> None:
    ledger.sightings.record(FIRST, NOW + 100 * WEEK)
    ledger.sightings.forget(NOW, WEEK)
    assert ledger.sightings.seen(at(), NOW) == {}


def test_a_state_that_is_gone_is_unavailable(ledger: Ledger) -> None:
    ledger.sightings.record(FIRST, NOW)
    os.unlink(ledger.database.file)  # noqa: PTH108 - whatever its path looks like
    with pytest.raises(LedgerUnavailable):
        ledger.sightings.seen(at(), NOW)
    with pytest.raises(LedgerUnavailable):
        ledger.sightings.record(at("x", ("uuid-z",)), NOW)


def test_no_number_of_groups_and_signatures_is_too_much_for_a_statement(ledger: Ledger) -> None:
    """SQLite takes 32,766 values in a statement, Debian's 250,000; a message may have 50 signatures."""
    groups = tuple(f"uuid-{number}" for number in range(5_001))
    known = tuple(number.to_bytes(16, "big") for number in range(50))
    assert ledger.sightings.record(at(groups=groups[-20:], known=known), NOW)
    seen = ledger.sightings.seen(at("elsewhere", groups, known), NOW)
    assert seen == dict.fromkeys(groups[-20:], Seen.REPEATED)
