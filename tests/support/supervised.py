"""Starts `supervised_milter` as a process of its own, and asks and waits for what the tests of the processes need."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tests.support.milter_client import MilterClient

from groupmilter.supervision import ControlError, ask

PROGRAM = [sys.executable, "-m", "tests.support.supervised_milter"]
_ROOT = Path(__file__).parents[2]
DEADLINE = 150.0
T = TypeVar("T")


def eventually(condition: Callable[[], T], what: str = "condition") -> T:
    """Return the first true value of a condition, within a generous time."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


class Supervised:
    """One running supervisor with its milter workers."""

    def __init__(self, folder: Path, settings: Mapping[str, object], environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.settings: dict[str, object] = {
            "listen": {"kind": "unix", "place": str(folder / "milter.sock")},
            "control": str(folder / "control.sock"),
            "tag": "first",
            **settings,
        }
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The milter's address, as the client takes it."""
        listen = self.settings["listen"]
        assert isinstance(listen, dict)
        return (
            f"unix:{listen['place']}"
            if listen["kind"] == "unix"
            else f"inet:{listen['port']}@{listen['place']}"
        )

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self.process is not None
        return self.process.pid

    def write(self, **settings: object) -> None:
        """Change the settings file."""
        self.settings.update(settings)
        (self.folder / "settings.json").write_text(json.dumps(self.settings))

    def start(self, program: Sequence[str] = PROGRAM, pass_fds: Sequence[int] = ()) -> None:
        """Start the process, without waiting for it."""
        self.write()
        paths = f"{_ROOT}{os.pathsep}{_ROOT / 'milter'}"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*program, str(self.folder / "settings.json")],
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": paths, **self.environment},
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Send a command to the control socket."""
        return ask(self.folder / "control.sock", {"command": command, **arguments}, DEADLINE)

    def children(self, role: str = "milter", stage: str = "serving") -> set[int]:
        """Return the process ids of a role in a stage."""
        return {c["pid"] for c in self.ask("status")["children"] if c["role"] == role and c["stage"] == stage}

    def settle(self, generation: int = 1) -> set[int]:
        """Wait until all is as wanted; return the milter workers."""

        def reached() -> bool:
            try:
                status = self.ask("status")
            except ControlError:
                return False
            return bool(status["settled"]) and status["generation"] == generation

        eventually(reached, f"generation {generation} settled: {self.log()}")
        return self.children()

    def log(self) -> list[dict[str, Any]]:
        """Return the log's lines."""
        # The last line may still be on its way into the file.
        lines = (self.folder / "log").read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self) -> list[str]:
        """Return the log's events."""
        return [line["event"] for line in self.log()]

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        os.kill(self.pid, number)

    def ended(self) -> int:
        """Wait for the supervisor's end; return its exit code."""
        assert self.process is not None
        return self.process.wait(DEADLINE)

    def started(self) -> set[int]:
        """Return all children that ever were."""
        return {line["pid"] for line in self.log() if line["event"] == "started"}

    def kill(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for pid in self.started():
            if is_ours(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def is_ours(pid: int) -> bool:
    """Whether the process is there, no zombie, and one of the program's."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and b"supervised_milter" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def answerer(address: str) -> tuple[str, int]:
    """Return tag and process id of who answers a new connection."""
    with MilterClient(address, timeout=DEADLINE) as client:
        client.connect()
        return who(client)


def who(client: MilterClient) -> tuple[str, int]:
    """Return tag and process id of who answers an open session."""
    client.mail("a@example.org")
    reply = client.rcpt("b@example.org")
    tag, pid = reply.text.split()[-2:]
    client.abort()
    return tag, int(pid)


@contextmanager
def supervised(
    folder: Path, environment: Mapping[str, str] | None = None, **settings: object
) -> Iterator[Supervised]:
    """Give a supervisor that is up, and end it afterwards."""
    running = Supervised(folder, settings, environment or {})
    running.start()
    try:
        running.settle()
        yield running
    finally:
        running.kill()
