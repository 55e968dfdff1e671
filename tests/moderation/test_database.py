"""The file under the ledger: whose it is, what happens when it is locked, foreign, deleted or replaced."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.moderation.ledgers import NOW, recorded, url

from groupmilter.moderation.item import DESK, Event, State
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(tmp_path, "nobody", "nogroup")
    ledger = Ledger.open(url(tmp_path))
    recorded(ledger)
    owner = tmp_path.stat()
    files = sorted(tmp_path.glob("state.db*"))
    assert [file.name for file in files] == ["state.db", "state.db-shm", "state.db-wal"]
    for file in files:
        status = file.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (owner.st_uid, owner.st_gid, 0o600)
    ledger.close()


@pytest.mark.parametrize("name", ["with space", "100%", "a?b=c&d", "sharp#", "été"])
def test_its_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    ledger = Ledger.open(f"sqlite:///{str(folder / 'state.db').replace('%', '%25').replace('?', '%3F')}")
    recorded(ledger)
    ledger.close()
    assert (folder / "state.db").stat().st_size > 0


def test_no_folder_no_file_and_a_sentence_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="No such file or directory"):
        Ledger.open(url(tmp_path / "nowhere"))


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_text("a letter to somebody " * 100, "utf-8")
    with pytest.raises(LedgerUnavailable, match="not a database"):
        Ledger.open(url(tmp_path))
    assert file.read_text("utf-8").startswith("a letter to somebody")


def test_while_another_writes_for_too_long_nothing_is_changed(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path), timeout=0.2)
    item = recorded(ledger)
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            ledger.change(item.id, Event.APPROVE, DESK, NOW)
        reading = ledger.item(item.id)
        assert reading is not None, "readers don't wait for writers"
        other.execute("ROLLBACK")
    assert ledger.change(item.id, Event.APPROVE, DESK, NOW).happened
    ledger.close()


def test_a_deleted_file_is_noticed_and_nothing_is_written_where_nobody_finds_it(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path))
    item = recorded(ledger)
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    with pytest.raises(LedgerUnavailable):
        ledger.change(item.id, Event.APPROVE, DESK, NOW)
    with pytest.raises(LedgerUnavailable):
        ledger.newest()
    assert not (tmp_path / "state.db").exists()
    ledger.close()


def test_a_file_put_in_its_place_is_read_and_written_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    copy = Ledger.open(url(tmp_path / "copy"))
    kept = recorded(copy, 7, State.APPROVED)
    copy.close()
    ledger = Ledger.open(url(tmp_path))
    recorded(ledger)
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    (tmp_path / "copy" / "state.db").rename(tmp_path / "state.db")
    assert [item.name for item in ledger.items(set(State))] == [kept.name]
    assert ledger.change(kept.id, Event.RELEASE, DESK, NOW).happened
    ledger.close()
    again = Ledger.open(url(tmp_path))
    assert [item.state for item in again.items(set(State))] == [State.RELEASED]
    again.close()


def test_threads_share_it(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path), timeout=30.0)
    threads = [
        threading.Thread(target=lambda first=first: [recorded(ledger, first + n) for n in range(10)])
        for first in range(0, 80, 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.items({State.HELD})) == 80
    ledger.close()


def test_it_tells_cheaply_whether_anybody_has_written(tmp_path: Path) -> None:
    ledger, other = Ledger.open(url(tmp_path)), Ledger.open(url(tmp_path))
    item = recorded(ledger)

    def rested() -> bool:
        time.sleep(0.06)
        return not ledger.stirred()

    until(rested)
    assert not ledger.stirred()
    ledger.items(set(State))
    assert not ledger.stirred(), "whoever reads doesn't stir"
    for event in (Event.APPROVE, Event.RELEASE):
        assert other.change(item.id, event, DESK, NOW).happened
        assert ledger.stirred()
        until(rested)
    log, later = f"{ledger.database.file}-wal", time.time() + 3600
    os.utime(log, (later, later))
    assert [ledger.stirred() for _ in range(3)] == [True] * 3, "fresh: another change could look the same"
    os.utime(log, (later - 7200, later - 7200))
    assert [ledger.stirred() for _ in range(3)] == [True, False, False]
    for one in (ledger, other):
        one.close()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    assert ledger.stirred(), "what can't be told has to be asked"


def until(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not question():
        assert time.monotonic() < deadline


# several changes in one transaction


def test_together_all_is_on_disk_at_the_end_and_nobody_else_sees_a_part(tmp_path: Path) -> None:
    ledger, other = Ledger.open(url(tmp_path)), Ledger.open(url(tmp_path))
    with ledger.together():
        item = recorded(ledger)
        with ledger.together():
            assert ledger.change(item.id, Event.APPROVE, DESK, NOW).happened
        assert [one.state for one in ledger.items(set(State))] == [State.APPROVED]
        assert other.items(set(State)) == ()
    assert other.items(set(State)) == ledger.items(set(State))
    assert len(other.audit()) == 2
    for one in (ledger, other):
        one.close()


def test_together_what_fails_for_a_reason_of_its_own_undoes_only_itself(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path))
    with ledger.together():
        item = recorded(ledger)
        with pytest.raises(LookupError):
            ledger.change_each((item.id, 99), Event.APPROVE, DESK, NOW)
        recorded(ledger, 2)
    assert [one.state for one in ledger.items(set(State))] == [State.HELD] * 2
    ledger.close()


def test_together_nothing_has_happened_where_the_block_fails(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path))

    def half() -> None:
        with ledger.together():
            recorded(ledger)
            raise KeyError("half way")

    with pytest.raises(KeyError):
        half()
    assert (ledger.items(set(State)), ledger.audit()) == ((), ())
    recorded(ledger)
    assert len(ledger.items(set(State))) == 1
    ledger.close()


def test_together_a_failure_of_the_database_undoes_everything_even_if_nobody_minds_it(tmp_path: Path) -> None:
    """A full disk makes SQLite give up the whole transaction: what came before must not seem recorded."""
    ledger = Ledger.open(url(tmp_path))

    def minded() -> None:
        with ledger.together():
            recorded(ledger)
            with suppress(LedgerUnavailable), ledger.database.writing() as connection:
                connection.exec_driver_sql("INSERT INTO item (no_such_column) VALUES (1)")
            recorded(ledger, 2)

    with pytest.raises(LedgerUnavailable, match="no_such_column"):
        minded()
    assert ledger.items(set(State)) == ()
    ledger.close()


def test_together_is_one_threads_own(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path), timeout=30.0)
    inside, seen = threading.Event(), list[int]()

    def outside() -> None:
        inside.wait(30)
        seen.append(len(ledger.items(set(State))))

    thread = threading.Thread(target=outside)
    thread.start()
    with ledger.together():
        recorded(ledger)
        inside.set()
        thread.join()
    assert seen == [0]
    ledger.close()
