"""A private, real slapd (OpenLDAP 2.5, Debian's packages slapd and ldap-utils) for tests.

    with Slapd(content=[Path("office.ldif")]) as slapd:
        slapd.modify("dn: cn=contact,ou=groups,dc=masociete,dc=example\nchangetype: modify\n...")
        Server(slapd.uri) ...

It listens on free loopback ports only, lives in a temporary directory, runs in the foreground as whoever runs
the tests, and is gone after the block. Configuration is cn=config, so tests can change it while it runs.

Fails with SlapdFailed (the server doesn't start or stop; its log is in the text) or CommandFailed (an LDAP
operation or slapadd refused; `code` is the LDAP result code for the ldap* commands).
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from tests.support.certificates import Authority
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import stands_still, uninterrupted
from tests.support.slapd_configuration import Settings, configuration_ldif

START_DEADLINE = 150.0
STOP_DEADLINE = 150.0
_START_TRIES = 5

Content = str | Path
"""LDIF: a string is the text itself, a Path a file that holds it."""


class SlapdFailed(RuntimeError):
    """slapd didn't start, or didn't end."""


class CommandFailed(RuntimeError):
    """A command of slapd or ldap-utils ended with an error; `code` is its exit code, `text` its words."""

    def __init__(self, command: str, code: int, text: str) -> None:
        super().__init__(f"{command}: exit code {code}: {text.strip()}")
        self.code = code
        self.text = text


def program(name: str) -> str:
    """Return the path of a command, also where sbin isn't in PATH; FileNotFoundError without it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed (Debian: slapd, ldap-utils)")
    return path


def run(name: str, *arguments: str, stdin: str | None = None) -> str:
    """Run a command and return its standard output; CommandFailed if it ends with another code than 0."""
    environment = {**os.environ, "LDAPNOINIT": "1"}
    done = subprocess.run(
        [program(name), *arguments],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(name, done.returncode, done.stderr + done.stdout)
    return done.stdout


@dataclass(slots=True)
class Slapd:
    """One slapd. `settings` are fixed before the first start, `content` is loaded before it, with slapadd."""

    settings: Settings = field(default_factory=Settings)
    content: Sequence[Content] = ()
    port: int = 0
    tls_port: int = 0
    authority: Authority | None = None
    _temporary: tempfile.TemporaryDirectory[str] | None = None
    _process: subprocess.Popen[bytes] | None = None
    _frozen: bool = False

    # life

    def __enter__(self) -> Self:
        try:
            self.configure()
            for content in self.content:
                self.load(content)
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def configure(self) -> None:
        """Make the temporary directory, the certificates and cn=config. Nothing runs yet."""
        self._temporary = tempfile.TemporaryDirectory(prefix="slapd-", ignore_cleanup_errors=True)
        for name in ("config", "database"):
            (self.directory / name).mkdir()
        if self.settings.tls:
            self.authority = Authority(self.directory / "tls").create()
            self.authority.issue("server", self.settings.certificate_names)
        text = configuration_ldif(self.settings, self.directory)
        run("slapadd", "-n", "0", "-F", str(self.directory / "config"), stdin=text)

    def start(self) -> None:
        """Start slapd and return once it answers; after `stop` on the same ports and the same database."""
        if self.running:
            return
        tries = 1 if self.port else _START_TRIES
        for left in reversed(range(tries)):
            if tries > 1:
                self._draw_ports()
            self._launch()
            if self._answers():
                return
            self.kill()
            if not left or "Address already in use" not in self.log():
                raise SlapdFailed(f"slapd doesn't answer on {self.uri}: {self.log()[-2000:]}")

    def stop(self) -> None:
        """End slapd in good order (SIGTERM); also a frozen one. Nothing happens if it doesn't run."""
        self.thaw()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise SlapdFailed(f"slapd didn't end within {STOP_DEADLINE} s of SIGTERM") from error
        self._process = None

    def kill(self) -> None:
        """End slapd at once, as by a crash (SIGKILL). Committed changes stay in the database."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process, self._frozen = None, False

    def freeze(self) -> None:
        """Suspend slapd (SIGSTOP): connections stay open, the kernel even takes new ones, nobody answers."""
        self._live().send_signal(signal.SIGSTOP)
        self._frozen = True
        # The signal comes back before each thread has seen it, and one of them might still answer.
        while not stands_still(self._live().pid):
            time.sleep(0.005)

    def thaw(self) -> None:
        """Let a frozen slapd go on (SIGCONT)."""
        if self._frozen and self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self._frozen = False

    def close(self) -> None:
        """End slapd and remove its directory. May be called twice."""
        try:
            self.stop()
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()
            self._temporary = None

    # where and who

    @property
    def running(self) -> bool:
        """Whether the process lives (a frozen one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; SlapdFailed if slapd doesn't run."""
        return self._live().pid

    @property
    def directory(self) -> Path:
        """The temporary directory: config/, database/, tls/, slapd.log, slapd.pid, ldapi."""
        if self._temporary is None:
            raise SlapdFailed("slapd isn't configured yet")
        return Path(self._temporary.name)

    @property
    def uri(self) -> str:
        """The address for plain LDAP and, with `settings.tls`, StartTLS."""
        return f"ldap://{LOOPBACK}:{self.port}"

    @property
    def tls_uri(self) -> str:
        """The address for LDAP over TLS; only with `settings.tls`."""
        return f"ldaps://{LOOPBACK}:{self.tls_port}"

    @property
    def socket_uri(self) -> str:
        """The Unix socket; SASL EXTERNAL as the user of the tests may manage cn=config, as root on Debian."""
        return "ldapi://" + str(self.directory / "ldapi").replace("/", "%2F")

    @property
    def suffix(self) -> str:
        """The database's suffix."""
        return self.settings.suffix

    @property
    def root(self) -> tuple[str, str]:
        """DN and password of the account that may do everything in the database."""
        return self.settings.root_dn, self.settings.password

    @property
    def ca_file(self) -> Path:
        """The CA certificate to trust; only with `settings.tls`."""
        if self.authority is None:
            raise SlapdFailed("this slapd has no TLS")
        return self.authority.certificate

    def log(self) -> str:
        """What slapd has written so far (`settings.log_level` says how much)."""
        path = self.directory / "slapd.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    # content

    def load(self, content: Content, *, quick: bool = False) -> None:
        """Add entries: with ldapadd if slapd runs, else (many times faster) with slapadd.

        `quick` is slapadd's -q, for tens of thousands of entries: values aren't checked against their syntax.
        """
        text = content.read_text(encoding="utf-8") if isinstance(content, Path) else content
        options = ("-q", "-w") if quick else ("-w",)
        if self.running:
            self.add(text)
        else:
            run("slapadd", *options, "-n", "1", "-F", str(self.directory / "config"), stdin=text)

    def add(self, ldif: str, bind: tuple[str, str] | None = None) -> None:
        """Add the entries of an LDIF text; `bind` is DN and password, absent the root account."""
        run("ldapadd", *self._bind(bind), stdin=ldif)

    def modify(self, ldif: str, bind: tuple[str, str] | None = None) -> None:
        """Perform LDIF change records (RFC 2849): modify, add, delete, modrdn."""
        run("ldapmodify", *self._bind(bind), stdin=ldif)

    def replace(
        self,
        dn: str,
        attributes: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
        bind: tuple[str, str] | None = None,
        **more: str | Sequence[str],
    ) -> None:
        """Set attributes, by keyword or (as `dgMailTip;lang-fr`) by mapping; an empty list takes one away."""
        lines = [f"dn: {dn}", "changetype: modify"]
        for name, given in {**attributes, **more}.items():
            values = [given] if isinstance(given, str) else given
            lines += [f"replace: {name}", *(f"{name}: {value}" for value in values), "-"]
        self.modify("\n".join(lines) + "\n", bind)

    def delete(self, *names: str, bind: tuple[str, str] | None = None) -> None:
        """Delete the entries with these DNs."""
        run("ldapdelete", *self._bind(bind), *names)

    def rename(
        self, dn: str, new_rdn: str, new_superior: str | None = None, bind: tuple[str, str] | None = None
    ) -> None:
        """Rename an entry, and move it if a new superior is given; the old RDN's value goes."""
        superior = ("-s", new_superior) if new_superior else ()
        run("ldapmodrdn", *self._bind(bind), "-r", *superior, dn, new_rdn)

    def search(
        self,
        base: str,
        query: str = "(objectClass=*)",
        *attributes: str,
        scope: str = "sub",
        bind: tuple[str, str] | None = None,
    ) -> str:
        """Return what ldapsearch finds as unwrapped LDIF without comments."""
        options = ("-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope)
        return run("ldapsearch", *self._bind(bind), *options, query, *attributes)

    def reader(self, name: str = "groupmilter", password: str = "reader") -> tuple[str, str]:
        """Add an account below the suffix, which the default access lets read; return its DN and password."""
        dn = f"cn={name},{self.suffix}"
        self.add(
            f"dn: {dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
            f"cn: {name}\nuserPassword: {password}\n"
        )
        return dn, password

    def configure_live(self, ldif: str) -> None:
        """Perform LDIF change records on the running cn=config, as root does on Debian (SASL EXTERNAL)."""
        run("ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", self.socket_uri, stdin=ldif)

    # inside

    def _draw_ports(self) -> None:
        self.port = free_port()
        self.tls_port = free_port() if self.settings.tls else 0

    def _launch(self) -> None:
        addresses = f"{self.uri}/ {self.socket_uri}/" + (f" {self.tls_uri}/" if self.settings.tls else "")
        with (self.directory / "slapd.log").open("wb") as log, uninterrupted():
            self._process = subprocess.Popen(
                [
                    program("slapd"),
                    "-d",
                    self.settings.log_level,
                    "-h",
                    addresses,
                    "-F",
                    str(self.directory / "config"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_DEADLINE
        while self.running and time.monotonic() < deadline:
            try:
                run("ldapwhoami", "-x", "-H", self.uri, "-o", "nettimeout=5")
            except CommandFailed:
                time.sleep(0.02)
            else:
                # somebody else's slapd may have answered, while ours found the port taken
                return self.running
        return False

    def _live(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise SlapdFailed("slapd doesn't run")
        return self._process

    def _bind(self, bind: tuple[str, str] | None) -> tuple[str, ...]:
        dn, password = self.root if bind is None else bind
        identity = ("-D", dn, "-w", password) if dn else ()
        tls = ("-ZZ", "-o", f"TLS_CACERT={self.ca_file}") if self.settings.require_tls else ()
        return ("-x", "-H", self.uri, *tls, *identity)
