"""Self-test: who is told to end while he starts a process still knows of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.processes import uninterrupted


class Ended(BaseException):
    """Somebody wants us to end."""


@contextmanager
def ending() -> Iterator[None]:
    """While SIGTERM raises `Ended`."""

    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_process_is_known_before_the_signal_is() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            started.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))

    with ending(), pytest.raises(Ended):
        start()
    [process] = started
    process.communicate(b"\n")
    assert process.returncode == 0


def test_afterwards_signals_do_what_they_did() -> None:
    with ending():
        with uninterrupted():
            pass
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)
