"""One look at the directory that holds together: begun again where the directory moves under it.

Raises `DirectoryUnknown` where there is no mirror, and where it changes faster than it can be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from groupmilter.groups.directory import DirectoryMoved, DirectoryUnknown

_MOVED_OFTEN = 10
Seen_co = TypeVar("Seen_co", covariant=True)
Found = TypeVar("Found")


class Snapshots(Protocol[Seen_co]):
    """Where one consistent directory is to be had for a moment."""

    def snapshot(self) -> AbstractContextManager[Seen_co]:
        """Open a snapshot."""


def steadily(lookups: Snapshots[Seen_co], gather: Callable[[Seen_co], Found]) -> Found:
    """Return what is gathered from one snapshot; ``gather`` may be called several times, and changes nothing."""
    for _ in range(_MOVED_OFTEN):
        try:
            with lookups.snapshot() as directory:
                return gather(directory)
        except DirectoryMoved:
            continue
    raise DirectoryUnknown("the directory changes faster than it can be asked")
