"""The hold mailbox: a Maildir that the MTA writes and the desk files away, with Maildir++ folders.

Behind `HoldMailbox`, so that an IMAP mailbox can take its place. A name is the file's without its flags, and stays
the same from folder to folder, whatever mail program gives it flags or moves it meanwhile. Fails with `Missing` for a
name that isn't there (any more), else with OSError for that one file.

Files are renamed, which a journalling file system does wholly or not at all. That isn't waited for: the ledger alone
says where an item stands, a file is found in any folder, and the desk's next start brings it where it belongs.
Sources: maildir(5), Courier's Maildir++ description, virtual(8).
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from groupmilter.moderation.item import State

_MODE = 0o700
_MOVED_OFTEN = 5
_LOOK_MS = 1000
_STEP_MS = 50


class Missing(Exception):
    """No file of this name stands in the hold mailbox."""


class Folder(StrEnum):
    """The folders; the inbox is what the MTA writes into."""

    INBOX = ""
    HELD = "Held"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    SHUNTED = "Shunted"
    REPORTS = "Reports"


_FOLDERS = {
    State.HELD: Folder.HELD,
    State.APPROVED: Folder.HELD,
    State.RELEASED: Folder.APPROVED,
    State.REPORTED: Folder.REJECTED,
    State.REJECTED: Folder.REJECTED,
    State.EXPIRED: Folder.EXPIRED,
    State.SHUNTED: Folder.SHUNTED,
}


_ON_ITS_WAY = (
    Folder.INBOX, Folder.SHUNTED, Folder.HELD, Folder.APPROVED, Folder.REJECTED, Folder.EXPIRED,
    Folder.REPORTS,
)  # fmt: skip


def folder_of(state: State) -> Folder:
    """Return where an item's file belongs; an approved one stays among the held until it is out."""
    return _FOLDERS[state]


class HoldMailbox(Protocol):
    """What the desk asks of a hold mailbox."""

    def prepare(self) -> None:
        """Make the folders."""

    def names(self, folder: Folder) -> Iterator[str]:
        """Yield the names in a folder."""

    def aged(self, folder: Folder, before: int) -> Iterator[str]:
        """Yield the names in a folder that were delivered before a time, seconds since 1970."""

    def sizes(self, folder: Folder) -> Iterator[tuple[str, int]]:
        """Yield name and octets of what is in a folder, the oldest first."""

    def has(self, name: str) -> bool:
        """Tell whether a file is there, in any folder."""

    def read(self, name: str) -> bytes:
        """Return a file's octets, wherever it stands; raises `Missing`, OSError."""

    def time(self, name: str) -> int:
        """Return when a file came where it stands, seconds since 1970, UTC; raises `Missing`."""

    def move(self, name: str, folder: Folder) -> None:
        """Bring a file into a folder; does nothing where it is there; raises `Missing`, OSError."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""

    def wait(self, stop: threading.Event, timeout: float) -> bool:
        """Tell as soon as something new is in the inbox, at the latest after ``timeout`` seconds; raises OSError."""


class Maildir:
    """A Maildir on this host. `wait` is for one thread at a time, which needn't be that of the rest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._flagged: dict[str, Path] = {}
        self._seen: frozenset[str] = frozenset()
        self._changes: Generator[object, None, None] | None = None
        self._watched = (0, 0)

    @property
    def path(self) -> Path:
        """The mailbox itself."""
        return self._path

    def files(self) -> Iterator[Path]:
        """Yield every file, the folders in the order in which mail goes through them."""
        for folder in _ON_ITS_WAY:
            for part in ("new", "cur"):
                with suppress(FileNotFoundError):
                    for found in sorted((self._base(folder) / part).iterdir()):
                        if not found.name.startswith("."):
                            yield found

    def prepare(self) -> None:
        """Make the mailbox and its folders, owned as the directory above is: by whom the MTA writes."""
        owner = (self._path if self._path.exists() else self._path.parent).stat()
        for folder in Folder:
            base = self._base(folder)
            for path in (base, *(base / part for part in ("new", "cur", "tmp"))):
                if _made(path):
                    _give(path, owner)
            mark = base / "maildirfolder"
            if folder is not Folder.INBOX and not mark.exists():
                mark.touch(0o600)
                _give(mark, owner)

    def names(self, folder: Folder) -> Iterator[str]:
        """Yield the names in a folder, the oldest first as far as Maildir names tell."""
        for part in ("new", "cur"):
            for name in sorted(_listed(self._base(folder) / part)):
                yield name.partition(":")[0]

    def aged(self, folder: Folder, before: int) -> Iterator[str]:
        """Yield the names in a folder that the MTA wrote before a time, seconds since 1970."""
        for part in ("new", "cur"):
            directory = self._base(folder) / part
            for name in sorted(_listed(directory)):
                with suppress(FileNotFoundError):
                    if (directory / name).lstat().st_mtime < before:
                        yield name.partition(":")[0]

    def sizes(self, folder: Folder) -> Iterator[tuple[str, int]]:
        """Yield name and octets of what is in a folder, the oldest first as far as Maildir names tell."""
        base = self._base(folder)
        there = ((found, base / part / found) for part in ("new", "cur") for found in _listed(base / part))
        for found, path in sorted(there):
            with suppress(FileNotFoundError):
                yield found.partition(":")[0], path.lstat().st_size

    def has(self, name: str) -> bool:
        """Tell whether a file is there, in any folder."""
        try:
            self.find(name)
        except Missing:
            return False
        return True

    def read(self, name: str) -> bytes:
        """Return a file's octets; a link is not followed, a device not waited for."""
        if not _usable(name):
            raise OSError(f"{name!a} is no name that an MTA gives")
        for _ in range(_MOVED_OFTEN):
            with suppress(FileNotFoundError):
                return _octets(self.find(name), name)
        raise Missing(name)

    def time(self, name: str) -> int:
        """Return when a file was written or renamed, whatever came last."""
        status = self.find(name).lstat()
        return int(max(status.st_mtime, status.st_ctime))

    def move(self, name: str, folder: Folder) -> None:
        """Rename a file into a folder; one of its name that is there already is never overwritten."""
        target = self._base(folder) / "cur"
        for _ in range(_MOVED_OFTEN):
            there = self.find(name)
            if there.parent == target:
                return
            with suppress(FileNotFoundError):
                _rename(there, target / f"{name}:2,S")
                return
            # Somebody has moved it meanwhile, or deleted the folder.
            self.prepare()
        raise Missing(name)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(Missing):
            self.find(name).unlink(missing_ok=True)

    def wait(self, stop: threading.Event, timeout: float) -> bool:
        """Wait for a name in the inbox that was not there at the last call (inotify).

        Watching goes on between the calls, so nothing is missed; where inotify sees nothing (NFS), or had not begun,
        the directory itself is looked at each second.
        """
        end = time.monotonic() + timeout
        while True:
            there = frozenset(self.names(Folder.INBOX))
            fresh, self._seen = there - self._seen, there
            if fresh or stop.is_set() or time.monotonic() >= end:
                return bool(fresh)
            self._next_change(stop)

    def _next_change(self, stop: threading.Event) -> None:
        """Return when something happens in the inbox, or after a second."""
        new = self._path / "new"
        status = new.stat()
        if self._changes is None or self._watched != (status.st_dev, status.st_ino):
            self._watched = (status.st_dev, status.st_ino)
            self._changes = _changes(new, stop)
        try:
            if next(self._changes, None) is None:
                self._changes = None
        except RuntimeError as error:
            self._changes = None
            raise OSError(f"{new} can't be watched: {error}") from error

    def _base(self, folder: Folder) -> Path:
        return self._path / f".{folder.value}" if folder.value else self._path

    def find(self, name: str) -> Path:
        """Return where a file stands now; raises `Missing`."""
        if not _usable(name):
            raise Missing(name)
        for folder in Folder:
            base = self._base(folder)
            for path in (f"{base}/new/{name}", f"{base}/cur/{name}:2,S"):
                if os.path.lexists(path):
                    return Path(path)
        # Some mail program may have given it other flags.
        known = self._flagged.get(name)
        if known is None or not os.path.lexists(known):
            self._flagged = {
                found.partition(":")[0]: self._base(folder) / part / found
                for folder in Folder
                for part in ("new", "cur")
                for found in _listed(self._base(folder) / part)
            }
            known = self._flagged.get(name)
        if known is None:
            raise Missing(name)
        return known


def _changes(directory: Path, stop: threading.Event) -> Generator[object, None, None]:
    """Yield whenever something happens in a directory, and each second; end with ``stop``."""
    from watchfiles import watch

    yield from watch(
        directory, watch_filter=None, stop_event=stop, rust_timeout=_LOOK_MS, yield_on_timeout=True,
        debounce=2 * _STEP_MS, step=_STEP_MS, recursive=False, raise_interrupt=False,
    )  # fmt: skip


def _listed(directory: Path) -> Iterable[str]:
    with suppress(FileNotFoundError):
        return [name for name in os.listdir(directory) if not name.startswith(".")]  # noqa: PTH208 - names, not paths
    return ()


def _usable(name: str) -> bool:
    """Tell whether the MTA may have made a name: printable ASCII, and nothing that leads out of a folder."""
    return (
        name.isascii() and name.isprintable() and bool(name) and name[0] != "." and not set(name) & {"/", ":"}
    )


def _octets(path: Path, name: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"{name} can't be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _rename(there: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(f"{target} is there already, and {there} too")
    there.rename(target)


def _made(path: Path) -> bool:
    try:
        path.mkdir(_MODE)
    except FileExistsError:
        return False
    return True


def _give(path: Path, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
