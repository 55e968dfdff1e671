"""A backup and what is put back of it: whole, consistent while mail moves, and nothing changed where it fails."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.moderation.holding import Holding, holding
from tests.moderation.ledgers import NOW, PATIENCE, url

from groupmilter.config.keys import create_keys, create_secret, read_keys
from groupmilter.config.rotation import fresh_key, replace_file, sealing, with_key
from groupmilter.moderation.archive import BadArchive, Manifest, verified
from groupmilter.moderation.backup import Backup, Sources
from groupmilter.moderation.item import DESK, Event, State, Way, Who
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.moderation.mailbox import Folder, Maildir
from groupmilter.moderation.restoring import InTheWay, Places, Restore, Restored

ROOT = Who("root", Way.COMMAND)
CONTENT = b"a" * 1000


@dataclass(slots=True)
class House:
    """All that a backup saves, in one folder."""

    folder: Path
    hold: Holding

    @property
    def places(self) -> Places:
        return Places(
            self.folder / "state.db", Maildir(self.folder / "hold"), self.folder / "ticket.key",
            self.folder / "release.secret",
        )  # fmt: skip

    def save(self, name: str = "backup.tgz", tick: Callable[[int], None] = lambda _: None) -> Path:
        path = self.folder / name
        places = self.places
        sources = Sources(self.hold.ledger, places.mailbox, places.keys, places.secret)
        with path.open("wb") as out:
            self.manifest = Backup(sources, "0.1", NOW, tick, self.skipped.append).write(out, self.folder)
        return path

    manifest: Manifest | None = None
    skipped: list[str] = None  # type: ignore[assignment]

    def held(self, number: int) -> str:
        """A message that the ledger knows as held; its file's name."""
        name = self.hold.delivered(self.hold.ticket(number))
        self.hold.rebuild()
        return name


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with holding(tmp_path) as hold:
        create_keys(tmp_path / "ticket.key", NOW)
        create_secret(tmp_path / "release.secret")
        yield House(tmp_path, hold, skipped=[])


def elsewhere(folder: Path) -> Places:
    """The places of another host, on which nothing is yet."""
    return Places(
        folder / "state.db", Maildir(folder / "hold"), folder / "ticket.key", folder / "release.secret"
    )


def restore(archive: Path, places: Places, *, force: bool = False) -> Restored:
    return Restore(places, ROOT, NOW + 60, "then", lambda _: None).run(archive, force=force)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder with mode and content; the databases' own side files left out."""
    return {
        str(path.relative_to(folder)): (stat.S_IMODE(path.lstat().st_mode), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def states(places: Places) -> dict[str, State]:
    ledger = Ledger.open(f"sqlite:///{places.state}")
    found = {item.arrival.file: item.state for item in ledger.search.each(frozenset(State))}
    ledger.close()
    return found


def test_everything_comes_back_as_it_was(house: House, tmp_path: Path) -> None:
    names = [house.held(number) for number in range(3)]
    items = house.hold.items()
    house.hold.ledger.change(items[names[0]].id, Event.REJECT, ROOT, NOW)
    house.hold.mailbox.move(names[0], Folder.REJECTED)
    archive = house.save()
    assert verified(archive, lambda _: None) == house.manifest
    assert house.manifest is not None
    assert (house.manifest.mail, dict(house.manifest.items)) == (3, {"held": 2, "rejected": 1})
    places = elsewhere(tmp_path / "new")
    restored = restore(archive, places)
    assert (restored.mail, restored.there, restored.kept, restored.lost_keys) == (3, 0, (), ())
    assert states(places) == {names[0]: State.REJECTED, names[1]: State.HELD, names[2]: State.HELD}
    for name in names:
        assert places.mailbox.read(name) == house.hold.mailbox.read(name)
    assert set(places.mailbox.names(Folder.REJECTED)) == {names[0]}
    assert read_keys(places.keys) == read_keys(house.places.keys)
    assert places.secret.read_text() == house.places.secret.read_text()
    for path in (places.state, places.keys, places.secret):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list((tmp_path / "new").glob(".*")), "nothing of the work is left"
    ledger = Ledger.open(f"sqlite:///{places.state}")
    assert ledger.audit(action="restore")[0].actor == "root"
    ledger.close()


def test_what_waits_in_an_old_backup_is_reminded_of_before_it_expires(house: House, tmp_path: Path) -> None:
    names = [house.held(number) for number in range(2)]
    items = house.hold.items()
    house.hold.ledger.mark(items[names[1]].id, reminded=NOW)
    archive, later = house.save(), NOW + 365 * 86_400
    places = elsewhere(tmp_path / "new")
    Restore(places, ROOT, later, "then", lambda _: None).run(archive, force=False)
    ledger = Ledger.open(f"sqlite:///{places.state}")
    first, second = ledger.search.each({State.HELD})
    assert {first.terms.expires, second.terms.expires} == {later + 86_400}
    assert (first.terms.remind, second.terms.remind) == (later, items[names[1]].terms.remind)
    assert ledger.grant(later, later) == 0, "what has more time keeps it"
    ledger.close()


def test_owners_come_back_by_name(house: House, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        return
    name = house.held(1)
    for path in (house.hold.mailbox.find(name), house.places.state, house.places.keys):
        os.chown(path, 65534, 65534)
    os.chown(tmp_path, 65534, 65534)
    places = elsewhere(tmp_path / "new")
    restore(house.save(), places)
    assert {path.stat().st_uid for path in (places.mailbox.find(name), places.state, places.keys)} == {65534}
    assert (tmp_path / "new").stat().st_uid == 65534
    assert places.secret.stat().st_uid == 0


def test_mail_that_moves_while_it_is_saved_is_never_left_out(house: House, tmp_path: Path) -> None:
    """Files go to and fro between the folders, and new ones come, while they are being read."""
    names = [house.held(number) for number in range(200)]
    stop, moved, came = threading.Event(), threading.Event(), list[str]()

    def move() -> None:
        number = 0
        while not stop.is_set():
            for name in names[:150]:
                house.hold.mailbox.move(name, Folder.APPROVED if number % 2 else Folder.SHUNTED)
            number += 1
            came.append(house.hold.delivered(house.hold.ticket(1000 + number)))
            moved.set()

    mover = threading.Thread(target=move)
    mover.start()
    assert moved.wait(PATIENCE)
    archive = house.save()
    stop.set()
    mover.join(PATIENCE)
    manifest = verified(archive, lambda _: None)
    saved = [name.rpartition("/")[2].partition(":")[0] for name in manifest.files if name.startswith("hold/")]
    assert len(saved) == len(set(saved))
    assert set(names) <= set(saved)
    assert manifest.missing == ()
    places = elsewhere(tmp_path / "new")
    restore(archive, places)
    assert set(states(places)) == set(names)
    assert {path.name.partition(":")[0] for path in places.mailbox.files()} == set(saved)


def test_the_ledger_is_of_one_moment_while_it_is_written(house: House, tmp_path: Path) -> None:
    names = [house.held(number) for number in range(20)]
    ids = [house.hold.items()[name].id for name in names]
    stop = threading.Event()

    def decide() -> None:
        ledger = Ledger.open(url(house.folder), timeout=PATIENCE)
        for number, one in enumerate(ids):
            if not stop.is_set():
                ledger.change(one, Event.APPROVE if number % 2 else Event.REJECT, DESK, NOW)
        ledger.close()

    writer = threading.Thread(target=decide)
    writer.start()
    archive = house.save()
    stop.set()
    writer.join(PATIENCE)
    places = elsewhere(tmp_path / "new")
    restore(archive, places)
    ledger = Ledger.open(f"sqlite:///{places.state}")
    for item in ledger.search.each(frozenset(State)):
        last = ledger.search.history(item)[-1]
        assert last.after == item.state.value
    ledger.close()


def test_an_open_item_without_a_file_is_named(house: House) -> None:
    name = house.held(1)
    item = house.hold.items()[name]
    house.hold.mailbox.remove(name)
    house.save()
    assert house.manifest is not None
    assert house.manifest.missing == (item.name,)


def test_what_is_no_plain_file_is_left_out_and_told(house: House, tmp_path: Path) -> None:
    house.held(1)
    (tmp_path / "outside").write_text("secret")
    link = house.hold.mailbox.path / "new" / "1.link"
    link.symlink_to(tmp_path / "outside")
    fifo = house.hold.mailbox.path / "new" / "2.fifo"
    os.mkfifo(fifo)
    archive = house.save()
    assert house.skipped == [str(link), str(fifo)]
    with tarfile.open(archive) as made:
        assert not [name for name in made.getnames() if "link" in name or "fifo" in name]


def test_one_content_under_two_names_is_there_twice(house: House) -> None:
    """A hard link in the mailbox doesn't become a link in the archive, which nobody would restore."""
    name = house.held(1)
    path = house.hold.mailbox.find(name)
    (path.parent / f"9{path.name}").hardlink_to(path)
    manifest = verified(house.save(), lambda _: None)
    assert manifest.mail == 2


def test_mail_that_is_there_stays_and_present_keys_go_on_opening(house: House) -> None:
    first = house.held(1)
    archive = house.save()
    second = house.held(2)
    house.hold.mailbox.move(first, Folder.APPROVED)
    key = fresh_key(read_keys(house.places.keys))
    replace_file(house.places.keys, lambda text: with_key(text, key))
    replace_file(house.places.keys, lambda text: sealing(text, key.id, NOW))
    house.hold.ledger.close()
    with pytest.raises(InTheWay, match="ledger already"):
        restore(archive, house.places)
    restored = restore(archive, house.places, force=True)
    assert (restored.mail, restored.there) == (0, 1)
    assert {house.hold.place(first), house.hold.place(second)} == {"Approved", "Held"}
    assert [found.id for found in read_keys(house.places.keys).keys] == [0, key.id]
    assert sorted(path.name for path in restored.kept) == ["state.db.before-then", "ticket.key.before-then"]
    assert restored.lost_keys == ()
    assert set(states(house.places)) == {first}
    assert house.hold.rebuild() == ["recorded"], "what the old ledger doesn't know is recorded anew"


def test_another_key_of_the_same_id_is_told(house: House, tmp_path: Path) -> None:
    archive = house.save()
    places = elsewhere(tmp_path / "new")
    (tmp_path / "new").mkdir()
    create_keys(places.keys, NOW)
    with pytest.raises(InTheWay, match="another one"):
        restore(archive, places)
    assert restore(archive, places, force=True).lost_keys == (0,)


@pytest.mark.parametrize(
    ("step", "at"),
    [("_look_at", 1), ("_mail", 1), ("_place", 1), ("_place", 2), ("_set_logs_aside", 1), ("_place", 3)],
)
def test_whatever_fails_midway_everything_is_as_it_was(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, at: int
) -> None:
    for number in range(3):
        house.held(number)
    archive = house.save("../backup.tgz")
    there = tmp_path / "there"
    there.mkdir()
    with holding(there) as other:
        other.delivered(other.ticket(77), Folder.HELD)
        other.rebuild()
    create_keys(there / "ticket.key", NOW)
    create_secret(there / "release.secret")
    before = snapshot(there)
    real, calls = getattr(Restore, step), list[int]()

    def failing(self: Restore, *arguments: object) -> object:
        calls.append(1)
        result = real(self, *arguments)
        if len(calls) == at:
            raise OSError(28, "No space left on device")
        return result

    monkeypatch.setattr(Restore, step, failing)
    with pytest.raises(OSError, match="No space left"):
        restore(archive, elsewhere(there), force=True)
    assert snapshot(there) == before
    assert len(states(elsewhere(there))) == 1


def test_a_full_disk_while_it_is_written_leaves_nothing_behind(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.held(1)
    archive = house.save()
    places = elsewhere(tmp_path / "deep" / "new")

    def full(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("groupmilter.moderation.extracting.digested", full)
    with pytest.raises(OSError, match="No space left"):
        restore(archive, places)
    assert not (tmp_path / "deep").exists()


def test_a_ledger_of_a_later_version_is_refused(house: House, tmp_path: Path) -> None:
    with house.hold.ledger.database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    archive = house.save()
    places = elsewhere(tmp_path / "new")
    with pytest.raises(LedgerUnavailable, match="later version"):
        restore(archive, places)
    assert not places.state.exists()
    assert not places.keys.exists()


def test_a_damaged_ledger_is_no_reason_not_to_restore(house: House) -> None:
    name = house.held(1)
    archive = house.save()
    house.hold.ledger.close()
    house.places.state.write_bytes(b"rubbish" * 1000)
    restored = restore(archive, house.places, force=True)
    assert states(house.places) == {name: State.HELD}
    assert restored.kept[0].read_bytes().startswith(b"rubbish")


def test_the_logs_of_another_database_are_set_aside(house: House) -> None:
    archive = house.save()
    house.hold.ledger.close()
    house.places.state.write_bytes(b"rubbish" * 1000)
    log = house.places.state.with_name("state.db-wal")
    log.write_bytes(b"of another database")
    restore(archive, house.places, force=True)
    assert states(house.places) == {}
    assert house.folder.joinpath("state.db.before-then-wal").read_bytes() == b"of another database"


def test_a_restore_that_was_killed_can_be_done_again(house: House, tmp_path: Path) -> None:
    house.held(1)
    archive = house.save()
    places = elsewhere(tmp_path / "new")
    (tmp_path / "new").mkdir()
    for name in (".state.db.restoring", ".ticket.key.restoring", ".release.secret.restoring"):
        (tmp_path / "new" / name).write_text("left over")
    (tmp_path / "new" / ".hold.restoring" / "new").mkdir(parents=True)
    assert restore(archive, places).mail == 1
    assert not list((tmp_path / "new").glob(".*"))


def test_octets_are_counted_as_they_go(house: House) -> None:
    house.held(1)
    counted = list[int]()
    house.save(tick=counted.append)
    assert house.manifest is not None
    assert sum(counted) == house.manifest.size


def test_a_backup_that_was_cut_is_none(house: House) -> None:
    house.held(1)
    archive = house.save()
    octets = archive.read_bytes()
    for length in (0, 1, 10, 100, len(octets) // 2, len(octets) - 9, len(octets) - 1):
        archive.write_bytes(octets[:length])
        with pytest.raises(BadArchive):
            verified(archive, lambda _: None)


def test_names_are_where_the_module_says(house: House) -> None:
    with tarfile.open(fileobj=io.BytesIO(house.save().read_bytes())) as made:
        names = made.getnames()
    assert names[:3] == ["state", "keys", "mail"]
    assert names[-1] == "manifest.json"
    assert names.index("state.db") < names.index("keys/ticket.key"), "the ledger first, the keys last"
