"""Readers beside the writer: one whole generation each, the newest at the next look, and *unknown* in any trouble."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from tests.directory.mirrors import NOW, found_group, found_person, group, looking, opened, person, receivers

from groupmilter.directory.entry import Change, Put
from groupmilter.directory.snapshot import Reader
from groupmilter.groups.directory import DirectoryMoved, DirectoryUnknown

OWNER = Put(person("owner"))
ROUNDS = 60
SIZE = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.db"


def state(number: int) -> list[Change]:
    """All members of both groups, and a right, bear the number of the round."""
    names = [f"p{number % 2}-{index}" for index in range(SIZE)]
    people = [Put(person(f"p{index}", mail=f"{number}.{index}@example.org")) for index in range(SIZE)]
    bare = [f"{number}.{index}@outside.example" for index in range(SIZE)]
    first = group("first", *(f"p{index}" for index in range(SIZE)), dgHoldHours=str(number + 1))
    second = group("second", dgMemberAddress=bare, dgApprovalsNeeded=str(number + 1), cn=names)
    return [OWNER, *people, Put(first), Put(second)]


def write_rounds(path: str, finished: Event) -> None:
    with opened(Path(path)) as mirror:
        for number in range(1, ROUNDS):
            mirror.apply(state(number), now=NOW + number)
            time.sleep(0.002)
    finished.set()


def look(reader: Reader, finished: Event, problems: list[str], rounds: set[int]) -> None:
    while True:
        last = finished.is_set()
        try:
            with reader.snapshot(NOW) as seen:
                first, second = found_group(seen, "first"), found_group(seen, "second")
                addresses = [m.address for g in (first, second) for m in seen.members(g.node).people]
        except DirectoryMoved:
            continue
        numbers = {int(address.partition(".")[0]) for address in addresses}
        numbers |= {(first.hold_hours or 0) - 1, second.approvals - 1}
        if len(numbers) != 1 or len(addresses) != 2 * SIZE:
            problems.append(f"{len(addresses)} addresses of rounds {sorted(numbers)}")
        rounds |= numbers
        if last:
            return


def test_nobody_ever_sees_half_a_change(path: Path) -> None:
    with opened(path, *state(0)):
        pass
    context = multiprocessing.get_context("spawn")
    finished = context.Event()
    writer = context.Process(target=write_rounds, args=(str(path), finished))
    reader = Reader(path, 10_000.0)
    problems: list[str] = []
    rounds: list[set[int]] = [set(), set(), set()]
    begun = time.monotonic()
    threads = [threading.Thread(target=look, args=(reader, finished, problems, seen)) for seen in rounds]
    for thread in threads:
        thread.start()
    try:
        while not all(rounds) and time.monotonic() < begun + 150:
            time.sleep(0.01)
        writer.start()
        writer.join(600)
        assert writer.exitcode == 0
    finally:
        finished.set()
        for thread in threads:
            thread.join(150)
        if writer.pid is not None and writer.is_alive():
            writer.kill()
            writer.join()
        reader.close()
    assert problems == []
    assert all(len(seen) > 1 for seen in rounds)


def eventually(reader: Reader, address: str) -> bool:
    """Tell whether an address is found, soon: what was seen of the file may hold good for a moment."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        try:
            with reader.snapshot(NOW) as seen:
                if seen.find(address) is not None:
                    return True
        except DirectoryUnknown:
            pass
        time.sleep(0.01)
    return False


def test_one_reader_sees_every_change(path: Path) -> None:
    reader = Reader(path, 3600.0)
    with opened(path, OWNER, Put(group("team", "owner"))) as mirror:
        for number in range(5):
            address = f"new{number}@example.org"
            with reader.snapshot(NOW) as seen:
                assert seen.find(address) is None
            mirror.apply([Put(group("team", "owner", dgAlias=address))], now=NOW)
            assert eventually(reader, address)
    reader.close()


@pytest.mark.parametrize("steady", [False, True])
def test_a_steady_snapshot_does_not_move_under_whoever_looks(path: Path, *, steady: bool) -> None:
    reader = Reader(path, 3600.0, freshness=60.0, steady=steady)
    with opened(path, OWNER) as mirror:
        with reader.snapshot(NOW) as seen:
            assert seen.find("owner@example.org") is not None
        mirror.apply([Put(person("anna"))], now=NOW)
        with reader.snapshot(NOW) as seen:
            if steady:
                mirror.apply([Put(person("bert"))], now=NOW)
                assert seen.find("anna@example.org") is not None
                assert seen.find("bert@example.org") is None
            else:
                with pytest.raises(DirectoryMoved):
                    seen.find("anna@example.org")
    reader.close()


def test_a_replaced_file_is_noticed(path: Path) -> None:
    reader = Reader(path, 3600.0)
    with opened(path, OWNER):
        assert eventually(reader, "owner@example.org")
    for file in path.parent.iterdir():
        file.unlink()
    with opened(path, Put(person("anna"))):
        assert eventually(reader, "anna@example.org")
        with reader.snapshot(NOW) as seen:
            assert seen.find("owner@example.org") is None
    reader.close()


def test_no_file_is_unknown_and_none_is_made(path: Path) -> None:
    with pytest.raises(DirectoryUnknown, match="opened"), looking(path) as seen:
        seen.find("x@example.org")
    assert not path.exists()


def test_too_old_is_unknown(path: Path) -> None:
    with opened(path, OWNER):
        with looking(path, NOW + 3600) as seen:
            assert found_person(seen, "owner").uuid == "person-owner"
        with pytest.raises(DirectoryUnknown, match="3601 s old"), looking(path, NOW + 3601):
            pass


def test_other_settings_are_unknown(path: Path) -> None:
    with opened(path, OWNER):
        reader = Reader(path, 3600.0, fingerprint="another")
        with pytest.raises(DirectoryUnknown, match="settings"), reader.snapshot(NOW):
            pass
        reader.close()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000])
def test_what_is_no_mirror_is_unknown(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DirectoryUnknown), looking(path) as seen:
        seen.find("x@example.org")


def found_everybody(path: Path) -> int:
    with looking(path) as seen:
        return sum(found_person(seen, f"p{number}").node for number in range(500))


def test_a_mirror_that_breaks_while_open_is_unknown(path: Path) -> None:
    with opened(path, OWNER, *(Put(person(f"p{number}")) for number in range(500))):
        pass
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(DirectoryUnknown):
        found_everybody(path)


def test_patience_ends(path: Path) -> None:
    now = [0.0]
    reader = Reader(path, 3600.0, patience=5.0, clock=lambda: now[0])
    with opened(path, OWNER), reader.snapshot(NOW) as seen:
        now[0] = 6.0
        with pytest.raises(DirectoryUnknown, match="slow"):
            seen.find("owner@example.org")
    reader.close()


def test_readers_cannot_write(path: Path) -> None:
    with opened(path, OWNER), looking(path) as seen:
        assert found_person(seen, "owner").uuid == "person-owner"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            seen._sqlite.execute("DELETE FROM node")


def test_large_groups_come_whole(path: Path) -> None:
    names = [f"p{number}" for number in range(3000)]
    people = [Put(person(name)) for name in names]
    with opened(path, OWNER, *people, Put(group("team", *names))), looking(path) as seen:
        assert receivers(seen, "team") == {f"{name}@example.org" for name in names}
