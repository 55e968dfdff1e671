"""One milter process: libmilter in the main thread, and a thread that answers to the supervisor.

libmilter keeps HUP, TERM and INT for itself and no Python handler runs while it does, so orders come over the
supervisor's channel only. Gives signs of life as long as no callback hangs; told to drain, takes no more
connections, waits for those that it has, and ends. What is still open when the time is over is cut, which the
MTA answers with 451. Ends with 1, and a log line, where libmilter gives up.

Sources: libmilter 8.17.1.9 (smfi_setconn, smfi_opensocket, smfi_main), pymilter 1.0.5.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

import milter
from structlog.typing import FilteringBoundLogger

from groupmilter.mta.drain import WAKING, connections, descriptors, stop_accepting, view
from groupmilter.mta.listener import Listener

_BEAT = 1.0
_LOOK = 0.05
_REMOVE = False  # libmilter may remove no socket: it asks nobody whether that one is in use


class Supervised(Protocol):
    """What a worker needs of its channel to the supervisor."""

    def ready(self) -> None:
        """Say that this process does its work from now on."""

    def alive(self, detail: Mapping[str, int | float | str]) -> None:
        """Give a sign of life with figures."""

    def draining(self) -> None:
        """Acknowledge that nothing new is begun any more."""

    def wait(self, timeout: float) -> float | None:
        """Wait for the order to drain; its seconds, or None."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """How the sessions of this process are doing, as the callbacks know it.

    :param register: registers the callbacks with libmilter; called once, before anything is opened.
    :param open: number of sessions between connect and close.
    :param oldest_callback: seconds for which the oldest unanswered callback has been running; 0 for none.
    """

    register: Callable[[], None]
    open: Callable[[], int]
    oldest_callback: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds.

    :param callback: a callback that runs longer hangs; under the 30 s that Postfix waits for a reply.
    :param silence: how long libmilter waits for the MTA's next octet before it drops the session. Postfix says
        nothing to a milter while a client sends the message, however slowly; libmilter's own value is 7210.
    """

    callback: float = 20.0
    silence: int = 3600


def run_worker(
    channel: Supervised,
    listener: Listener,
    sessions: Sessions,
    log: FilteringBoundLogger,
    patience: Patience | None = None,
) -> int:
    """Serve the MTA's connections until told to drain; the process ends from within when it has drained.

    :returns: 1, when libmilter gave up; an orderly end does not return.
    """
    patience = patience or Patience()
    keep_waking_harmless()
    sessions.register()
    milter.settimeout(patience.silence)
    descriptor = adopt(listener)
    attendant = _Attendant(channel, descriptor, sessions, patience, log)
    threading.Thread(target=attendant.run, name="supervised", daemon=True).start()
    try:
        milter.main()
    except milter.error:
        log.exception("libmilter gave up", pid=os.getpid())
    return 1


def keep_waking_harmless() -> None:
    """Give `WAKING` a handler, so that it interrupts libmilter's poll and does not end the process."""
    signal.signal(WAKING, lambda *_: None)


def adopt(listener: Listener) -> int:
    """Make libmilter listen on our socket; returns the descriptor under which it does.

    Debian's libmilter takes ``fd:N``. Any other is given a socket of its own, which ours then replaces.

    :raises milter.error: where libmilter opens neither.
    """
    try:
        milter.setconn(f"fd:{listener.fileno()}")
        milter.opensocket(_REMOVE)
    except milter.error:
        return adopt_by_replacement(listener)
    return listener.fileno()


def adopt_by_replacement(listener: Listener) -> int:
    """Let libmilter open a socket of the same family that nobody knows, and put ours under its number.

    :raises milter.error: where libmilter can't open it either.
    """
    with tempfile.TemporaryDirectory(prefix="groupmilter-") as folder:
        milter.setconn(_private(listener.socket.family, Path(folder)))
        before = _listening()
        milter.opensocket(_REMOVE)
        (number,) = _listening() - before
        os.dup2(listener.fileno(), number, inheritable=False)
    listener.socket.close()
    return number


def _private(family: int, folder: Path) -> str:
    if family == socket.AF_UNIX:
        return f"unix:{folder / 'unused'}"
    with socket.socket(family, socket.SOCK_STREAM) as probe:  # libmilter refuses port 0
        inet6 = family == socket.AF_INET6
        host = "::1" if inet6 else "127.0.0.1"
        probe.bind((host, 0))
        return f"{'inet6' if inet6 else 'inet'}:{probe.getsockname()[1]}@{host}"


def _listening() -> frozenset[int]:
    """Return the listening sockets of this process."""
    return frozenset(number for number in descriptors() if _listens(number))


def _listens(number: int) -> bool:
    with view(number) as copy:
        return bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


class _Attendant:
    """The thread that answers to the supervisor."""

    def __init__(
        self,
        channel: Supervised,
        descriptor: int,
        sessions: Sessions,
        patience: Patience,
        log: FilteringBoundLogger,
    ) -> None:
        self._channel = channel
        self._descriptor = descriptor
        self._sessions = sessions
        self._patience = patience
        self._log = log
        self._complained = False

    def run(self) -> NoReturn:
        """Give signs of life until the order to drain comes; then drain, and end the process."""
        code = os.EX_SOFTWARE
        try:
            self._channel.ready()
            while (grace := self._channel.wait(_BEAT)) is None:
                self._beat()
            code = self._drain(time.monotonic() + grace)
        except Exception:
            log = self._log
            log.exception("worker can't answer to its supervisor", pid=os.getpid())
        finally:
            os._exit(code)

    def _beat(self) -> None:
        """Give a sign of life unless a callback hangs: the supervisor then replaces this process."""
        age = self._sessions.oldest_callback()
        if age < self._patience.callback:
            self._complained = False
            self._channel.alive({"sessions": self._sessions.open()})
        elif not self._complained:
            self._complained = True
            self._log.error("callback hangs", pid=os.getpid(), seconds=round(age, 1))

    def _drain(self, until: float) -> int:
        """Take no more connections, and wait for those there are until a monotonic second."""
        local = self._local_name()
        stop_accepting(self._descriptor)
        self._channel.draining()
        while (left := connections(local)) and time.monotonic() < until:
            shorter = self._channel.wait(_LOOK)
            if shorter is not None:
                until = min(until, time.monotonic() + shorter)
        if left:
            self._log.warning("cutting sessions, their time is over", pid=os.getpid(), sessions=left)
        return 0

    def _local_name(self) -> object:
        with view(self._descriptor) as copy:
            return copy.getsockname()
