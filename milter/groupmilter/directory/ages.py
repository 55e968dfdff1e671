"""How old the mirror has been: a small file of fixed size with a place for each minute of a day and each quarter of
an hour of five weeks.

It is written where it stands, 24 octets a minute, and never grows: there is nothing to prune, nobody waits for a lock,
and a disk that fills up later doesn't stop it. A place says which time it is about, so what nobody wrote over is
known to be old. Writing and reading raise OSError; what is damaged counts as not recorded.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NEVER = math.inf
"""The age of a mirror that can't be read, or never equalled the directory."""

_HEAD = b"groupmilter mirror ages 1\n".ljust(32, b"\0")
_PLACE = struct.Struct("<If")
_SUM = struct.Struct("<I")
_SIZE = _PLACE.size + _SUM.size


@dataclass(frozen=True, slots=True)
class Ring:
    """The places of one resolution.

    :param step: seconds that each is about. ``places``: how many there are. ``first``: octets before them.
    """

    step: int
    places: int
    first: int

    def at(self, number: int) -> int:
        """Return where the place of a time stands, counted in steps since 1970."""
        return self.first + number % self.places * _SIZE


# An hour and more than a day: a chart of a day that ends now finds all of it.
MINUTES = Ring(60, 25 * 60, len(_HEAD))
QUARTERS = Ring(900, 35 * 96, len(_HEAD) + MINUTES.places * _SIZE)
_LENGTH = QUARTERS.first + QUARTERS.places * _SIZE


@dataclass(frozen=True, slots=True)
class Ages:
    """The file; one process writes it, any may read."""

    path: Path

    def note(self, now: float, age: float) -> None:
        """Record the mirror's age, in seconds, or `NEVER`; of several within one place the highest stays.

        :param now: seconds since 1970.
        """
        descriptor = _opened(self.path)
        try:
            for ring in (MINUTES, QUARTERS):
                number = int(now) // ring.step
                known = _read(os.pread(descriptor, _SIZE, ring.at(number)))
                highest = max(age, known[1]) if known is not None and known[0] == number else age
                os.pwrite(descriptor, _written(number, highest), ring.at(number))
        finally:
            os.close(descriptor)

    def between(self, ring: Ring, since: int, until: int) -> dict[int, float]:
        """Return the highest age of each place that is recorded, by the second at which it begins.

        :param since, until: seconds since 1970; ``until`` itself is left out. Nothing where there is no file.
        """
        try:
            octets = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        if len(octets) != _LENGTH or not octets.startswith(_HEAD):
            return {}
        found = dict(_places(octets, ring))
        return {at: found[at] for at in sorted(found) if since <= at < until}


def _places(octets: bytes, ring: Ring) -> Iterator[tuple[int, float]]:
    for place in range(ring.places):
        known = _read(octets[ring.first + place * _SIZE :][:_SIZE])
        if known is not None and known[0] % ring.places == place:
            yield known[0] * ring.step, known[1]


def _opened(path: Path) -> int:
    """Open the file for writing, its whole room taken; one that is no file of ours begins anew."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        if os.fstat(descriptor).st_size != _LENGTH or os.pread(descriptor, len(_HEAD), 0) != _HEAD:
            os.ftruncate(descriptor, 0)
            os.posix_fallocate(descriptor, 0, _LENGTH)
            os.pwrite(descriptor, _HEAD, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _written(number: int, age: float) -> bytes:
    body = _PLACE.pack(number, age)
    return body + _SUM.pack(zlib.crc32(body))


def _read(octets: bytes) -> tuple[int, float] | None:
    """Return a place's time and age; None where nothing was written, or not all of it."""
    body = octets[: _PLACE.size]
    if len(octets) != _SIZE or _SUM.unpack(octets[_PLACE.size :])[0] != zlib.crc32(body):
        return None
    number, age = _PLACE.unpack(body)
    return (number, age) if age >= 0 else None
