"""The generated map, with the real postmap: built aside, checked, renamed into place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from groupmilter.directory.addressmap import SUFFIXES, AddressMap, MapError, entries, preferred_type
from groupmilter.directory.generatedmap import GeneratedMap

SERVICE = "groups.example.org"
MANY = entries([f"group{number}@example.org" for number in range(10)], SERVICE)
KINDS = ["lmdb", "hash", "texthash"]


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    folder = tmp_path / "postfix"
    folder.mkdir()
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")
    return folder


def made(tmp_path: Path, configuration: Path, kind: str = "lmdb") -> AddressMap:
    return AddressMap(tmp_path / "groups", kind, "/usr/sbin/postmap", configuration)


def found(table: AddressMap, key: str) -> str:
    command = ["/usr/sbin/postmap", "-c", str(table.configuration), "-q", key, f"{table.kind}:{table.path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


def fewer(count: int) -> dict[str, str]:
    return dict(list(MANY.items())[:count])


@pytest.mark.parametrize("kind", KINDS)
def test_postfix_finds_every_address(kind: str, tmp_path: Path, configuration: Path) -> None:
    table = made(tmp_path, configuration, kind)
    written = table.write(MANY)
    assert (written.changed, written.count, written.left_out) == (True, 10, ())
    assert written.reload_needed == (kind == "texthash")
    assert all(found(table, address) == f"unprocessed@{SERVICE}" for address in MANY)
    assert found(table, "GROUP1@example.org") == f"unprocessed@{SERVICE}"
    assert found(table, "person@example.org") == ""
    assert table.table.name == "groups" + SUFFIXES[kind]
    assert table.path.stat().st_mode & 0o777 == 0o644
    expected = {"groups", table.table.name, "postfix"}
    assert {file.name for file in tmp_path.iterdir()} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_map_replaces_the_old_as_another_file(kind: str, tmp_path: Path, configuration: Path) -> None:
    table = made(tmp_path, configuration, kind)
    table.write(MANY)
    with table.table.open("rb") as held:
        table.write(MANY | {"new@example.org": "x@y.example"})
        assert os.fstat(held.fileno()).st_nlink == 0
    assert found(table, "new@example.org") == "x@y.example"


def test_nothing_is_written_where_nothing_changed(tmp_path: Path, configuration: Path) -> None:
    table = made(tmp_path, configuration)
    table.write(MANY)
    before = table.table.stat().st_ino
    assert not table.write(dict(reversed(MANY.items()))).changed
    assert table.table.stat().st_ino == before


def test_a_lost_table_is_made_again(tmp_path: Path, configuration: Path) -> None:
    table = made(tmp_path, configuration)
    table.write(MANY)
    table.table.unlink()
    assert table.write(MANY).changed
    assert found(table, "group1@example.org")


@pytest.mark.parametrize("count", [1, 4])
def test_it_is_never_halved_without_force(tmp_path: Path, configuration: Path, count: int) -> None:
    table = made(tmp_path, configuration)
    table.write(MANY)
    with pytest.raises(MapError, match=f"from 10 to {count}"):
        table.write(fewer(count))
    assert found(table, "group9@example.org")
    assert table.write(fewer(count), force=True).count == count
    assert found(table, "group9@example.org") == ""


@pytest.mark.parametrize("force", [False, True])
def test_it_is_never_emptied(tmp_path: Path, configuration: Path, force: bool) -> None:
    table = made(tmp_path, configuration)
    table.write(MANY)
    with pytest.raises(MapError, match="empty"):
        table.write({}, force=force)
    assert found(table, "group9@example.org")


def test_half_is_allowed_and_a_first_map_may_be_empty(tmp_path: Path, configuration: Path) -> None:
    table = made(tmp_path, configuration)
    assert table.write({}).changed
    assert found(table, "group1@example.org") == ""
    table.write(MANY)
    assert table.write(fewer(5)).count == 5


def test_what_no_table_can_hold_is_left_out(tmp_path: Path, configuration: Path) -> None:
    table = made(tmp_path, configuration)
    odd = ["a b@example.org", "a\nb@example.org", "a%b@example.org", "x@y"]
    written = table.write(MANY | entries(odd, SERVICE))
    assert written.left_out == tuple(sorted(odd))
    assert len(table.path.read_text().splitlines()) == 10


def test_a_failing_postmap_leaves_the_old_map(tmp_path: Path, configuration: Path) -> None:
    made(tmp_path, configuration).write(MANY)
    more = MANY | entries(["new@example.org"], SERVICE)
    for broken in ("/bin/false", "/nonexistent/postmap"):
        with pytest.raises(MapError):
            AddressMap(tmp_path / "groups", "lmdb", broken, configuration).write(more)
    assert found(made(tmp_path, configuration), "group1@example.org")
    assert {file.name for file in tmp_path.iterdir()} == {"groups", "groups.lmdb", "postfix"}
    assert len((tmp_path / "groups").read_text().splitlines()) == 10


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="No such file"):
        AddressMap(tmp_path / "none" / "groups", "texthash").write(MANY)


def test_the_best_type_that_postfix_knows() -> None:
    assert preferred_type(["hash", "btree", "lmdb"]) == "lmdb"
    assert preferred_type(["cdb", "hash"]) == "hash"
    assert preferred_type(["cdb"]) == "cdb"
    assert preferred_type([]) == "texthash"


def test_the_addresses_of_last_time_are_written_again_only_where_a_file_is_lost_or_altered(
    tmp_path: Path,
) -> None:
    generated = GeneratedMap(tmp_path / "groups", "hash", "lists.example.org")
    assert generated.write(("a@example.org", "b@example.org")).changed
    table = (tmp_path / "groups.db").stat().st_ino
    again = generated.write(("a@example.org", "b@example.org"))
    assert (again.changed, again.count) == (False, 2)
    assert (tmp_path / "groups.db").stat().st_ino == table
    (tmp_path / "groups.db").unlink()
    assert generated.write(("a@example.org", "b@example.org")).changed
    (tmp_path / "groups").write_text("a@example.org\telsewhere@example.org\n")
    assert generated.write(("a@example.org", "b@example.org")).changed
    assert generated.write(("a@example.org", "c@example.org")).changed
    assert generated.addresses() == frozenset({"a@example.org", "c@example.org"})
