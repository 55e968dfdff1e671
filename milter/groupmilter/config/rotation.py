"""Rotating the ticket keys: their file with one more key, with another one sealing, or without one.

Comments stay where they are, and so do the file's owner, group and mode: it is replaced whole, or not at all. Raises
`KeysFull`, `KeysBusy`, `LookupError` for an id that there is none of, OSError where the file can't be written.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from groupmilter.config.disk import bring_to_disk
from groupmilter.config.keys import Key, KeyRing, key_line, parse_keys

_IDS = 16
_OCTETS = 32


class KeysFull(Exception):
    """All sixteen ids are in use; one has to be dropped first."""


class KeysBusy(Exception):
    """Somebody else is changing the keys at this moment."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let nobody else change a key file for the length of the ``with`` block: a key that is lost opens nothing.

    :raises KeysBusy: where somebody else does.
    """
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KeysBusy(f"{path}: somebody else is changing the keys at this moment") from error
        yield
    finally:
        os.close(descriptor)


def fresh_key(ring: KeyRing) -> Key:
    """Return a new key of 256 bits, which hasn't sealed yet.

    Its id is the next one that is free: an id that was dropped a moment ago is used again last of all.

    :raises KeysFull: where there is none.
    """
    taken = {key.id for key in ring.keys}
    newest = ring.keys[0].id if ring.keys else _IDS - 1
    for step in range(1, _IDS + 1):
        number = (newest + step) % _IDS
        if number not in taken:
            return Key(number, secrets.token_bytes(_OCTETS))
    raise KeysFull("all sixteen ids are in use; drop a key first (groupmilter keys drop)")


def with_key(text: str, key: Key) -> str:
    """Return the file's text with one more key, which opens but doesn't seal yet: it stands second."""
    lines = _lines(text)
    first = next((number for number, line in enumerate(lines) if _is_key(line)), len(lines) - 1)
    return "".join((*lines[: first + 1], key_line(key), *lines[first + 1 :]))


def sealing(text: str, number: int, now: int) -> str:
    """Return the file's text with this key sealing since now: it stands first.

    :param now: seconds since 1970, UTC.
    """
    key = _found(text, number)
    lines = _lines(without_key(text, number))
    first = next((place for place, line in enumerate(lines) if _is_key(line)), len(lines))
    return "".join((*lines[:first], key_line(replace(key, since=now)), *lines[first:]))


def without_key(text: str, number: int) -> str:
    """Return the file's text without a key."""
    _found(text, number)
    return "".join(line for line in _lines(text) if not _is_key(line) or _key(line).id != number)


def replace_file(path: Path, change: Callable[[str], str]) -> str:
    """Change a file whole or not at all, its owner, group and mode kept; return what stood there before.

    :param change: from the old text to the new one.
    """
    before = path.read_text("utf-8")
    write_whole(path, change(before))
    return before


def write_whole(path: Path, text: str) -> None:
    """Put a text in the place of a file that is there, whole or not at all, its owner, group and mode kept."""
    path = path.resolve()
    kept = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if os.geteuid() == 0:
                os.fchown(descriptor, kept.st_uid, kept.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(kept.st_mode))
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        aside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()
    bring_to_disk(path.parent)


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.splitlines()]


def _is_key(line: str) -> bool:
    return bool(line.partition("#")[0].strip())


def _key(line: str) -> Key:
    return parse_keys(line, "").keys[0]


def _found(text: str, number: int) -> Key:
    key = parse_keys(text, "the key file").find(number)
    if key is None:
        raise LookupError(f"there is no key {number}")
    return key
