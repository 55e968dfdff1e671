"""Writing an archive's files beside the places where they belong.

Every file is made anew and never through a link, gets the mode that the archive says less what would let others in,
and, when root restores, its owner by name; a name that this host doesn't know becomes the owner of the folder. Raises
`BadArchive` where the archive is no longer what was verified, OSError where it can't be written.
"""

from __future__ import annotations

import grp
import os
import pwd
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from groupmilter.moderation.archive import (
    MANIFEST,
    BadArchive,
    Manifest,
    Tick,
    digested,
    members,
    understood,
)

FOLDERS = {"state.db": "state", "keys/ticket.key": "keys", "keys/release.secret": "keys", "hold": "mail"}
"""Which folder of the archive says how the folder looked in which a part stood."""

_MODES = 0o770
_LATEST = 2**33


@dataclass(slots=True)
class Folders:
    """How folders looked where the backup was made, by their name in the archive."""

    known: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    made: list[Path] = field(default_factory=list)

    def make(self, name: str, path: Path) -> None:
        """Make a folder, if it isn't there, as the archive says."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            self.made.append(folder)
        info = self.known.get(name)
        if missing and info is not None:
            own(path, info, path.parent)
            path.chmod(info.mode & 0o775)

    def remove(self) -> None:
        """Remove again the folders that were made, where nothing is in them."""
        while self.made:
            with suppress(OSError):
                self.made.pop().rmdir()


def extract(
    archive: Path, manifest: Manifest, beside: Mapping[str, Path], folders: Folders, tick: Tick
) -> None:
    """Write every file of an archive that was verified, and note how its folders looked.

    :param beside: where each part goes: by its name in the archive, the whole mailbox as ``hold``.
    """
    with understood(archive):
        for info, content in members(archive):
            if content is None:
                folders.known[info.name] = info
            elif info.name != MANIFEST:
                path = _place(info.name, beside, folders)
                _write(path, info, content, manifest, tick)
                own(path, info, beside[_part(info.name)].parent)


def _write(path: Path, info: tarfile.TarInfo, content: IO[bytes], manifest: Manifest, tick: Tick) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if digested(content, tick, file) != manifest.files.get(info.name):
            raise BadArchive(f"{info.name} changed in the backup while it was read")
    path.chmod(info.mode & _MODES)
    time = info.mtime if 0 <= info.mtime < _LATEST else 0
    os.utime(path, (time, time), follow_symlinks=False)


def _place(name: str, beside: Mapping[str, Path], folders: Folders) -> Path:
    part = _part(name)
    folders.make(FOLDERS[part], beside[part].parent)
    if part != "hold":
        return beside[part]
    path = beside[part].joinpath(*name.split("/")[1:])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _part(name: str) -> str:
    return "hold" if name.startswith("hold/") else name


def own(path: Path, info: tarfile.TarInfo, beside: Path) -> None:
    """Give a file to whom the archive names, if we are root.

    :param beside: the folder whose owner stands in for one that isn't known here.
    """
    if os.geteuid() != 0:
        return
    folder = beside.stat()
    try:
        user = pwd.getpwnam(info.uname).pw_uid
    except KeyError:
        user = folder.st_uid
    try:
        group = grp.getgrnam(info.gname).gr_gid
    except KeyError:
        group = folder.st_gid
    os.chown(path, user, group, follow_symlinks=False)
