"""A private, real Postfix for the tests: own configuration, queue, log and ports, in a directory of its own.

It needs root (Postfix does) and Debian's `postfix`, `sasl2-bin`, `libsasl2-modules`, `libsasl2-modules-db`.
It never reads or writes /etc/postfix or the system's queue, and listens on 127.0.0.1 only. Leaving the
context stops every process of it and deletes the directory; the log stays readable.

Logins are Cyrus SASL with a `sasldb` file: it is in-process in smtpd, so there is one file and no second
daemon to start, wait for and stop (Dovecot's auth service would be that). `{auth_authen}` is the login as the
client gave it, and `{auth_type}` PLAIN or LOGIN, as with Dovecot.

It fails with `PostfixError` (with Postfix's words in it) when the instance does not start, and with
`TimeoutError` when a condition is not reached in time.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.ports import free_port
from tests.support.postfix_files import Layout, Milters, Ports, Routing, Tls, main_cf, master_cf, sasl_conf
from tests.support.postfix_queue import is_empty
from tests.support.processes import of_group, uninterrupted

_POSTFIX = "/usr/sbin/postfix"
_START_ATTEMPTS = 5
_DEADLINE = 150.0


class PostfixError(Exception):
    """Postfix did not do what it was told; the text has its output and log."""


@dataclass(kw_only=True)
class Postfix:
    """One private instance, as a context manager.

    `sink_port`: where all mail but the service domain's is relayed to (None: discarded).
    `logins`: login to password. `recipient_map`: a Postfix table such as `texthash:/path`, the only addresses
    of the local domains that are accepted. `main`: more main.cf settings, which win; `master`: more lines.
    """

    sink_port: int | None
    smtpd_milters: tuple[str, ...] = ()
    non_smtpd_milters: tuple[str, ...] = ()
    milter_default_action: str = "tempfail"
    hostname: str = "mx.masociete.example"
    local_domains: tuple[str, ...] = ("masociete.example",)
    service_domain: str = "groups.masociete.example"
    logins: Mapping[str, str] = field(default_factory=dict)
    recipient_map: str | None = None
    tls: Tls | None = None
    mailbox_user: str = "nobody"
    main: Mapping[str, str] = field(default_factory=dict)
    master: Sequence[str] = ()
    _layout: Layout | None = field(default=None, init=False)
    _ports: Ports | None = field(default=None, init=False)
    _last_log: str = field(default="", init=False)

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise PostfixError("Postfix can only be started by root")
        self._layout = Layout(Path(tempfile.mkdtemp(prefix="groupmilter-postfix-")))
        try:
            self._create_directories()
            self._create_logins()
            self._start_on_free_ports()
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
            raise PostfixError("not started")
        return self._layout

    @property
    def ports(self) -> Ports:
        """The listeners' ports on 127.0.0.1: mx, submission, release."""
        if self._ports is None:
            raise PostfixError("not started")
        return self._ports

    @property
    def config_directory(self) -> Path:
        """For `postfix -c`, `postqueue -c`, `sendmail -C`, `postconf -c`."""
        return self.layout.config

    @property
    def maildir(self) -> Path:
        """The service domain's Maildir; it exists once the first message has been delivered."""
        return self.layout.service_maildir

    def held(self) -> list[bytes]:
        """The service domain's messages as virtual(8) wrote them, oldest name first."""
        return [path.read_bytes() for path in sorted((self.maildir / "new").glob("*"))]

    def wait_held(self, count: int, seconds: float = _DEADLINE) -> list[bytes]:
        """The service domain's messages, as soon as there are at least `count`."""
        self.wait(lambda: len(self.held()) >= count, f"{count} messages in the service Maildir", seconds)
        return self.held()

    def queue(self) -> list[dict[str, Any]]:
        """The queued messages, as `postqueue -j` tells them (postqueue(1), JSON object format)."""
        text = self._run("postqueue", "-c", str(self.config_directory), "-j")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def message_count(self) -> int:
        """How many messages are queued, in whatever queue."""
        return len(self.queue())

    def wait_idle(self, seconds: float = _DEADLINE) -> None:
        """Return once nothing is queued, in whatever queue."""
        self.wait(lambda: is_empty(self.layout.queue), "an empty queue", seconds)

    def wait_log(self, text: str, seconds: float = _DEADLINE) -> str:
        """The log, as soon as it has `text` in it."""
        self.wait(lambda: text in self.log(), f"{text!r} in the log", seconds)
        return self.log()

    def flush(self) -> None:
        """Try all deferred mail now."""
        self._run("postqueue", "-c", str(self.config_directory), "-f")

    def log(self) -> str:
        """What Postfix logged so far; after the context has been left, all it logged."""
        if self._layout is None:
            return self._last_log
        return self._layout.log.read_text("utf-8", "replace") if self._layout.log.exists() else ""

    def postconf(self, name: str) -> str:
        """A parameter's value in force in main.cf."""
        return self._run("postconf", "-c", str(self.config_directory), "-h", name).strip()

    def edit(self, settings: Mapping[str, str]) -> None:
        """Change main.cf; in force after `reload()` or `restart()`."""
        pairs = [f"{name}={value}" for name, value in settings.items()]
        self._run("postconf", "-c", str(self.config_directory), "-e", *pairs)
        settled(self.config_directory / "main.cf")

    def reload(self) -> None:
        """`postfix reload`: open sessions, and a process just taking one, keep the old settings."""
        before = self.log().count("reload -- version")
        self._control("reload")
        self.wait(lambda: self.log().count("reload -- version") > before, "the reload")

    def restart(self) -> None:
        """Stop and start on the same ports: afterwards no process has the old settings."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """`postfix stop`; the queue stays. `start()` brings it back."""
        master = int((self.layout.queue / "pid" / "master.pid").read_text("ascii"))
        self._control("stop")
        # master(8) may be gone before its children, who hold the ports.
        _await_end(master)

    def start(self) -> None:
        """`postfix start`, on the ports it had."""
        self._control("start")

    def sendmail(self, recipients: Sequence[str], message: bytes, *options: str) -> None:
        """Local submission by sendmail(1): `non_smtpd_milters` see it. `options`: such as `-f sender`."""
        command = ["sendmail", "-C", str(self.config_directory), "-oi", *options, "--", *recipients]
        subprocess.run(command, input=message, check=True, capture_output=True, timeout=_DEADLINE)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = _DEADLINE) -> None:
        """Return once `condition` holds; TimeoutError with the end of the log if it does not in `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {what} in {seconds} s; the log ends with:\n{self.log()[-3000:]}")
            time.sleep(0.03)

    def _create_directories(self) -> None:
        layout, postfix, mailbox = self.layout, pwd.getpwnam("postfix"), pwd.getpwnam(self.mailbox_user)
        layout.root.chmod(0o755)
        for directory in (layout.config, layout.queue, layout.state, layout.sasl, layout.mail):
            directory.mkdir(mode=0o755)
        os.chown(layout.state, postfix.pw_uid, postfix.pw_gid)
        os.chown(layout.mail, mailbox.pw_uid, mailbox.pw_gid)

    def _create_logins(self) -> None:
        passwords = self.layout.sasl / "sasldb2"
        (self.layout.sasl / "smtpd.conf").write_text(sasl_conf(passwords), "utf-8")
        for login, password in self.logins.items():
            name, _, realm = login.partition("@")
            command = ("saslpasswd2", "-p", "-c", "-f", str(passwords), "-u", realm or self.hostname, name)
            self._run(*command, given=password)
        if passwords.exists():
            shutil.chown(passwords, "root", "postfix")

    def _start_on_free_ports(self) -> None:
        # Somebody may take a port between our finding it free and Postfix's binding it.
        for attempt in range(1, _START_ATTEMPTS + 1):
            self._ports = Ports(*_different_ports())
            self._write_configuration(self._ports)
            try:
                self._control("start")
            except PostfixError:
                if attempt == _START_ATTEMPTS or "Address already in use" not in self.log():
                    raise
            else:
                return

    def _write_configuration(self, ports: Ports) -> None:
        mailbox = pwd.getpwnam(self.mailbox_user)
        routing = Routing(
            hostname=self.hostname,
            local_domains=self.local_domains,
            service_domain=self.service_domain,
            sink_port=self.sink_port,
            recipient_map=self.recipient_map,
            mailbox_uid=mailbox.pw_uid,
            mailbox_gid=mailbox.pw_gid,
        )
        milters = Milters(self.smtpd_milters, self.non_smtpd_milters, self.milter_default_action)
        main = main_cf(self.layout, routing, milters, self.tls, self.main)
        (self.config_directory / "main.cf").write_text(main, "utf-8")
        (self.config_directory / "master.cf").write_text(master_cf(ports, self.master), "utf-8")
        settled(self.config_directory / "main.cf")

    def _control(self, command: str) -> None:
        with uninterrupted():
            self._run(_POSTFIX, "-c", str(self.config_directory), command)

    def _run(self, *command: str, given: str = "") -> str:
        result = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_DEADLINE, check=False
        )
        if result.returncode != 0:
            told = f"{' '.join(command)}: exit {result.returncode}\n{result.stdout}{result.stderr}"
            raise PostfixError(f"{told}\n{self._complaints()}\nlog:\n{self.log()[-3000:]}")
        return result.stdout

    def _complaints(self) -> str:
        """What `postfix check` says: on a terminal, for elsewhere it is silent before it has read main.cf."""
        ours, theirs = os.openpty()
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            command = [_POSTFIX, "-c", str(self.config_directory), "check"]
            subprocess.run(command, stdout=theirs, stderr=theirs, timeout=_DEADLINE, check=False)
            os.set_blocking(terminal.fileno(), False)
            said = terminal.read(65536) or b""
            os.close(theirs)
        return said.decode("utf-8", "replace")

    def _tear_down(self) -> None:
        layout = self.layout
        try:
            self._stop_if_running()
        finally:
            self._last_log = self.log()
            self._layout = None
            shutil.rmtree(layout.root)

    def _stop_if_running(self) -> None:
        status = [_POSTFIX, "-c", str(self.config_directory), "status"]
        if subprocess.run(status, capture_output=True, timeout=_DEADLINE, check=False).returncode == 0:
            self.stop()


def settled(file: Path) -> None:
    """Make a file look a minute old: Postfix's programs read one that is younger than a second again and again."""
    then = time.time() - 60
    os.utime(file, (then, then))


def _await_end(process_group: int) -> None:
    """Return once no process of the group is left; what lingers for ten seconds is killed."""
    deadline = time.monotonic() + 10
    while left := of_group(process_group):
        if time.monotonic() > deadline:
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def _different_ports() -> tuple[int, int, int]:
    ports: set[int] = set()
    while len(ports) < 3:
        ports.add(free_port())
    first, second, third = ports
    return first, second, third
