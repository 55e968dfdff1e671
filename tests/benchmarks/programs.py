"""The C tools: built with the system's compiler (gcc, libmilter-dev), and run.

`ToolFailed` carries the compiler's or the tool's own words. Tools are built once into a directory of the
caller's.
"""

import json
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SOURCES = Path(__file__).resolve().parent / "tools"
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
LIBRARIES = {"load": ("-lpthread",), "trivial": ("-lmilter", "-lpthread"), "sink": ()}
_ANSWER_DEADLINE = 30.0


class ToolFailed(RuntimeError):
    """A tool could not be built, or ended with an error."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The built programs."""

    load: Path
    trivial: Path
    sink: Path


@dataclass(frozen=True, slots=True)
class Load:
    """One run of `load`: for so many seconds, or (messages > 0) for so many messages."""

    connections: int = 1
    seconds: float = 3.0
    messages: int = 0
    fresh: bool = False
    recipients: int = 3
    groups: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """As `load` takes them."""
        span = ["-m", str(self.messages)] if self.messages else ["-t", str(self.seconds)]
        groups = [word for group in self.groups for word in ("-g", group)]
        once = ["-1"] if self.fresh else []
        return ["-c", str(self.connections), "-r", str(self.recipients), *span, *once, *groups]


def build(directory: Path) -> Tools:
    """Compile all tools into `directory`."""
    for name, libraries in LIBRARIES.items():
        _run("gcc", *FLAGS, "-o", str(directory / name), str(SOURCES / f"{name}.c"), *libraries)
    return Tools(directory / "load", directory / "trivial", directory / "sink")


def run_load(tools: Tools, address: str, load: Load) -> dict[str, Any]:
    """Run `load` against a milter (address in libmilter's notation) and return its figures."""
    figures: dict[str, Any] = json.loads(_run(str(tools.load), "-s", address, *load.arguments))
    return figures


def smtp_source(port: int, sender: str, recipient: str, sessions: int, messages: int) -> None:
    """Submit messages of 2 KB with Postfix's smtp-source(1), one message a session."""
    program = shutil.which("smtp-source", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "smtp-source"
    _run(
        program,
        "-s",
        str(sessions),
        "-m",
        str(messages),
        "-l",
        "2048",
        "-M",
        "client.example.net",
        "-f",
        sender,
        "-t",
        recipient,
        f"127.0.0.1:{port}",
    )


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolFailed(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout


@dataclass(slots=True)
class Sink:
    """A running `sink`, as a context manager."""

    tools: Tools
    port: int = 0
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([str(self.tools.sink)], stdout=subprocess.PIPE, text=True)
        if self._process.stdout is None:
            raise ToolFailed("the sink has no output")
        self.port = int(json.loads(self._process.stdout.readline())["port"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def counters(self) -> dict[str, float]:
        """`messages`, `recipients` and `last_dot` (Unix time) since the start or the last `reset`."""
        told: dict[str, float] = json.loads(self._ask("XSTAT"))
        return told

    def reset(self) -> None:
        """Count from zero."""
        self._ask("XRESET")

    def _ask(self, verb: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), _ANSWER_DEADLINE) as connection:
            stream = connection.makefile("rw", encoding="ascii", newline="\r\n")
            _expect(stream.readline(), "220")
            stream.write(f"{verb}\r\n")
            stream.flush()
            return _expect(stream.readline(), "250")


def _expect(line: str, code: str) -> str:
    if not line.startswith(code):
        raise ToolFailed(f"the sink said {line!r}")
    return line[4:].strip()
