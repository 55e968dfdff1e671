"""The generated map, with the real postmap: built aside, checked, renamed into place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from groupmilter.directory.addressmap import KINDS, AddressMap, MapRefused

MANY = [f"group{number}@example.org" for number in range(10)]


@pytest.fixture
def made(tmp_path: Path) -> AddressMap:
    return AddressMap(tmp_path / "map" / "groups", "lmdb", "groups.example.org")


def looked_up(made: AddressMap, key: str, folder: Path) -> str:
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")
    command = ["/usr/sbin/postmap", "-c", str(folder), "-q", key, f"{made.kind}:{made.path}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.parametrize("kind", ["lmdb", "hash"])
def test_postfix_finds_every_address(kind: str, tmp_path: Path) -> None:
    made = AddressMap(tmp_path / "groups", kind, "groups.example.org")
    assert made.write(MANY)
    assert all(looked_up(made, address, tmp_path) == "unprocessed@groups.example.org" for address in MANY)
    assert looked_up(made, "person@example.org", tmp_path) == ""
    assert made.addresses() == frozenset(MANY)
    assert made.path.with_name("groups" + KINDS[kind]).stat().st_mode & 0o777 == 0o644


def test_the_best_kind_that_postfix_knows_is_found(tmp_path: Path) -> None:
    known = subprocess.run(["/usr/sbin/postconf", "-c", str(tmp_path), "-m"], capture_output=True, text=True)
    assert AddressMap(tmp_path / "groups", None, "g.example").kind in known.stdout.split()


def test_nothing_is_written_where_nothing_changed(made: AddressMap) -> None:
    assert made.write(MANY)
    before = made.path.stat().st_ino
    assert not made.write(list(reversed(MANY)))
    assert made.path.stat().st_ino == before


def test_a_lost_table_is_made_again(made: AddressMap) -> None:
    made.write(MANY)
    made.path.with_name("groups.lmdb").unlink()
    assert made.write(MANY)


@pytest.mark.parametrize("fewer", [0, 1, 4])
def test_it_is_never_emptied_nor_more_than_halved(made: AddressMap, fewer: int, tmp_path: Path) -> None:
    made.write(MANY)
    with pytest.raises(MapRefused, match="--force"):
        made.write(MANY[:fewer])
    assert looked_up(made, MANY[9], tmp_path) == "unprocessed@groups.example.org"
    assert made.write(MANY[:fewer], force=True)
    assert looked_up(made, MANY[9], tmp_path) == ""


def test_half_is_allowed(made: AddressMap) -> None:
    made.write(MANY)
    assert made.write(MANY[:5])


def test_an_empty_directory_makes_an_empty_first_map(made: AddressMap) -> None:
    assert made.addresses() is None
    assert made.write([])
    assert made.addresses() == frozenset()


def test_a_failing_postmap_leaves_the_old_map(made: AddressMap, tmp_path: Path) -> None:
    made.write(MANY)
    broken = AddressMap(made.path, "nonsense", "groups.example.org")
    with pytest.raises((MapRefused, KeyError)):
        broken.write([*MANY, "new@example.org"])
    assert looked_up(made, MANY[0], tmp_path) == "unprocessed@groups.example.org"
    assert made.addresses() == frozenset(MANY)


def test_no_leftovers(made: AddressMap) -> None:
    made.write(MANY)
    made.write(MANY[:8])
    assert sorted(os.listdir(made.path.parent)) == ["groups", "groups.lmdb"]
