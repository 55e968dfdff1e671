"""One fork: what a child keeps of its parent and what it doesn't.

A child gets a process group of its own, because Ctrl-C goes to the whole foreground group and libmilter ends
on it at once, even where SIGINT is ignored: libmilter blocks it and fetches it with sigwait(3), and a blocked
signal is kept, not ignored. Fails with OSError when the system has no room for another process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable

from structlog.typing import FilteringBoundLogger

from groupmilter.supervision.channel import Channel
from groupmilter.supervision.role import Role

SIGNALS = frozenset({signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
_CRASHED = os.EX_SOFTWARE


def spawn(
    role: Role, close: Callable[[], None], others: Iterable[int], log: FilteringBoundLogger
) -> tuple[int, socket.socket]:
    """Fork a child that runs ``role`` and then ends.

    :param close: closes in the child what is the supervisor's.
    :param others: descriptors of other roles, closed in the child.
    :returns: its process id, and the parent's end of the channel.
    :raises OSError: fork(2), socketpair(2).
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _child(role, theirs, (close, ours.close), others, log)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the child did it, or is gone
            os.setpgid(pid, pid)
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid, ours


def _child(
    role: Role,
    channel: socket.socket,
    closing: Iterable[Callable[[], None]],
    others: Iterable[int],
    log: FilteringBoundLogger,
) -> None:
    """Run the role; never returns. No exception may climb into what the parent's stack was."""
    code = _CRASHED
    try:
        os.setpgid(0, 0)
        _default_signals()
        for close in closing:
            close()
        for descriptor in set(others) - role.descriptors:
            os.close(descriptor)
        code = role.run(Channel(channel, role.drain_within))
    except Exception:
        log.exception("process crashed", role=role.name, pid=os.getpid())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _default_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
