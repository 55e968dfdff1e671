"""A private, real Sendmail for the tests: own configuration, queues, log and ports, in a directory of its own.

It is Debian's, unpacked by `deploy/unpack-packages` beside this Python (tests/run does it, or the first test), since it
can't be installed beside Postfix. It needs root, m4, `saslpasswd2` and a C compiler; it listens on 127.0.0.1 only and
asks no name server. Clients of any address are played by `sendmail_world.c`, log-ins are real ones, by Cyrus SASL.

It fails with `SendmailError`, its words and log in the text, when it doesn't start, and with `TimeoutError` when a
condition is not reached in time.
"""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port
from tests.support.postfix_files import Tls
from tests.support.processes import of_session
from tests.support.sendmail_files import CLIENT_USER, Layout, Routing, sasl_conf, sendmail_mc, submit_mc
from tests.support.smtp_client import SmtpClient

HOSTNAME = "mx.masociete.example"
_ROOT = Path(__file__).resolve().parents[2]
_DEADLINE = 150.0


class SendmailError(Exception):
    """Sendmail did not do what it was told; the text has its output and log."""


def unpacked() -> Path:
    """The folder of the unpacked packages; they are fetched if they aren't there."""
    folder = Path(sys.prefix) / "unpacked" / "sendmail"
    ran = _ran(str(_ROOT / "deploy" / "unpack-packages"), str(folder))
    if ran.returncode:
        raise SendmailError(f"can't be unpacked: {ran.stdout}{ran.stderr}")
    return folder


@dataclass(kw_only=True)
class Sendmail:
    """One private instance, as a context manager.

    `printed`, `submit`: the lines of `groupmilter sendmail` for sendmail.mc and submit.mc. `logins`: login to password.
    """

    sink_port: int
    printed: Sequence[str] = ()
    submit: Sequence[str] = ()
    local_domains: tuple[str, ...] = ("masociete.example",)
    logins: Mapping[str, str] = field(default_factory=dict)
    tls: Tls | None = None
    port: int = field(default=0, init=False)
    _layout: Layout | None = field(default=None, init=False)
    _last_log: str = field(default="", init=False)
    _running: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._layout = Layout(Path(tempfile.mkdtemp(prefix="groupmilter-sendmail-")), unpacked())
        try:
            self._lay_out()
            self.configure(self.printed)
            self.start()
        except BaseException:
            self._tear_down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tear_down()

    @property
    def layout(self) -> Layout:
        """Where this instance keeps its files."""
        if self._layout is None:
            raise SendmailError("not started")
        return self._layout

    # running

    def configure(self, printed: Sequence[str]) -> None:
        """Make its configuration anew with these lines; in force after `restart()`."""
        self.port = self.port or free_port()
        routing = Routing(HOSTNAME, self.local_domains, self.sink_port, self.port)
        self.layout.mc("sendmail").write_text(sendmail_mc(self.layout, routing, printed, self.tls), "utf-8")
        self.layout.mc("submit").write_text(submit_mc(self.layout, routing, self.submit), "utf-8")
        for name in ("sendmail", "submit"):
            ran = _ran("m4", f"-D_CF_DIR_={self.layout.cf}/", str(self.layout.mc(name)))
            if ran.returncode or ran.stderr:
                raise SendmailError(f"m4: {ran.stderr}")
            self.layout.made(name).write_text(ran.stdout, "utf-8")
            self.layout.made(name).chmod(0o644)

    def start(self) -> None:
        """Start the daemon and return once it answers."""
        with (self.layout.root / "sendmail.out").open("ab") as said:
            self._running = subprocess.Popen(
                [*self._command("sendmail"), "-bD", "-q1s"],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self._environment(),
                start_new_session=True,
            )  # fmt: skip
        self.wait(self._answers, "an answer on its port")

    def stop(self) -> None:
        """End it, its children too; what is queued stays."""
        running, self._running = self._running, None
        if running is None:
            return
        for signal_ in (signal.SIGTERM, signal.SIGKILL):
            for pid in of_session(running.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal_)
            with suppress(subprocess.TimeoutExpired):
                running.wait(5)

    def flush(self) -> None:
        """Bring the daemon what local programs have submitted and it has not yet taken."""
        command = [*self._command("submit"), "-Ac", "-q"]
        subprocess.run(command, check=True, capture_output=True, timeout=_DEADLINE, env=self._environment())

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    # mail

    @contextmanager
    def session(
        self, client: str, login: str = "", tls: ssl.SSLContext | None = None
    ) -> Iterator[SmtpClient]:
        """An SMTP session of a client with this address, with TLS and logged in if that is wanted, after EHLO."""

        def played(port: int) -> None:
            (self.layout.clients / str(port)).write_text(client, "ascii")

        with SmtpClient(self.port, bound=played) as session:
            session.ehlo()
            if tls is not None:
                if session.starttls(tls).code != 220:
                    raise SendmailError("no STARTTLS")
                session.ehlo()
            if login:
                reply = session.login(login, self.logins[login])
                if reply.code != 235:
                    raise SendmailError(f"AUTH: {reply}\n{self.log()[-2000:]}")
                session.ehlo()
            yield session

    def sendmail(self, recipients: Sequence[str], message: bytes, *options: str) -> None:
        """Local submission by sendmail(8), which brings it to the daemon by SMTP."""
        command = [*self._command("submit"), "-Ac", "-oi", *options, "--", *recipients]
        ran = subprocess.run(
            command,
            input=message,
            capture_output=True,
            timeout=_DEADLINE,
            check=False,
            env=self._environment(),
        )
        # EX_UNAVAILABLE, EX_NOUSER: refused, and the sender told; EX_TEMPFAIL: queued.
        if ran.returncode not in (0, 67, 69, 75):
            raise SendmailError(
                f"{command}: {ran.returncode} {ran.stdout!r} {ran.stderr!r}\n{self.log()[-3000:]}"
            )

    def queue(self) -> list[str]:
        """The names of what is queued, in both queues."""
        folders = (self.layout.queue, self.layout.client_queue)
        return sorted(p.name for folder in folders for p in folder.iterdir() if p.name[:2] in _QUEUE_FILES)

    def wait_idle(self, seconds: float = _DEADLINE) -> None:
        """Return once nothing is queued, seen twice: a message between two queues may be missed once."""
        self.wait(lambda: self._idle() and self._idle(), "an empty queue", seconds)

    def _idle(self) -> bool:
        if any(self.layout.client_queue.iterdir()):
            self.flush()
        return not self.queue()

    def log(self) -> str:
        """What it told syslog so far; after the context has been left, all of it."""
        if self._layout is None:
            return self._last_log
        return self._layout.log.read_text("utf-8", "replace") if self._layout.log.exists() else ""

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = _DEADLINE) -> None:
        """Return once `condition` holds; TimeoutError with the end of the log if it does not in `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                said = "".join(path.read_text() for path in self.layout.root.glob("*.out"))
                raise TimeoutError(f"no {what} in {seconds} s; it said:\n{said}\nlog:\n{self.log()[-3000:]}")
            time.sleep(0.03)

    # inside

    def _command(self, name: str) -> list[str]:
        return [str(self.layout.program), "-C", str(self.layout.made(name))]

    def _environment(self) -> dict[str, str]:
        layout = self.layout
        return {
            "PATH": os.environ["PATH"],
            "LD_PRELOAD": str(layout.root / "world.so"),
            "SENDMAIL_HOST": HOSTNAME,
            "SENDMAIL_CLIENTS": str(layout.clients),
            "SENDMAIL_LOG": str(layout.log),
        }

    def _lay_out(self) -> None:
        layout = self.layout
        layout.root.chmod(0o755)
        for folder in (layout.queue, layout.client_queue, layout.sasl, layout.clients):
            folder.mkdir(mode=0o700)
        shutil.chown(layout.client_queue, CLIENT_USER)
        for file in (layout.root / "statistics", layout.log):
            file.touch()
            file.chmod(0o666)
        (layout.root / "switch").write_text("passwd files\nhosts files\naliases files\n", "ascii")
        source, built = Path(__file__).with_name("sendmail_world.c"), layout.root / "world.so"
        ran = _ran("gcc", "-O1", "-shared", "-fPIC", "-o", str(built), str(source), "-ldl")
        if ran.returncode:
            raise SendmailError(f"gcc: {ran.stderr}")
        passwords = layout.sasl / "sasldb2"
        (layout.sasl / "Sendmail.conf").write_text(sasl_conf(passwords), "utf-8")
        for login, password in self.logins.items():
            name, _, realm = login.partition("@")
            self._make_login(passwords, name, realm or HOSTNAME, password)

    def _make_login(self, passwords: Path, name: str, realm: str, password: str) -> None:
        command = ("saslpasswd2", "-p", "-c", "-f", str(passwords), "-u", realm, name)
        ran = subprocess.run(command, input=password, text=True, capture_output=True, check=False)
        if ran.returncode:
            raise SendmailError(f"saslpasswd2: {ran.stderr}")

    def _answers(self) -> bool:
        if self._running is None or self._running.poll() is not None:
            said = (self.layout.root / "sendmail.out").read_text()
            raise SendmailError(f"it has ended: {said}\n{self.log()[-3000:]}")
        try:
            with SmtpClient(self.port) as session:
                return session.greeting.code == 220
        except OSError:
            return False

    def _tear_down(self) -> None:
        layout = self.layout
        try:
            self.stop()
        finally:
            self._last_log = self.log()
            self._layout = None
            shutil.rmtree(layout.root)


_QUEUE_FILES = ("qf", "df", "tf", "xf", "hf", "Qf")


def _ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
