"""A running `groupmilter serve`, from the installed command, with a configuration of the test's own.

    with Serving(folder, "directory: {url: ...}\n...", control, user="nobody") as serving:
        serving.run("explain", "--to", "contact@masociete.example", "--from", "x@outside.example")

It runs as an unprivileged user if one is named, with Postfix's group, as on a real host. Entering waits until
the milter answers and the mirror and the generated map are there; leaving stops it in good order.

It fails with `ServingFailed`, the log's end in the text, when it ends or is not ready in time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.processes import kill_session, uninterrupted

import groupmilter
from groupmilter.supervision import ControlError, ask

DEADLINE = 150.0


class ServingFailed(RuntimeError):
    """groupmilter did not start, end or answer; the end of its log is in the text."""


def command() -> Path:
    """The installed console script, beside this Python; FileNotFoundError without it."""
    path = Path(sysconfig.get_path("scripts")) / "groupmilter"
    if not path.exists():
        raise FileNotFoundError(f"{path}: groupmilter is not installed in this environment")
    return path


def unprivileged_user() -> str | None:
    """`nobody`, where we are root and he can read the program; None: it has to run as whoever we are."""
    programs = (Path(groupmilter.__file__).resolve(), command(), Path(sys.executable).resolve())
    parents = (parent for program in programs for parent in program.parents)
    readable = all(parent.stat().st_mode & 0o005 == 0o005 for parent in parents)
    return "nobody" if os.geteuid() == 0 and readable else None


@dataclass
class Serving:
    """One service as a context manager.

    `configuration` is config.yaml's text; it is written into `folder`, where the log goes too. `control` is the
    control socket that it names. `user` must be able to write wherever the configuration puts things.
    `environment` is added to a nearly empty one.
    """

    folder: Path
    configuration: str
    control: Path
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self.path.write_text(self.configuration, "utf-8")
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self.kill()

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self.folder / "config.yaml"

    @property
    def running(self) -> bool:
        """Whether the supervisor lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the service and return once it is ready."""
        with (self.folder / "groupmilter.log").open("ab") as log, uninterrupted():
            self._process = subprocess.Popen(
                [command(), "serve", "--config", self.path],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._identity(),
            )
        self.wait(self._ready, "readiness")

    def stop(self) -> None:
        """End the service in good order (SIGTERM) and return when no process of it is left."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired as error:
            raise ServingFailed(
                f"groupmilter did not end within {DEADLINE} s:\n{self.log()[-3000:]}"
            ) from error
        self._process = None
        if code != 0:
            raise ServingFailed(f"groupmilter ended with exit code {code}:\n{self.log()[-3000:]}")

    def kill(self) -> None:
        """End everything of it at once (SIGKILL), workers too; nothing happens if it doesn't run."""
        if self._process is None:
            return
        kill_session(self._process.pid)
        self._process.wait()
        self._process = None

    def status(self) -> dict[str, Any]:
        """What the supervisor says about itself and its processes."""
        return ask(self.control, {"command": "status"}, DEADLINE)

    def log(self) -> str:
        """What the service logged so far."""
        path = self.folder / "groupmilter.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of groupmilter with the same configuration, as the same user."""
        return subprocess.run(
            [command(), "--config", self.path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            **self._identity(),
        )

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
        """Return once `condition` holds; ServingFailed if it doesn't in time, or the service has ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.running or time.monotonic() > deadline:
                state = "after its end" if not self.running else f"in {seconds} s"
                raise ServingFailed(
                    f"groupmilter: no {what} {state}; its log ends with:\n{self.log()[-3000:]}"
                )
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            status = self.status()
        except ControlError:
            return False
        details = [child["detail"] for child in status["children"] if child["role"] == "directory"]
        loaded = all(detail.get("generation", 0) > 0 for detail in details)
        return bool(status["settled"]) and bool(details) and loaded

    def _identity(self) -> dict[str, Any]:
        environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C.UTF-8"}
        settings: dict[str, Any] = {"env": {**environment, **self.environment}, "cwd": "/"}
        if self.user is not None:
            settings |= {"user": self.user, "group": "postfix", "extra_groups": []}
        return settings


def give(directory: Path, user: str | None) -> Path:
    """Make a directory that belongs to `user` (and to Postfix's group, which may enter), and return it."""
    directory.mkdir(mode=0o750)
    if os.geteuid() == 0:
        shutil.chown(directory, user or os.geteuid(), "postfix")
    return directory
