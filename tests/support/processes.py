"""Which processes of a process group or session still live, as /proc tells (proc(5)); none lost while it starts, and
all of them ended at once.

A zombie doesn't live: it only waits for its parent, who may be the tests themselves where they are process 1 of a
container. But one is called so when its first thread has ended: as long as another is on its way out, in the middle of
an fsync(2) perhaps, the process has its sockets and locks. Never fails: a process that ends meanwhile isn't there.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ENDED = ("Z", "X")
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def of_group(group: int) -> list[int]:
    """Return the ids of the living processes in a process group."""
    return [pid for pid, its_group, _ in _living() if its_group == group]


def of_session(session: int) -> list[int]:
    """Return the ids of the living processes in a session; its leader's id is the session's."""
    return [pid for pid, _, its_session in _living() if its_session == session]


def stands_still(process: int) -> bool:
    """Tell whether each thread of a process has stopped, as SIGSTOP wants it; one that has ended has, too."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return all(_stat(task)[0] in ("T", *_ENDED) for task in Path(f"/proc/{process}/task").iterdir())
    return False


def kill_session(leader: int) -> None:
    """End every process of a session at once (SIGKILL), as a crash of the host does: none sees another one go.

    The leader stands still first, and whoever it had started meanwhile a moment later. Process numbers don't tell who
    started whom: after the greatest they begin anew.
    """
    for number in (signal.SIGSTOP, signal.SIGSTOP, signal.SIGKILL):
        for pid in sorted(of_session(leader), key=lambda pid: pid != leader):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    while of_session(leader):
        time.sleep(0.005)


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
            words = _stat(entry)
            ended = words[0] in _ENDED and all(
                _stat(task)[0] in _ENDED for task in (entry / "task").iterdir()
            )
        except OSError:
            continue
        if not ended:
            yield int(entry.name), int(words[2]), int(words[3])


def _stat(task: Path) -> list[str]:
    """What stands behind the name: the state, the parent, the group, the session."""
    return (task / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
