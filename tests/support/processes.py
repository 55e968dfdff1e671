"""Which processes of a process group or session still live, as /proc tells (proc(5)); none lost while it starts.

A zombie doesn't live: it only waits for its parent, who may be the tests themselves where they are process 1 of a
container. Never fails: a process that ends meanwhile isn't there.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def of_group(group: int) -> list[int]:
    """Return the ids of the living processes in a process group."""
    return [pid for pid, its_group, _ in _living() if its_group == group]


def of_session(session: int) -> list[int]:
    """Return the ids of the living processes in a session; its leader's id is the session's."""
    return [pid for pid, _, its_session in _living() if its_session == session]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off what ends us till the end of the block: a process that is being started must not be lost sight of.

    Else the exception of a signal's handler leaves the call that starts it, and nobody knows of it any more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: handler for number in _ENDING if callable(handler := signal.getsignal(number))}
    came: list[int] = []
    try:
        for number in before:
            signal.signal(number, lambda it, _: came.append(it))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for first in came[:1]:
            signal.raise_signal(first)


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
