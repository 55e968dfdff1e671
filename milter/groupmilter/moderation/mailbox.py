"""The hold mailbox: a Maildir that the MTA writes and the desk files away, with Maildir++ folders.

Behind `HoldMailbox`, so that an IMAP mailbox can take its place. A name is the file's without its flags, and stays
the same from folder to folder. Fails with `Missing` for a name that isn't there (any more), else with OSError for
that one file. Sources: maildir(5), Courier's Maildir++ description, virtual(8).
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from groupmilter.moderation.item import State

_MODE = 0o700
_BEFORE_WATCHING_MS = 250


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

    def read(self, name: str) -> bytes:
        """Return a file's octets, wherever it stands; raises `Missing`, OSError."""

    def time(self, name: str) -> int:
        """Return when a file came where it stands, seconds since 1970, UTC; raises `Missing`."""

    def move(self, name: str, folder: Folder) -> None:
        """Bring a file into a folder, for good; does nothing where it is there; raises `Missing`."""

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""

    def wait(self, stop: threading.Event, timeout: float) -> bool:
        """Tell as soon as something has come into the inbox, at the latest after ``timeout`` seconds."""


class Maildir:
    """A Maildir on this host."""

    def __init__(self, path: Path) -> None:
        self._path = path

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
                if self._made(path) and os.geteuid() == 0:
                    os.chown(path, owner.st_uid, owner.st_gid)

    def names(self, folder: Folder) -> Iterator[str]:
        """Yield the names in a folder, the oldest first as far as Maildir names tell."""
        for part in ("new", "cur"):
            with suppress(FileNotFoundError):
                for found in sorted(path.name for path in (self._base(folder) / part).iterdir()):
                    if not found.startswith("."):
                        yield found.partition(":")[0]

    def read(self, name: str) -> bytes:
        """Return a file's octets; a link is not followed."""
        descriptor = os.open(self.find(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{name} is no regular file")
            return file.read()

    def time(self, name: str) -> int:
        """Return when a file was written or renamed, whatever came last."""
        status = self.find(name).lstat()
        return int(max(status.st_mtime, status.st_ctime))

    def move(self, name: str, folder: Folder) -> None:
        """Rename a file into a folder and see it on disk."""
        there = self.find(name)
        target = self._base(folder) / "cur"
        if there.parent == target:
            return
        try:
            there.rename(target / f"{name}:2,S")
        except FileNotFoundError as error:
            raise Missing(name) from error
        _sync(target)
        _sync(there.parent)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(Missing):
            self.find(name).unlink(missing_ok=True)

    def wait(self, stop: threading.Event, timeout: float) -> bool:
        """Wait for the inbox (inotify); a file that came before is seen, too."""
        from watchfiles import watch

        new = self._path / "new"
        watching = watch(
            new, stop_event=stop, rust_timeout=_BEFORE_WATCHING_MS, yield_on_timeout=True, debounce=20,
            step=10, recursive=False, raise_interrupt=False,
        )  # fmt: skip
        left = timeout * 1000
        for changes in watching:
            if changes or next(self.names(Folder.INBOX), None) is not None:
                return True
            left -= _BEFORE_WATCHING_MS
            if left <= 0:
                return False
        return False

    def _base(self, folder: Folder) -> Path:
        return self._path / f".{folder.value}" if folder.value else self._path

    def find(self, name: str) -> Path:
        """Return where a file stands now; raises `Missing`."""
        if not name or name.startswith(".") or "/" in name or "\0" in name or ":" in name:
            raise Missing(name)
        for folder in Folder:
            for path in (self._base(folder) / "new" / name, self._base(folder) / "cur" / f"{name}:2,S"):
                if path.is_symlink() or path.exists():
                    return path
        # Some mail program may have given it other flags.
        for folder in Folder:
            with suppress(FileNotFoundError):
                for found in (self._base(folder) / "cur").iterdir():
                    if found.name.partition(":")[0] == name:
                        return found
        raise Missing(name)

    def _made(self, path: Path) -> bool:
        try:
            path.mkdir(_MODE)
        except FileExistsError:
            return False
        return True


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
