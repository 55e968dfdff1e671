"""How one worker stops taking connections while its siblings go on with the same socket, and when it may end.

libmilter's own stop is not graceful: it cuts every session after the current command. So libmilter is left
running, and another listening socket, which nobody can connect to, is put under its descriptor's number with
dup2(2). What libmilter was doing with the old one in that moment is settled by a probe: once libmilter has
accepted a connection of ours from the new socket, every earlier accept(2) has returned, and each connection
that it gave is an open descriptor of this process. A connection counts from accept to close, not from its
first callback, so none is lost that the MTA has opened but not yet spoken on.

Seen with libmilter 8.17.1.9: its loop polls for 5 s, then accepts; a signal ends the poll (EINTR), EAGAIN from
accept is taken for "nothing there". Fails with OSError where no temporary socket can be made.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

WAKING = signal.SIGUSR1
_PATIENCE = 12.0


def stop_accepting(descriptor: int) -> None:
    """Make the libmilter of this process deaf to the listening socket ``descriptor``; the socket lives on.

    Returns when libmilter can't accept from the old socket any more. The main thread must be in libmilter,
    with a handler for `WAKING` installed, else this takes libmilter's own poll interval.

    :raises OSError: where no other socket can be made.
    :raises TimeoutError: where libmilter does not take up the new socket within 12 s.
    """
    with view(descriptor) as heard:
        family = heard.family
    with _unreachable(family) as deaf, socket.socket(family, socket.SOCK_STREAM) as probe:
        os.dup2(deaf.fileno(), descriptor, inheritable=False)
        probe.connect(deaf.getsockname())
        _wait_until_taken(deaf)


def connections(local: object) -> int:
    """Return how many connections to a listening socket this process holds.

    :param local: the listening socket's ``getsockname()``. For TCP the ports are compared, since a socket may
        listen on all addresses.
    """
    return sum(1 for name in _open_sockets() if _same(name, local))


@contextlib.contextmanager
def _unreachable(family: int) -> Iterator[socket.socket]:
    """Give a nonblocking listening socket of a family, to which one can connect while this lasts.

    A Unix socket has an abstract name that the kernel chose (unix(7), autobind): nothing of it is left where the
    process is killed. A TCP socket has a port of loopback; who finds it reaches a milter that he could reach anyway.
    """
    with socket.socket(family, socket.SOCK_STREAM) as deaf:
        if family == socket.AF_UNIX:
            deaf.bind("")
        else:
            deaf.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        deaf.settimeout(0)
        deaf.listen(1)
        yield deaf


def _wait_until_taken(deaf: socket.socket) -> None:
    """Wake libmilter until it has accepted the probe; the wake-up may come just before its poll, so repeat."""
    main = threading.main_thread().ident
    until = time.monotonic() + _PATIENCE
    while select.select([deaf], [], [], 0)[0]:
        if time.monotonic() > until:
            raise TimeoutError("libmilter does not take up another socket")
        if main is not None and signal.getsignal(WAKING) is not signal.SIG_DFL:
            signal.pthread_kill(main, WAKING)
        time.sleep(0.002)


def _open_sockets() -> Iterator[object]:
    """Yield the local names of the connected sockets of this process."""
    for number in descriptors():
        with contextlib.suppress(OSError), view(number) as copy:  # closed meanwhile, or not connected
            copy.getpeername()
            yield copy.getsockname()


def descriptors() -> frozenset[int]:
    """Return the open sockets of this process."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed by libmilter meanwhile
            if stat.S_ISSOCK(entry.stat().st_mode):
                found.add(int(entry.name))
    return frozenset(found)


@contextlib.contextmanager
def view(descriptor: int) -> Iterator[socket.socket]:
    """Give a socket object over a copy of the descriptor, closed afterwards.

    :raises OSError: where it is closed, or no socket.
    """
    copy = os.dup(descriptor)
    try:
        opened = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with opened:
        yield opened


def _same(name: object, local: object) -> bool:
    if isinstance(name, tuple) and isinstance(local, tuple):
        return bool(name[1:2] == local[1:2])
    return bool(name) and name == local
