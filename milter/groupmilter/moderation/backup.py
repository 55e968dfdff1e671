"""Making a backup while everything runs: ledger, hold mailbox and keys as one archive, without losing a message.

The order does it. First the ledger, as of one moment. Then the mailbox, as it is from then on: what has come in
meanwhile is in the archive and not in that ledger, and the desk records it after a restore from its ticket alone
(`rebuilding`). What was decided and filed away meanwhile still waits in that ledger, is asked about once more, and may
be delivered twice; never not at all. A file that moves from folder to folder while we look is found when the folders
are gone through again, until a whole round finds nothing new; and each item that is open is looked for by its name.
Last the keys: whatever sealed a ticket in the archive is among them.

What still lies in the MTA's queue is not part of it. Raises `LedgerUnavailable`, and OSError where something can't be
read or the archive not be written: the archive lacks its manifest then, and `archive.verified` refuses it.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import socket
import stat
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from groupmilter.moderation.archive import (
    FORMAT,
    MANIFEST,
    RELEASE_SECRET,
    STATE,
    TICKET_KEY,
    Digesting,
    Entry,
    Manifest,
    Tick,
)
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Maildir, Missing
from groupmilter.moderation.transitions import OPEN

_COMPRESSION = 6
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Sources:
    """What is backed up.

    :param keys, secret: the files of the ticket keys and of the release listener's password.
    """

    ledger: Ledger
    mailbox: Maildir
    keys: Path
    secret: Path


@dataclass(slots=True)
class Backup:
    """One backup in the making.

    :param tick: told how many octets were read. ``skipped``: told of a file that is no plain file.
    """

    sources: Sources
    version: str
    now: int
    tick: Tick
    skipped: Callable[[str], None]
    _files: dict[str, Entry] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def write(self, out: IO[bytes], folder: Path) -> Manifest:
        """Write the archive; return its manifest.

        :param folder: where the copy of the ledger lies in the meantime.
        """
        with (
            tempfile.TemporaryDirectory(prefix=".groupmilter-", dir=folder) as aside,
            gzip.GzipFile("", "wb", _COMPRESSION, out, self.now) as squeezed,
            tarfile.open(fileobj=squeezed, mode="w|", format=tarfile.PAX_FORMAT, dereference=True) as archive,
        ):
            ledger = self.sources.ledger
            items = {state.value: count for state, count in ledger.search.counts().items()}
            self._folders(archive)
            copy = Path(aside) / STATE
            ledger.database.copy_to(copy)
            self._add(archive, copy, STATE, like=ledger.database.file)
            self._mail(archive)
            missing = self._open_ones(archive)
            self._add(archive, self.sources.keys.resolve(), TICKET_KEY)
            if self.sources.secret.exists():
                self._add(archive, self.sources.secret.resolve(), RELEASE_SECRET)
            revision = ledger.database.revision()
            manifest = Manifest(
                FORMAT, self.version, self.now, socket.getfqdn(), revision, items, missing, self._files
            )
            self._manifest(archive, manifest)
        return manifest

    def _folders(self, archive: tarfile.TarFile) -> None:
        """Note whom the folders belong to, for a host on which they have to be made anew."""
        mailbox = self.sources.mailbox.path
        folders = {"state": self.sources.ledger.database.file.parent, "keys": self.sources.keys.parent}
        for name, path in {**folders, "mail": mailbox.parent, "hold": mailbox}.items():
            if path.is_dir():
                archive.addfile(archive.gettarinfo(path, name))

    def _mail(self, archive: tarfile.TarFile) -> None:
        """Take in every file of the mailbox, until a whole round of its folders finds no new one."""
        for _ in range(_ROUNDS):
            before = len(self._names)
            for path in self.sources.mailbox.files():
                self._take(archive, path)
            if len(self._names) == before:
                return

    def _take(self, archive: tarfile.TarFile, path: Path) -> bool:
        """Take in one file of the mailbox once; one that has just been moved away comes by again."""
        name = path.name.partition(":")[0]
        if name in self._names:
            return True
        try:
            self._add(archive, path, self._within(path))
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            self.skipped(str(path))
        self._names.add(name)
        return True

    def _open_ones(self, archive: tarfile.TarFile) -> tuple[str, ...]:
        """Look for each open item that the rounds haven't found by its name; return those that have no file."""
        missing = []
        for item in self.sources.ledger.search.each(OPEN):
            try:
                found = self._take(archive, self.sources.mailbox.find(item.arrival.file))
            except Missing:
                found = False
            if not found:
                missing.append(item.name)
        return tuple(missing)

    def _within(self, path: Path) -> str:
        return f"hold/{path.relative_to(self.sources.mailbox.path)}"

    def _add(self, archive: tarfile.TarFile, path: Path, name: str, like: Path | None = None) -> None:
        """Add one file, read once, through.

        :param like: whose owner and mode it gets.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.ELOOP, "no plain file", str(path))
            info = archive.gettarinfo(fileobj=file, arcname=name)
            if like is not None:
                owner = archive.gettarinfo(like, name)
                info.uid, info.gid, info.uname, info.gname = owner.uid, owner.gid, owner.uname, owner.gname
                info.mode = owner.mode
            content = Digesting(file, self.tick)
            archive.addfile(info, content)
            # Else every header stays in memory.
            archive.members.clear()  # type: ignore[attr-defined]
        self._files[name] = content.entry

    def _manifest(self, archive: tarfile.TarFile, manifest: Manifest) -> None:
        octets = manifest.octets()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mtime, info.mode = len(octets), self.now, 0o600
        archive.addfile(info, io.BytesIO(octets))
