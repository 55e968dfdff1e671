"""A running groupmilter for the tests: supervisor, milter workers and synchroniser, below a directory of its own.

    with Service(f"ldif:{office}") as service, MilterClient(service.milter) as client:
        ...

    with Slapd(content=[office]) as slapd, Service(slapd.uri) as service:
        with installation(service, ...) as site:        (tests.support.installation: Postfix and the sink)
            ...

Without `desk`, nobody looks after the hold mailbox: what the MTA writes there stays where it was written.
`options` are laid over the configuration that is written, section by section; `dns` is what it asks, and knows
nothing unless the test says something. Entering waits until the workers
serve, the mirror is loaded and the generated map is there (`ready=False`: until the workers serve); leaving
stops everything in good order, kills what is left. `staged`: see `stage` and `service_program`.

Fails with `ServiceFailed`, the log's end in the text.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.dns import Dns
from tests.support.overlay import merged
from tests.support.ports import free_port
from tests.support.processes import kill_session

from groupmilter import bootstrap
from groupmilter.bootstrap import serving
from groupmilter.config.keys import read_keys
from groupmilter.config.reload import load
from groupmilter.directory.snapshot import Reader
from groupmilter.groups.directory import Directory, DirectoryUnknown
from groupmilter.groups.ticket import Keys
from groupmilter.moderation.ledger import Ledger
from groupmilter.supervision import ControlError, ask

DEADLINE = 150.0
MAILBOX_USER = "nobody"
_ROOT = Path(__file__).resolve().parents[2]


class ServiceFailed(RuntimeError):
    """groupmilter did not start, end, or get where it was to; the end of its log is in the text."""


@dataclass
class Service:
    """One service as a context manager. `url`: `ldif:/path`, or a slapd's; `tcp_port`: instead of a Unix socket."""

    url: str
    base: str = "dc=masociete,dc=example"
    service_domain: str = "groups.masociete.example"
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 2
    staged: bool = False
    desk: bool = True
    ready: bool = True
    tcp_port: int | None = None
    dns: Dns = field(init=False, default_factory=Dns)
    folder: Path = field(init=False, default=Path())
    _release_port: int = field(init=False, default=0)
    _panel_port: int = field(init=False, default=0)
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None)
    _fired: Path = field(init=False, default=Path())

    # life

    def __enter__(self) -> Self:
        # Not pytest's own directories: a Unix socket's path has 107 octets at most, and Postfix must get in.
        self.folder = Path(tempfile.mkdtemp(prefix="groupmilter-service-"))
        self.folder.chmod(0o755)
        for name in ("map", "hold"):
            (self.folder / name).mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder / "hold", MAILBOX_USER)
        self._release_port, self._panel_port = free_port(), free_port()
        self.dns.__enter__()
        try:
            self.configure(self.options)
            self.stage()
            self.start()
        except BaseException:
            self._tear_down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._tear_down()

    def configure(self, options: Mapping[str, Any]) -> None:
        """Write the configuration with these options; a running service takes it with `reload`."""
        self.options = options
        # JSON is YAML as well.
        self.path.write_text(json.dumps(merged(self._basis(), options), indent=1), "utf-8")

    @property
    def release_port(self) -> int:
        """Where Postfix takes approved mail back."""
        return self._release_port

    @property
    def panel(self) -> str:
        """The panel's URL."""
        return f"http://127.0.0.1:{self._panel_port}"

    @property
    def release_login(self) -> dict[str, str]:
        """What the release listener has to know: login and password."""
        return {"groupmilter-release": (self.folder / "release.secret").read_text("utf-8").strip()}

    def start(self) -> None:
        """Start, and wait until all is ready."""
        stage = [str(self._stage)] if self.staged else []
        roles = ",".join(self.roles)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.service_program", roles, str(self.path), *stage],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'milter'}"},
            )  # fmt: skip
        self.wait(self.loaded if self.ready else self.settled, "readiness")

    def stop(self) -> None:
        """End everything in good order (SIGTERM) and wait for it; nothing happens if it doesn't run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired as error:
            raise ServiceFailed(f"no end within {DEADLINE} s of SIGTERM:\n{self.log()[-3000:]}") from error
        self._process = None
        if code != 0:
            raise ServiceFailed(f"ended with exit code {code}:\n{self.log()[-3000:]}")

    def kill(self) -> None:
        """End every process of it at once (SIGKILL), as by a crash of the host."""
        if self._process is not None:
            # The supervisor's children have process groups of their own.
            kill_session(self._process.pid)
            self._process.wait()
        self._process = None

    # where and what

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self.folder / "config.yaml"

    @property
    def milter(self) -> str:
        """The milter's address, as Postfix and `MilterClient` write it."""
        tcp = self.tcp_port is not None
        return f"inet:127.0.0.1:{self.tcp_port}" if tcp else f"unix:{self.folder}/milter.sock"

    @property
    def mirror(self) -> Path:
        """The mirror's file."""
        return self.folder / "mirror.db"

    @property
    def roles(self) -> tuple[str, ...]:
        """What is served."""
        return serving.ROLES if self.desk else ("milter", "directory")

    @property
    def control(self) -> Path:
        """The control socket."""
        name = "control" if self.roles == serving.ROLES else f"control-{'-'.join(self.roles)}"
        return self.folder / f"{name}.sock"

    @property
    def hold(self) -> Path:
        """The hold mailbox, a Maildir that Postfix makes; it belongs to `MAILBOX_USER`."""
        return self.folder / "hold" / "held"

    @property
    def map(self) -> str:
        """The generated map, as a Postfix table."""
        return f"hash:{self.folder}/map/groups"

    @property
    def keys(self) -> Keys:
        """What seals the tickets."""
        return bootstrap.ticket_keys(read_keys(self.folder / "ticket.key"))

    @property
    def running(self) -> bool:
        """Whether the supervisor lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        if self._process is None:
            raise ServiceFailed("not started")
        return self._process.pid

    # asking and telling

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Send a command to the control socket and return the answer."""
        return ask(self.control, {"command": command, **arguments}, DEADLINE)

    def reload(self, options: Mapping[str, Any] | None = None) -> int:
        """Reload, with other options if given, and wait until all is replaced; return the new generation."""
        if options is not None:
            self.configure(options)
        answer = self.ask("reload")
        if not answer["ok"]:
            raise ServiceFailed(f"reload refused: {answer['errors']}")
        self.wait(self.loaded, f"generation {answer['generation']}")
        return int(answer["generation"])

    def stage(
        self,
        dkim: Iterable[str] = (),
        spf: Iterable[str] = (),
        now: datetime | None = None,
        ahead: float = 0.0,
        dies_at: int | None = None,
        point: str = "",
        effect: str = "kill",
        doubt: Iterable[str] = (),
    ) -> None:
        """Say what is proven, what time it is, and how many seconds the counters are ahead (`staged` only).

        `dies_at`: before which edit of a message, counted from 0, a worker dies. `point`, `effect`: which fail-point
        is armed, and what happens there once (`failpoints`; `fired`). `doubt`: domains of which DNS can't tell.
        """
        self._fired = self.folder / f"fired-{time.monotonic_ns()}"
        fails = {"point": point, "effect": effect, "marker": str(self._fired)} if point else None
        said: dict[str, Any] = {"dkim": [*dkim], "spf": [*spf], "doubt": [*doubt], "fails": fails}
        said |= {"time": str(now or datetime.now(UTC)), "ahead": ahead, "dies_at": dies_at}
        fresh = self._stage.with_suffix(".new")
        fresh.write_text(json.dumps(said), "utf-8")
        fresh.replace(self._stage)

    @property
    def fired(self) -> bool:
        """Whether the fail-point that was armed last has been passed."""
        return self._fired.exists()

    def processes(self, role: str = "milter") -> dict[int, dict[str, Any]]:
        """The serving processes of a role, by process id."""
        children = self.ask("status")["children"]
        return {c["pid"]: c for c in children if c["role"] == role and c["stage"] == "serving"}

    def settled(self) -> bool:
        """Whether every process is there, serving, and of the newest configuration."""
        try:
            return bool(self.ask("status")["settled"])
        except ControlError:
            return False

    def loaded(self) -> bool:
        """Whether besides the mirror is there as the configuration wants it, and the generated map written."""
        return self.settled() and self._mirrored() and (self.folder / "map" / "groups").exists()

    @contextmanager
    def directory(self) -> Iterator[Directory]:
        """The directory as the mirror has it now, whatever its age; raises `DirectoryUnknown` without one."""
        reader = Reader(self.mirror, max_age=float("inf"), steady=True)
        try:
            with reader.snapshot(time.time()) as snapshot:
                yield snapshot
        finally:
            reader.close()

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The desk's ledger; raises `LedgerUnavailable` where it can't be opened."""
        ledger = bootstrap.ledger(load(self.path), timeout=30.0)
        try:
            yield ledger
        finally:
            ledger.close()

    def generation(self) -> int:
        """The mirror's generation, 0 without a mirror."""
        try:
            with self.directory() as directory:
                return directory.generation
        except DirectoryUnknown:
            return 0

    def _mirrored(self) -> bool:
        reader = bootstrap.snapshots(load(self.path)).reader
        try:
            with reader.snapshot(time.time()):
                return True
        except DirectoryUnknown:
            return False
        finally:
            reader.close()

    def wait_change(self, since: int) -> int:
        """Return the mirror's generation once it is past `since`: a change of the directory is in force."""
        self.wait(lambda: self.generation() > since, f"generation after {since}")
        return self.generation()

    def log(self) -> str:
        """What the service has logged so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def lines(self, event: str | None = None, **fields: object) -> list[dict[str, Any]]:
        """The log's lines with this event and these fields, in order; all of them without."""
        # The last line may still be on its way into the file.
        found = map(json.loads, (line for line in self.log().split("\n")[:-1] if line.startswith("{")))
        wanted = fields if event is None else {"event": event, **fields}
        return [line for line in found if all(line.get(name) == value for name, value in wanted.items())]

    def wait_line(self, event: str, **fields: object) -> dict[str, Any]:
        """The first such line, as soon as it is there."""
        self.wait(lambda: bool(self.lines(event, **fields)), f"log line {event!r} {fields}")
        return self.lines(event, **fields)[0]

    def surprises(self) -> list[dict[str, Any]]:
        """The lines of level error and whatever is no line of the log: nothing, if all went as foreseen."""
        odd = [{"event": line} for line in self.log().splitlines() if line and not line.startswith("{")]
        return [line for line in self.lines() if line.get("level") == "error"] + odd

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
        """Return once `condition` holds; ServiceFailed if it doesn't in time, or the supervisor has ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.running or time.monotonic() > deadline:
                state = f"in {seconds} s" if self.running else "and the supervisor has ended"
                raise ServiceFailed(f"no {what} {state}; the log ends with:\n{self.log()[-3000:]}")
            time.sleep(0.03)

    # inside

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def _stage(self) -> Path:
        return self.folder / "stage.json"

    def _basis(self) -> dict[str, Any]:
        tcp = f"inet:{self.tcp_port}@127.0.0.1"
        basis: dict[str, Any] = {
            "listen": f"unix:{self.folder}/milter.sock" if self.tcp_port is None else tcp,
            "workers": self.workers,
            "directory": {"url": self.url, "base": self.base},
            "service": {
                "domain": self.service_domain,
                "key_file": f"{self.folder}/ticket.key",
                "release": {
                    "port": self._release_port,
                    "secret_file": f"{self.folder}/release.secret",
                    "socket": f"{self.folder}/release.sock",
                },
            },
            "panel": {"listen": f"127.0.0.1:{self._panel_port}", "url": self.panel},
            "hold_mailbox": f"maildir:{self.hold}",
            "state": f"sqlite:///{self.folder}/state.db",
            "mirror": str(self.mirror),
            "map": {"type": "hash", "path": f"{self.folder}/map/groups"},
            "control": f"{self.folder}/control.sock",
            "log": {"format": "json"},
            "authentication": {"servers": [f"{self.dns.host}:{self.dns.port}"]},
        }
        if os.geteuid() != 0:
            basis["socket"] = {"group": ""}
        return basis

    def _tear_down(self) -> None:
        try:
            self.kill()
        finally:
            self.dns.__exit__(None, None, None)
            shutil.rmtree(self.folder)
