"""The keys that seal tickets: read from their file, or made when there is none yet.

One key a line, ``<id> <hexadecimal>``; ``#`` begins a comment, and ``# since <time>`` says when the key began to seal.
The id (0 to 15) travels in each ticket, so that keys can be rotated (`rotation`): the first line's key seals, every
line's key still opens. A file that others may read or write is refused, as is a key of fewer than 32 octets.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from groupmilter.config.disk import bring_to_disk
from groupmilter.config.load import ConfigurationError, Problem, read_text

_OCTETS = 32
_LINE = re.compile(r"([0-9]|1[0-5])\s+((?:[0-9a-fA-F]{2})+)")
_SINCE = re.compile(r"\s*since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z\b")


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its id (0 to 15) and at least 32 octets that are never printed.

    :param since: when it began to seal, seconds since 1970, UTC, as its comment says; 0 where that says nothing.
    """

    id: int
    secret: bytes = field(repr=False)
    since: int = 0


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys, the one that seals first; empty only before the file is made."""

    keys: tuple[Key, ...] = ()

    @property
    def current(self) -> Key:
        """The key that seals.

        :raises LookupError: where there is none yet.
        """
        if not self.keys:
            raise LookupError("no ticket key has been made yet")
        return self.keys[0]

    def find(self, number: int) -> Key | None:
        """Return the key with this id, None where it is not (or no longer) known."""
        return next((key for key in self.keys if key.id == number), None)


def read_keys(path: Path) -> KeyRing:
    """Return the keys of a file; none where the file doesn't exist.

    :raises ConfigurationError: for a bad file, without ever quoting it.
    """
    if not path.exists():
        return KeyRing()
    private(path)
    return parse_keys(read_text(path), str(path))


def parse_keys(text: str, where: str) -> KeyRing:
    """Return the keys of a text in the format above; raises as `read_keys`."""
    keys: list[Key] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        content, _, comment = line.partition("#")
        content = content.strip()
        if not content:
            continue
        found = _LINE.fullmatch(content)
        complaint = _complaint(found, keys)
        if found is None or complaint:
            problems.append(Problem(where, number, "", complaint))
            continue
        keys.append(Key(int(found[1]), bytes.fromhex(found[2]), _since(comment)))
    if not keys and not problems:
        problems.append(Problem(where, 0, "", "holds no key"))
    if problems:
        raise ConfigurationError(tuple(problems))
    return KeyRing(tuple(keys))


def _complaint(found: re.Match[str] | None, keys: list[Key]) -> str:
    if found is None:
        return "wants an id from 0 to 15, a blank and hexadecimal digits"
    if len(found[2]) < 2 * _OCTETS:
        return f"a key wants at least {_OCTETS} octets"
    return "this id stands above already" if any(key.id == int(found[1]) for key in keys) else ""


def _since(comment: str) -> int:
    found = _SINCE.match(comment)
    try:
        return int(datetime.fromisoformat(f"{found[1]}+00:00").timestamp()) if found else 0
    except ValueError:
        return 0


def key_line(key: Key) -> str:
    """Return a key as its line in the file."""
    since = f"  # since {datetime.fromtimestamp(key.since, UTC):%Y-%m-%dT%H:%M:%SZ}" if key.since else ""
    return f"{key.id} {key.secret.hex()}{since}\n"


def create_keys(path: Path, now: int = 0) -> KeyRing:
    """Make the file with one fresh key of 256 bits, readable by its owner only, and return it.

    :param now: seconds since 1970, UTC; 0 leaves out since when the key seals.
    :raises FileExistsError: where somebody else made it first; read it then.
    :raises OSError: where it can't be written.
    """
    key = Key(0, secrets.token_bytes(_OCTETS), now)
    _create(path, f"# groupmilter ticket keys; the first one seals\n{key_line(key)}")
    return KeyRing((key,))


def create_secret(path: Path) -> None:
    """Make a file with one fresh password of 256 bits, readable by its owner only.

    :raises FileExistsError: where there is one. :raises OSError: where it can't be written.
    """
    _create(path, f"{secrets.token_urlsafe(_OCTETS)}\n")


def read_secret(path: Path) -> str:
    """Return the password in a file.

    :raises ConfigurationError: where it isn't there or others may read it.
    """
    private(path)
    return read_text(path).strip()


def _create(path: Path, text: str) -> None:
    """Make a private file whole or not at all; FileExistsError where somebody else made it first."""
    # A name of its own: what a killed one has left, of the same process id in a container, is in nobody's way.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    finally:
        aside.unlink()
    bring_to_disk(path.parent)


def private(path: Path) -> None:
    """Refuse a secret's file that others than its owner and group may read, or than its owner write.

    :raises ConfigurationError: where that is so, or the file isn't there.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ConfigurationError((Problem(str(path), 0, "", error.strerror or "can't be read"),)) from error
    if mode & 0o027:
        raise ConfigurationError((Problem(str(path), 0, "", f"its mode {mode:04o} is too open; use 0600"),))
