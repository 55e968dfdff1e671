"""The hold mailbox: a Maildir into which an MTA writes while mail programs move and flag, and the desk files away."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from groupmilter.moderation.item import State
from groupmilter.moderation.mailbox import Folder, Maildir, Missing, folder_of

DEADLINE = 30.0


@pytest.fixture
def maildir(tmp_path: Path) -> Maildir:
    box = Maildir(tmp_path / "hold")
    box.prepare()
    return box


def deliver(root: Path, name: str, octets: bytes = b"Subject: x\n\nhello\n") -> Path:
    """Deliver as virtual(8) does: written in tmp, renamed into new."""
    (root / "tmp" / name).write_bytes(octets)
    return (root / "tmp" / name).rename(root / "new" / name)


def where(root: Path, name: str) -> str:
    """Where a file stands, from the mailbox's root on."""
    found = [path for path in root.rglob(f"{name}*") if path.is_file() or path.is_symlink()]
    assert len(found) == 1, found
    return str(found[0].relative_to(root))


def test_its_folders_are_maildir_plus_plus(tmp_path: Path, maildir: Maildir) -> None:
    root = tmp_path / "hold"
    folders = {".Held", ".Approved", ".Rejected", ".Expired", ".Shunted", ".Reports"}
    assert {path.name for path in root.iterdir()} == folders | {"new", "cur", "tmp"}
    for folder in folders:
        assert {path.name for path in (root / folder).iterdir()} == {"new", "cur", "tmp", "maildirfolder"}
    maildir.prepare()


def test_made_by_root_it_belongs_to_whom_the_mta_writes_as(tmp_path: Path) -> None:
    parent = tmp_path / "mail"
    parent.mkdir()
    if os.geteuid() == 0:
        shutil.chown(parent, "nobody", "nogroup")
    Maildir(parent / "hold").prepare()
    owner = parent.stat()
    made = [parent / "hold", *(parent / "hold").rglob("*")]
    assert len(made) == 1 + 3 + 6 * 5
    for path in made:
        status = path.stat()
        mode = 0o700 if path.is_dir() else 0o600
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (owner.st_uid, owner.st_gid, mode)


def test_a_mailbox_that_the_mta_has_made_keeps_its_owner_and_mode(tmp_path: Path) -> None:
    root = tmp_path / "hold"
    for part in (root, root / "new", root / "cur", root / "tmp"):
        part.mkdir(mode=0o750)
    if os.geteuid() == 0:
        shutil.chown(root, "nobody", "nogroup")
    Maildir(root).prepare()
    assert root.stat().st_mode & 0o777 == 0o750
    assert (root / "new").stat().st_mode & 0o777 == 0o750
    assert (root / ".Held").stat().st_uid == root.stat().st_uid


def test_every_state_has_its_folder() -> None:
    assert {folder_of(state) for state in State} <= set(Folder) - {Folder.INBOX}
    assert folder_of(State.APPROVED) is Folder.HELD, "until it is out"


def test_a_file_is_read_and_goes_from_folder_to_folder_under_one_name(
    tmp_path: Path, maildir: Maildir
) -> None:
    root, name = tmp_path / "hold", "1700000000.Vfe01I1M123.mx"
    deliver(root, name, b"octets \0\r\xff")
    assert list(maildir.names(Folder.INBOX)) == [name]
    for folder in (Folder.HELD, Folder.APPROVED, Folder.SHUNTED, Folder.HELD):
        maildir.move(name, folder)
        assert where(root, name) == f".{folder.value}/cur/{name}:2,S"
        assert list(maildir.names(folder)) == [name]
        assert list(maildir.names(Folder.INBOX)) == []
        assert maildir.read(name) == b"octets \0\r\xff"
        maildir.move(name, folder)
    maildir.remove(name)
    maildir.remove(name)
    assert not maildir.has(name)
    assert list(maildir.names(Folder.HELD)) == []


def test_names_come_in_the_order_of_arrival(tmp_path: Path, maildir: Maildir) -> None:
    names = ["1700000002.a.mx", "1700000000.b.mx", "1700000001.c.mx"]
    for name in names:
        deliver(tmp_path / "hold", name)
    assert list(maildir.names(Folder.INBOX)) == sorted(names)


@pytest.mark.parametrize("flags", [":2,", ":2,S", ":2,RST", ":2,Sab", ":1,experimental", ""])
def test_whatever_a_mail_program_does_to_a_name_it_is_found(
    tmp_path: Path, maildir: Maildir, flags: str
) -> None:
    root, name = tmp_path / "hold", "1700000000.Vfe01I1M123.mx"
    deliver(root, name).rename(root / "cur" / f"{name}{flags}")
    assert list(maildir.names(Folder.INBOX)) == [name]
    assert maildir.has(name)
    maildir.move(name, Folder.HELD)
    (root / ".Held" / "cur" / f"{name}:2,S").rename(root / ".Rejected" / "cur" / f"{name}{flags}")
    assert maildir.read(name).endswith(b"hello\n")
    maildir.move(name, Folder.APPROVED)
    assert where(root, name) == f".Approved/cur/{name}:2,S"


def test_a_file_with_flags_in_new_is_found(tmp_path: Path, maildir: Maildir) -> None:
    deliver(tmp_path / "hold", "1700000000.x.mx:2,F")
    assert list(maildir.names(Folder.INBOX)) == ["1700000000.x.mx"]
    maildir.move("1700000000.x.mx", Folder.HELD)
    assert where(tmp_path / "hold", "1700000000.x.mx") == ".Held/cur/1700000000.x.mx:2,S"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../new/x", "/etc/passwd", "a\0b", "x:2,S", "new\nline", "é", "\udcff"]
)
def test_no_name_leads_out_of_the_mailbox_or_breaks_a_line(maildir: Maildir, name: str) -> None:
    with pytest.raises(OSError, match="is no name that an MTA gives"):
        maildir.read(name)
    with pytest.raises(Missing):
        maildir.move(name, Folder.HELD)
    maildir.remove(name)
    assert not maildir.has(name)


def test_what_is_gone_is_missing(maildir: Maildir) -> None:
    with pytest.raises(Missing):
        maildir.read("1700000000.gone.mx")
    with pytest.raises(Missing):
        maildir.move("1700000000.gone.mx", Folder.HELD)


def test_links_folders_and_pipes_are_neither_followed_nor_waited_for(
    tmp_path: Path, maildir: Maildir
) -> None:
    new = tmp_path / "hold" / "new"
    secret = tmp_path / "secret"
    secret.write_text("not mail", "utf-8")
    (new / "1.link.mx").symlink_to(secret)
    (new / "2.dangling.mx").symlink_to(tmp_path / "nowhere")
    (new / "3.folder.mx").mkdir()
    os.mkfifo(new / "4.pipe.mx")
    assert len(list(maildir.names(Folder.INBOX))) == 4
    for name in ("1.link.mx", "2.dangling.mx"):
        with pytest.raises(OSError, match=f"{name} can't be opened"):
            maildir.read(name)
    for name in ("3.folder.mx", "4.pipe.mx"):
        with pytest.raises(OSError, match=f"{name} is no regular file"):
            maildir.read(name)
    maildir.move("1.link.mx", Folder.SHUNTED)
    maildir.remove("1.link.mx")
    assert secret.read_text("utf-8") == "not mail"


def test_hidden_files_are_none_of_the_mailbox(tmp_path: Path, maildir: Maildir) -> None:
    (tmp_path / "hold" / "new" / ".nfs0001").write_text("x", "utf-8")
    assert list(maildir.names(Folder.INBOX)) == []


def test_nothing_is_ever_overwritten(tmp_path: Path, maildir: Maildir) -> None:
    root, name = tmp_path / "hold", "1700000000.twice.mx"
    deliver(root, name, b"one")
    (root / ".Held" / "cur" / f"{name}:2,S").write_bytes(b"two")
    with pytest.raises(FileExistsError):
        maildir.move(name, Folder.HELD)
    assert (root / "new" / name).read_bytes() == b"one"
    assert (root / ".Held" / "cur" / f"{name}:2,S").read_bytes() == b"two"


def test_a_deleted_folder_is_made_again(tmp_path: Path, maildir: Maildir) -> None:
    root, name = tmp_path / "hold", "1700000000.x.mx"
    deliver(root, name)
    shutil.rmtree(root / ".Held")
    maildir.move(name, Folder.HELD)
    assert where(root, name) == f".Held/cur/{name}:2,S"


def test_a_file_moved_by_somebody_between_search_and_use_is_found_again(
    tmp_path: Path, maildir: Maildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, name = tmp_path / "hold", "1700000000.x.mx"
    deliver(root, name, b"content")
    find = Maildir.find

    def found_and_then_moved(self: Maildir, wanted: str) -> Path:
        there = find(self, wanted)
        monkeypatch.setattr(Maildir, "find", find)
        there.rename(root / "cur" / f"{wanted}:2,")
        return there

    monkeypatch.setattr(Maildir, "find", found_and_then_moved)
    assert maildir.read(name) == b"content"
    (root / "cur" / f"{name}:2,").rename(root / "new" / name)
    monkeypatch.setattr(Maildir, "find", found_and_then_moved)
    maildir.move(name, Folder.HELD)
    assert where(root, name) == f".Held/cur/{name}:2,S"


def test_what_was_delivered_long_ago_is_told_apart(tmp_path: Path, maildir: Maildir) -> None:
    root = tmp_path / "hold"
    for age, name in ((100, "1.old.mx"), (10, "2.new.mx")):
        os.utime(deliver(root, name), (time.time() - age, time.time() - age))
        maildir.move(name, Folder.REPORTS)
    assert list(maildir.aged(Folder.REPORTS, int(time.time()) - 50)) == ["1.old.mx"]
    assert list(maildir.aged(Folder.INBOX, int(time.time()) - 50)) == []


# waiting


def waits(maildir: Maildir, timeout: float = DEADLINE) -> Callable[[], tuple[bool, float]]:
    """Begin to wait in a thread; the result is what it told and how many seconds it took."""
    results: list[tuple[bool, float]] = []

    def wait() -> None:
        began = time.monotonic()
        results.append((maildir.wait(threading.Event(), timeout), time.monotonic() - began))

    thread = threading.Thread(target=wait)
    thread.start()

    def result() -> tuple[bool, float]:
        thread.join(2 * DEADLINE)
        return results[0]

    return result


def test_what_came_before_the_wait_is_seen_at_once(tmp_path: Path, maildir: Maildir) -> None:
    deliver(tmp_path / "hold", "1.x.mx")
    told, seconds = waits(maildir)()
    assert told
    assert seconds < DEADLINE / 3


def test_what_comes_between_two_waits_and_during_one_is_seen(tmp_path: Path, maildir: Maildir) -> None:
    stop = threading.Event()
    assert not maildir.wait(stop, 0.3)
    for number in range(5):
        if number % 2:
            deliver(tmp_path / "hold", f"{number}.x.mx")
            told = waits(maildir)()
        else:
            result = waits(maildir)
            deliver(tmp_path / "hold", f"{number}.x.mx")
            told = result()
        assert told[0], number
        assert told[1] < DEADLINE / 3


def test_a_file_that_stays_wakes_nobody_a_second_time(tmp_path: Path, maildir: Maildir) -> None:
    """A file that can't be taken in is tried again at each turn, and costs nothing in between."""
    deliver(tmp_path / "hold", "1.x.mx")
    assert maildir.wait(threading.Event(), DEADLINE)
    assert not maildir.wait(threading.Event(), 0.5)
    deliver(tmp_path / "hold", "2.x.mx")
    assert maildir.wait(threading.Event(), DEADLINE)
    maildir.move("1.x.mx", Folder.HELD)
    assert not maildir.wait(threading.Event(), 0.5), "what goes is nothing that came"


def test_a_name_that_comes_a_second_time_is_new_again(tmp_path: Path, maildir: Maildir) -> None:
    root = tmp_path / "hold"
    deliver(root, "1.x.mx")
    assert maildir.wait(threading.Event(), DEADLINE)
    maildir.move("1.x.mx", Folder.HELD)
    assert not maildir.wait(threading.Event(), 0.2)
    (root / ".Held" / "cur" / "1.x.mx:2,S").rename(root / "new" / "1.x.mx")
    assert maildir.wait(threading.Event(), DEADLINE)


def test_it_ends_when_told_to_stop(maildir: Maildir) -> None:
    stop = threading.Event()
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(maildir.wait(stop, 10 * DEADLINE)))
    thread.start()
    stop.set()
    thread.join(DEADLINE)
    assert ended == [False]


def test_without_an_inbox_it_says_so_and_watches_again_once_there_is_one(tmp_path: Path) -> None:
    box = Maildir(tmp_path / "hold")
    with pytest.raises(FileNotFoundError):
        box.wait(threading.Event(), DEADLINE)
    box.prepare()
    assert not box.wait(threading.Event(), 0.2)
    shutil.rmtree(tmp_path / "hold")
    box.prepare()
    deliver(tmp_path / "hold", "1.x.mx")
    assert box.wait(threading.Event(), DEADLINE)
    assert not box.wait(threading.Event(), 0.2)
    result = waits(box)
    deliver(tmp_path / "hold", "2.x.mx")
    assert result()[0]
