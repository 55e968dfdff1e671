"""What a backup is: a compressed tar of the ledger, the hold mailbox and the keys, with a manifest as its last member.

Nothing in an archive is believed before it was looked at: only plain files and folders under names that a backup has,
each with the size and digest that the manifest gives it, none twice, none missing. Whatever differs is `BadArchive`,
and a sentence says what. Sources: tar(5), RFC 1952 (gzip).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from groupmilter.moderation.mailbox import Folder

FORMAT = 1
STATE = "state.db"
TICKET_KEY = "keys/ticket.key"
RELEASE_SECRET = "keys/release.secret"  # noqa: S105 - a name
MANIFEST = "manifest.json"
_FOLDERS = re.compile(r"state|keys|mail|hold")
_OF_MAIL = "|".join(re.escape(folder.value) for folder in Folder if folder is not Folder.INBOX)
_MAIL = re.compile(rf"hold(/\.({_OF_MAIL}))?/(new|cur)/[^/.\0][^/\0]*")
_FIXED = frozenset({STATE, TICKET_KEY, RELEASE_SECRET, MANIFEST})
_LARGEST_MANIFEST = 512 * 1024 * 1024
_CHUNK = 256 * 1024
_PADDING = 1024 * 1024
_LATEST = 2**33

Tick = Callable[[int], None]
"""Told how many octets have been dealt with since the last time."""


class BadArchive(Exception):
    """No backup, or a damaged one; nothing of it was used."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a backup: its octets and their SHA-256, hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    :param made: when, seconds since 1970, UTC. ``version``: of the groupmilter that made it.
    :param revision: of the ledger. ``items``: their number by state. ``missing``: open items without a file.
    :param files: by name.
    """

    format: int
    version: str
    made: int
    host: str
    revision: str
    items: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    files: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def mail(self) -> int:
        """The number of messages."""
        return sum(name.startswith("hold/") for name in self.files)

    @property
    def size(self) -> int:
        """The octets of all files."""
        return sum(entry.size for entry in self.files.values())

    def octets(self) -> bytes:
        """Return the manifest as it stands in the archive."""
        return json.dumps(asdict(self), indent=1).encode()


def verified(path: Path, tick: Tick) -> Manifest:
    """Return what a backup holds, once every octet of it has been compared with its manifest.

    :raises BadArchive: with what is wrong. :raises OSError: where it can't be read.
    """
    found: dict[str, Entry] = {}
    manifest: Manifest | None = None
    with understood(path):
        for info, content in members(path):
            if manifest is not None:
                raise BadArchive(
                    f"{path}: {info.name} comes after the manifest, which is the last of a backup"
                )
            if content is None:
                continue
            if info.name == MANIFEST:
                manifest = _manifest(path, info, content)
            else:
                found[info.name] = digested(content, tick)
    if manifest is None:
        raise BadArchive(f"{path}: it ends too early: the backup was not finished, or was cut")
    _compare(path, found, manifest)
    return manifest


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn whatever gzip and tar say of an archive that they don't understand into `BadArchive`."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise BadArchive(f"{path}: it is no backup of groupmilter, or damaged") from error
    except EOFError as error:
        raise BadArchive(f"{path}: it ends too early: the backup was not finished, or was cut") from error
    except (tarfile.TarError, zlib.error, ValueError) as error:
        raise BadArchive(f"{path}: it is damaged: {error}") from error


def members(path: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield each member of an archive in order, each a file or a folder that a backup has, with a file's content.

    Within `understood`, since a content is read by the caller.

    :raises BadArchive: as soon as something else comes.
    """
    seen: set[str] = set()
    with gzip.open(path) as file, tarfile.open(fileobj=file, mode="r|") as archive:
        while (info := archive.next()) is not None:
            _check(path, info)
            if info.name in seen:
                raise BadArchive(f"{path}: {info.name} is in it twice")
            seen.add(info.name)
            yield info, archive.extractfile(info)
            # Else every header stays in memory.
            archive.members.clear()  # type: ignore[attr-defined]
        # The padding, and with it gzip's own check of the whole.
        if len(file.read(_PADDING + 1)) > _PADDING:
            raise BadArchive(f"{path}: something comes after its end")


def _check(path: Path, info: tarfile.TarInfo) -> None:
    name = info.name
    if info.isdir() and _FOLDERS.fullmatch(name):
        return
    # A sparse file is a small archive that fills a disk; links and devices lead elsewhere.
    if not info.isreg() or info.issparse():
        raise BadArchive(f"{path}: {name!r} is neither a plain file nor a folder of a backup")
    if name not in _FIXED and not _MAIL.fullmatch(name):
        raise BadArchive(f"{path}: {name!r} is no file of a backup")


def _manifest(path: Path, info: tarfile.TarInfo, content: IO[bytes]) -> Manifest:
    if info.size > _LARGEST_MANIFEST:
        raise BadArchive(f"{path}: its manifest is too large")
    try:
        read = json.load(content)
        if read["format"] != FORMAT:
            raise BadArchive(
                f"{path}: made by groupmilter {read['version']} in a format that this one doesn't know"
            )
        files = {
            name: Entry(int(entry["size"]), str(entry["sha256"])) for name, entry in read["files"].items()
        }
        items = {str(state): int(count) for state, count in read["items"].items()}
        if not 0 <= read["made"] < _LATEST:
            raise BadArchive(f"{path}: its manifest can't be read")
        return Manifest(
            FORMAT, str(read["version"]), int(read["made"]), str(read["host"]), str(read["revision"]), items,
            tuple(map(str, read["missing"])), files,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise BadArchive(f"{path}: its manifest can't be read") from error


def _compare(path: Path, found: Mapping[str, Entry], manifest: Manifest) -> None:
    for name in found.keys() ^ manifest.files.keys():
        where = "in the archive and not in its manifest" if name in found else "in its manifest only"
        raise BadArchive(f"{path}: {name} is {where}")
    for name, entry in found.items():
        if entry != manifest.files[name]:
            raise BadArchive(f"{path}: {name} is damaged: its digest is not what the manifest says")
    for name in (STATE, TICKET_KEY):
        if name not in found:
            raise BadArchive(f"{path}: {name} is missing")


def digested(content: IO[bytes], tick: Tick, out: IO[bytes] | None = None) -> Entry:
    """Return size and digest of what is read, and write it somewhere on the way."""
    sha, size = hashlib.sha256(), 0
    while chunk := content.read(_CHUNK):
        sha.update(chunk)
        size += len(chunk)
        tick(len(chunk))
        if out is not None:
            out.write(chunk)
    return Entry(size, sha.hexdigest())


class Digesting(io.RawIOBase):
    """A file that is read once, through, and digested on the way."""

    def __init__(self, file: IO[bytes], tick: Tick) -> None:
        self._file, self._tick = file, tick
        self._sha, self._size = hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """Return what comes next."""
        chunk = self._file.read(size)
        self._sha.update(chunk)
        self._size += len(chunk)
        self._tick(len(chunk))
        return chunk

    @property
    def entry(self) -> Entry:
        """Size and digest of what was read."""
        return Entry(self._size, self._sha.hexdigest())
