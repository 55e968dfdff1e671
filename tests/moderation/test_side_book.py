"""The side store's tables: value by value, compare and set, found by any spelling, and forgotten in time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.ledgers import PATIENCE, url

from groupmilter.directory.side_store import SideChange, SideStoreUnavailable, signature
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.side_book import KEPT_DAYS, SideBook

UUID, OTHER = "6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11", "7c2f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a12"
DN = "cn=contact,ou=groups,dc=masociete,dc=example"
NOW, DAY = 1_700_000_000, 24 * 3600


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def book(ledger: Ledger) -> SideBook:
    return ledger.side


def put(book: SideBook, label: str, *add: str, remove: tuple[str, ...] = (), uuid: str = UUID) -> bool:
    return book.change(uuid, DN, [SideChange(label, remove, add)])


def test_values_come_and_go_one_by_one(book: SideBook) -> None:
    assert put(book, "denied_addresses", "@spam.example", "x@ailleurs.example")
    assert put(book, "moderated", "TRUE")
    assert book.of([UUID, OTHER]) == {
        UUID: {"denied_addresses": ("@spam.example", "x@ailleurs.example"), "moderated": ("TRUE",)}
    }
    assert put(book, "denied_addresses", remove=("X@Ailleurs.example",))
    assert book.of([UUID])[UUID]["denied_addresses"] == ("@spam.example",)
    assert book.entries() == {UUID: DN}
    assert book.counts() == {"denied_addresses": 1, "moderated": 1}


def test_what_is_not_as_it_was_taken_for_changes_nothing_at_all(book: SideBook) -> None:
    assert put(book, "hold_hours", "24")
    serial = book.serial()
    # Somebody else was faster: with the value that was to go, with the one to come, or with the only one.
    assert not book.change(
        UUID, DN, [SideChange("moderated", (), ("TRUE",)), SideChange("hold_hours", ("12",), ("48",))]
    )
    assert not put(book, "hold_hours", "24")
    assert not put(book, "hold_hours", "48")
    assert put(book, "mail_tip;lang-fr", "Bonjour")
    assert put(book, "mail_tip", "Hello")
    assert not put(book, "mail_tip;lang-fr", "Bonsoir")
    assert book.serial() == serial + 2
    assert "moderated" not in book.of([UUID])[UUID]
    assert put(book, "hold_hours", "48", remove=("24",))


def test_it_is_found_by_every_spelling_of_a_value(book: SideBook) -> None:
    put(book, "address", "Contact@Masociete.example")
    put(book, "aliases", "info@masociete.example", uuid=OTHER)
    put(book, "moderators", "uid=jean, ou=people,dc=masociete,dc=example")
    fields = ("address", "aliases")
    assert book.holding(fields, ["CONTACT@masociete.EXAMPLE"]) == {UUID}
    assert book.holding(fields, ["info@masociete.example", "contact@masociete.example"]) == {UUID, OTHER}
    assert book.holding(("moderators",), ["UID=Jean,ou=people,dc=masociete,dc=example"]) == {UUID}
    assert book.holding(fields, ["nobody@masociete.example"]) == frozenset()
    assert book.having(("aliases", "owners")) == {OTHER}


def test_text_that_no_database_stores_can_be_taken_away_again(book: SideBook) -> None:
    assert put(book, "name", "a\0b")
    [stored] = book.of([UUID])[UUID]["name"]
    assert put(book, "name", remove=(stored,))
    assert book.of([UUID]) == {}


def test_who_follows_it_learns_of_each_change(book: SideBook) -> None:
    assert book.everything() == {}
    put(book, "moderated", "TRUE")
    before = book.serial()
    put(book, "moderated", "TRUE", uuid=OTHER)
    assert book.since(before) == {OTHER: {"moderated": ("TRUE",)}}
    before = book.serial()
    book.forget(UUID)
    assert book.since(before) == {UUID: {}}
    assert book.everything() == {UUID: {}, OTHER: {"moderated": ("TRUE",)}}
    # What never had any leaves no trace.
    book.forget("8c2f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a13")
    assert book.everything().keys() == {UUID, OTHER}


def test_a_group_that_is_gone_keeps_its_values_for_a_while(book: SideBook) -> None:
    put(book, "moderated", "TRUE")
    put(book, "moderated", "TRUE", uuid=OTHER)
    there = {UUID, OTHER}
    assert book.settle(there, NOW) == 0
    assert book.gone() == ()
    there = {OTHER}
    assert book.settle(there, NOW) == 0
    assert book.gone() == (DN,)
    assert book.settle(there, NOW + (KEPT_DAYS - 1) * DAY) == 0
    # It is restored: everything is as it was, and its time would begin anew.
    assert book.settle({UUID, OTHER}, NOW + KEPT_DAYS * DAY) == 0
    assert book.gone() == ()
    left = NOW + (KEPT_DAYS + 1) * DAY
    book.settle(there, left)
    before = book.serial()
    assert book.settle(there, left + (KEPT_DAYS + 1) * DAY) == 1
    assert book.since(before) == {UUID: {}}
    assert book.everything() == {UUID: {}, OTHER: {"moderated": ("TRUE",)}}
    assert book.settle(there, left + (2 * KEPT_DAYS + 1) * DAY) == 0
    assert book.everything().keys() == {OTHER}


def test_a_clock_that_was_wrong_forgets_nothing(book: SideBook) -> None:
    put(book, "moderated", "TRUE")
    nobody: frozenset[str] = frozenset()
    book.settle(nobody, NOW + 9999 * DAY)
    assert book.settle(nobody, NOW) == 0
    assert book.settle(nobody, NOW + (KEPT_DAYS - 1) * DAY) == 0
    assert book.of([UUID])


def test_two_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(who: str) -> None:
        mine = Ledger.open(url(tmp_path), timeout=PATIENCE)
        try:
            for number in range(40):
                assert put(mine.side, "denied_addresses", f"{who}{number}@spam.example")
        finally:
            mine.close()

    threads = [threading.Thread(target=write, args=(who,)) for who in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger = Ledger.open(url(tmp_path))
    assert len(ledger.side.of([UUID])[UUID]["denied_addresses"]) == 120
    assert ledger.side.serial() == 120
    ledger.close()


def test_one_counts_on_while_another_changes_the_same_number(tmp_path: Path) -> None:
    """A single value: each writer adds one as often as it can, and no step of anybody's is lost."""

    def add_one(book: SideBook) -> bool:
        held = book.of([UUID]).get(UUID, {}).get("hold_hours", ())
        return put(book, "hold_hours", str(int(held[0] if held else 0) + 1), remove=held)

    def write() -> None:
        mine = Ledger.open(url(tmp_path), timeout=PATIENCE)
        try:
            for _ in range(20):
                while not add_one(mine.side):
                    pass
        finally:
            mine.close()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger = Ledger.open(url(tmp_path))
    assert ledger.side.of([UUID])[UUID] == {"hold_hours": ("60",)}
    ledger.close()


def test_what_the_database_can_not_do_is_unknown(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path))
    book = ledger.side
    put(book, "moderated", "TRUE")
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(SideStoreUnavailable):
        book.of([UUID])
    with pytest.raises(SideStoreUnavailable):
        put(book, "moderated", "FALSE")
    ledger.close()


def test_the_same_values_have_the_same_signature() -> None:
    one = signature({"a": ("1", "2"), "b": ("3",)})
    assert one == signature({"b": ("3",), "a": ("2", "1"), "c": ()})
    assert one != signature({"a": ("1",), "b": ("3",)})
    assert signature({"a": ()}) == b""
