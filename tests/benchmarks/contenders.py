"""Milters under test: their addresses, their processes, and the trivial ones to measure against.

A milter is ready when it answers the protocol's negotiation. `MilterFailed` tells the end of its log when
it dies or isn't ready in time.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.benchmarks.population import group_address
from tests.benchmarks.programs import SOURCES, Tools
from tests.support.ports import LOOPBACK, free_port

Kind = Literal["unix", "tcp"]
READY_DEADLINE = 120.0
STOP_DEADLINE = 20.0

# SMFIC_OPTNEG: length, 'O', version 6, all actions, all protocol steps of version 6
_NEGOTIATION = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)


class MilterFailed(RuntimeError):
    """A milter died, or doesn't answer."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a milter listens: a path, or a port on loopback."""

    path: Path | None = None
    port: int = 0

    @property
    def libmilter(self) -> str:
        """As libmilter, `load` and our configuration write it."""
        return f"unix:{self.path}" if self.path else f"inet:{self.port}@{LOOPBACK}"

    @property
    def postfix(self) -> str:
        """As Postfix's smtpd_milters writes it."""
        return f"unix:{self.path}" if self.path else f"inet:{LOOPBACK}:{self.port}"

    def answers(self) -> bool:
        """Whether a milter negotiates there now."""
        family = socket.AF_UNIX if self.path else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(READY_DEADLINE)
            try:
                probe.connect(str(self.path) if self.path else (LOOPBACK, self.port))
                probe.sendall(_NEGOTIATION)
                return probe.recv(5)[4:] == b"O"
            except OSError:
                return False


def address(kind: Kind, directory: Path) -> Address:
    """A fresh address: a socket in the directory, or a free port."""
    return Address(path=directory / "milter.sock") if kind == "unix" else Address(port=free_port())


@dataclass(slots=True)
class Milter:
    """A running milter, as a context manager that ends it with SIGTERM, and with SIGKILL if that doesn't help.

    `expendable`: SIGKILL at once, since libmilter takes up to five seconds to notice SIGTERM.
    """

    name: str
    address: Address
    process: subprocess.Popen[bytes]
    log: Path
    expendable: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_ready(self) -> Self:
        """Return once it answers."""
        deadline = time.monotonic() + READY_DEADLINE
        while not self.address.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise MilterFailed(
                    f"{self.name} doesn't answer: {self.log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)
        if self.address.path:
            # Postfix's smtpd runs as another user; the directory around it is private to this run's machine.
            self.address.path.chmod(0o666)
        return self

    def stop(self) -> None:
        """End it and all its children; nothing happens if it has ended."""
        if self.process.poll() is None and not self.expendable:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_DEADLINE)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def launch(
    name: str,
    where: Address,
    directory: Path,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> Milter:
    """Start a milter's process, a session of its own, with its log in `directory`; it may not be ready yet."""
    log = directory / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment,
            start_new_session=True,
        )
    return Milter(name, where, process, log)


def start_c(tools: Tools, kind: Kind, directory: Path, sizes: Sequence[int], stalls: bool = False) -> Milter:
    """Start the trivial C milter; on TCP without libmilter's stalls unless they are wanted."""
    where = address(kind, directory)
    groups = [word for size in sizes for word in ("-g", f"{group_address(size)}={size}")]
    quick = ["-n"] if kind == "tcp" and not stalls else []
    name = "C milter, as libmilter comes" if stalls else "C milter"
    milter = launch(name, where, directory, [str(tools.trivial), "-s", where.libmilter, *groups, *quick])
    milter.expendable = True
    return milter.wait_ready()


def start_pymilter(kind: Kind, directory: Path, sizes: Sequence[int]) -> Milter:
    """Start the trivial pymilter, one process."""
    where = address(kind, directory)
    command = [sys.executable, str(SOURCES / "trivial_pymilter.py"), where.libmilter]
    groups = [word for size in sizes for word in (group_address(size), str(size))]
    milter = launch("trivial pymilter", where, directory, [*command, *groups])
    milter.expendable = True
    return milter.wait_ready()
