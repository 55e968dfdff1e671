"""A restore that is killed at any of its steps leaves a set that works, and can be done again."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.holding import holding
from tests.moderation.ledgers import KEYS
from tests.moderation.test_backup import House, elsewhere, restore, states

from groupmilter.config.keys import Key, key_line, read_keys
from groupmilter.moderation.item import DESK, Event, State
from groupmilter.moderation.mailbox import Folder
from groupmilter.moderation.restoring import Restore

STEPS = [("_look_at", 1), ("_mail", 1), ("_place", 1), ("_place", 2), ("_set_logs_aside", 1), ("_place", 3)]
KILLED = 9


def key_file(path: Path, *more: Key) -> None:
    """The key that seals the tickets of these tests, and others that only open."""
    own = Key(1, KEYS.keys[1])
    path.write_text("".join(map(key_line, (own, *more))))
    path.chmod(0o600)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Path]:
    """A backup of two messages that wait."""
    (tmp_path / "saved").mkdir()
    with holding(tmp_path / "saved") as hold:
        key_file(tmp_path / "saved" / "ticket.key")
        (tmp_path / "saved" / "release.secret").write_text("saved\n")
        house = House(tmp_path / "saved", hold, skipped=[])
        house.held(1)
        house.held(2)
        yield house.save()


def killed_at(path: Path, places: Path, step: str, at: int) -> int:
    """Restore in a process of its own that dies right after a step; return its exit code."""

    def run() -> None:
        real, calls = getattr(Restore, step), list[int]()

        def dying(self: Restore, *arguments: object) -> object:
            result = real(self, *arguments)
            calls.append(1)
            if len(calls) == at:
                os._exit(KILLED)
            return result

        setattr(Restore, step, dying)
        restore(path, elsewhere(places), force=True)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(60.0)
    assert child.exitcode is not None
    return child.exitcode


@pytest.mark.parametrize(("step", "at"), STEPS)
def test_killed_after_any_step_nothing_is_lost(archive: Path, tmp_path: Path, step: str, at: int) -> None:
    there = tmp_path / "there"
    there.mkdir()
    with holding(there) as hold:
        own = hold.delivered(hold.ticket(77), Folder.HELD)
        hold.rebuild()
        before = set(hold.items())
    key_file(there / "ticket.key", Key(5, b"five" * 8))
    (there / "release.secret").write_text("there\n")
    assert killed_at(archive, there, step, at) == KILLED
    places = elsewhere(there)
    assert own in {path.name.partition(":")[0] for path in places.mailbox.files()}
    assert {key.id for key in read_keys(places.keys).keys} == {1, 5}, "both keys still open"
    saved = archive.parent.joinpath("hold").rglob("*.mx.example.org*")
    known = states(places)
    assert set(known) in ({*before}, {path.name.partition(":")[0] for path in saved}, set())
    healed(there, own)
    restored = restore(archive, places, force=True)
    assert restored.mail + restored.there == 2
    assert list(states(places).values()) == [State.HELD] * 2
    assert not list(there.glob(".*restoring*"))


def healed(folder: Path, own: str) -> None:
    """What the desk does at its start: everything that stands among the held is known and held after it."""
    with holding(folder) as hold:
        hold.rebuild()
        items = hold.items()
        assert own in items
        assert {item.state for item in items.values()} == {State.HELD}
        assert {path.name.partition(":")[0] for path in hold.mailbox.files()} <= set(items)


def test_killed_before_the_last_rename_the_present_ledger_keeps_its_last_decision(
    archive: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    with holding(there) as hold:
        key_file(there / "ticket.key")
        own = hold.delivered(hold.ticket(77), Folder.HELD)
        hold.rebuild()
        hold.ledger.change(hold.items()[own].id, Event.REJECT, DESK, 1)
        # As a service leaves it that was killed, too.
        left = {name: (there / name).read_bytes() for name in ("state.db", "state.db-wal")}
    for name, octets in left.items():
        (there / name).write_bytes(octets)
    assert killed_at(archive, there, "_set_logs_aside", 1) == KILLED
    assert states(elsewhere(there)) == {own: State.REJECTED}
