"""Which processes of a process group or session still live, as /proc tells (proc(5)).

A zombie doesn't live: it only waits for its parent, who may be the tests themselves where they are process 1 of a
container. Never fails: a process that ends meanwhile isn't there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def of_group(group: int) -> list[int]:
    """Return the ids of the living processes in a process group."""
    return [pid for pid, its_group, _ in _living() if its_group == group]


def of_session(session: int) -> list[int]:
    """Return the ids of the living processes in a session; its leader's id is the session's."""
    return [pid for pid, _, its_session in _living() if its_session == session]


def _living() -> Iterator[tuple[int, int, int]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        if words[0] not in ("Z", "X"):
            yield int(entry.name), int(words[2]), int(words[3])
