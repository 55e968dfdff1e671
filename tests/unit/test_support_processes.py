"""Self-test: who is told to end while he starts a process still knows of it; a session ends as by a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.processes import kill_session, of_session, uninterrupted

_ROOT = Path(__file__).resolve().parents[2]
LEADER = """
import pathlib, subprocess
pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text("100")
children = [subprocess.Popen(["sleep", "60"]) for _ in range(100)]
print(children[-1].pid, flush=True)
print("has seen one go:", children[0].wait(), flush=True)
"""
HEADLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(3600,)).start()
print("there", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
HOST = f"""
import pathlib, subprocess, sys
from tests.support.processes import kill_session, of_session
for _ in range(5):
    pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text("5000")
    command = [sys.executable, "-c", {LEADER!r}]
    leader = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert int(leader.stdout.readline()) < leader.pid
    kill_session(leader.pid)
    assert leader.communicate()[0] == b""
    assert leader.returncode == -9
    assert of_session(leader.pid) == []
"""


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


def test_a_session_ends_as_by_a_crash_where_process_numbers_have_begun_anew() -> None:
    """A supervisor that outlives a worker of a lower number for a moment logs an end that nobody foresaw."""
    alone = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    ran = subprocess.run(
        [*alone, sys.executable, "-c", HOST],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_a_process_lives_as_long_as_one_of_its_threads() -> None:
    """After SIGKILL the first may be gone while another is on its way out, with all that the process has open."""
    leader = subprocess.Popen(
        [sys.executable, "-c", HEADLESS], stdout=subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    assert leader.stdout.readline() == b"there\n"
    stat = Path(f"/proc/{leader.pid}/stat")
    while ") Z " not in stat.read_text("utf-8"):
        time.sleep(0.005)
    assert of_session(leader.pid) == [leader.pid]
    kill_session(leader.pid)
    assert of_session(leader.pid) == []
    leader.communicate()
