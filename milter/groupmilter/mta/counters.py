"""How much mail went through in the last while, shared by all workers of this host: one anonymous memory map.

Made before the workers are forked, so replacing them keeps the counts; a restart of the service forgets them. Two
workers that count at the same instant may lose one: a storm is thousands. A full table forgets the oldest window.
The count in a window is estimated from the current and the previous one, weighted by how far the current has run.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b

from groupmilter.policy.facts import Count

_SLOT = struct.Struct("<8sIII")
_SIZE = 32
_PROBES = 8


class Counters:
    """The table. Every method may be called from any thread and process."""

    def __init__(self, slots: int = 1 << 15) -> None:
        """Reserve ``slots`` counters of 32 octets."""
        self._slots = slots
        self._table = mmap.mmap(-1, slots * _SIZE)

    def add(self, counts: Iterable[Count], now: float) -> None:
        """Count one message more under each, at wall clock ``now`` (seconds)."""
        for count in counts:
            window = int(now // count.seconds)
            key = _key(count)
            offset = self._slot(key, window)
            _, known, current, previous = _SLOT.unpack_from(self._table, offset)
            if known != window or self._table[offset : offset + 8] != key:
                same = self._table[offset : offset + 8] == key and known == window - 1
                current, previous = 0, current if same else 0
            _SLOT.pack_into(self._table, offset, key, window, current + 1, previous)

    def read(self, count: Count, now: float) -> int:
        """Return how many messages passed in the last ``count.seconds``, to the nearest estimate below."""
        window = int(now // count.seconds)
        key = _key(count)
        table = self._table
        for offset in self._probes(key):
            if table[offset : offset + 8] == key:
                _, known, current, previous = _SLOT.unpack_from(table, offset)
                return _estimate(window - known, current, previous, now % count.seconds / count.seconds)
        return 0

    def _probes(self, key: bytes) -> range:
        """Return the offsets where a key may stand: neighbours, from a start that its digest gives."""
        start = int.from_bytes(key, "little") % (self._slots - _PROBES) * _SIZE
        return range(start, start + _PROBES * _SIZE, _SIZE)

    def _slot(self, key: bytes, window: int) -> int:
        """Return the key's own slot, else a free or the most outdated one."""
        best, age = 0, -1
        for offset in self._probes(key):
            known_key, known, current, _ = _SLOT.unpack_from(self._table, offset)
            if known_key == key:
                return offset
            outdated = (1 << 40) if current == 0 else abs(window - known)
            if outdated > age:
                best, age = offset, outdated
        return best


def _estimate(windows: int, current: int, previous: int, run: float) -> int:
    if windows == 0:
        return current + int(previous * (1 - run))
    return int(current * (1 - run)) if windows == 1 else 0


@lru_cache(maxsize=4096)
def _key(count: Count) -> bytes:
    name = f"{count.rule}\0{count.of}\0{count.seconds}"
    return blake2b(name.encode(errors="replace"), digest_size=8).digest()


class CountsNow(Mapping[Count, int]):
    """The counters as they stand at one moment, read as they are asked for."""

    __slots__ = ("_counters", "_now")

    def __init__(self, counters: Counters, now: float) -> None:
        """Fix the moment, wall clock seconds."""
        self._counters = counters
        self._now = now

    def __getitem__(self, count: Count) -> int:
        """Return the estimate; zero for what was never counted."""
        return self._counters.read(count, self._now)

    def __iter__(self) -> Iterator[Count]:
        """Nothing can be enumerated: the table knows digests only."""
        return iter(())

    def __len__(self) -> int:
        """See ``__iter__``."""
        return 0
