"""What a private Sendmail of the tests is made of: the texts of sendmail.mc and submit.mc, and Cyrus SASL's file.

Pure: settings in, text out. One listener, *mx*, takes mail from anybody for the local domains, and log-ins; the release
listener and that of local submission are among the lines that `groupmilter sendmail` prints, which come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.postfix_files import Tls

CLIENT_USER = "nobody"
"""Whom local submission runs as, in place of Debian's smmsp; Sendmail wants somebody who isn't root."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one instance keeps its files; everything lies below `root`, which others may traverse."""

    root: Path
    unpacked: Path

    @property
    def program(self) -> Path:
        """The Sendmail that is run."""
        return self.unpacked / "usr" / "libexec" / "sendmail" / "sendmail"

    @property
    def cf(self) -> Path:
        """The folder of the m4 macros."""
        return self.unpacked / "usr" / "share" / "sendmail" / "cf"

    @property
    def queue(self) -> Path:
        """The daemon's queue."""
        return self.root / "queue"

    @property
    def client_queue(self) -> Path:
        """What local programs have submitted and the daemon has not yet taken."""
        return self.root / "client-queue"

    @property
    def clients(self) -> Path:
        """The addresses that clients are to have, see sendmail_world.c."""
        return self.root / "clients"

    @property
    def sasl(self) -> Path:
        """Cyrus SASL's Sendmail.conf and password file."""
        return self.root / "sasl"

    @property
    def log(self) -> Path:
        """What it has told syslog."""
        return self.root / "mail.log"

    def mc(self, name: str) -> Path:
        """The source of a configuration: ``sendmail`` or ``submit``."""
        return self.root / f"{name}.mc"

    def made(self, name: str) -> Path:
        """The configuration that m4 makes of it."""
        return self.root / f"{name}.cf"


@dataclass(frozen=True, slots=True)
class Routing:
    """Where mail belongs: all the world goes to the sink, but what the printed lines take out."""

    hostname: str
    local_domains: tuple[str, ...]
    sink_port: int
    mx_port: int


_BASE = (
    "define(`__OSTYPE__', `')dnl",
    "define(`ALIAS_FILE', `')dnl",
    # The folders above are those of temporary files.
    "define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit,GroupWritableDirPathSafe')dnl",
    "define(`confDONT_PROBE_INTERFACES', `True')dnl",
    "define(`confTO_IDENT', `0')dnl",
    "define(`confLOG_LEVEL', `14')dnl",
    # A machine that is busy with other tests refuses nothing.
    "define(`confQUEUE_LA', `1000')dnl",
    "define(`confREFUSE_LA', `1000')dnl",
    "define(`confDELAY_LA', `0')dnl",
)


def sendmail_mc(layout: Layout, routing: Routing, printed: Sequence[str], tls: Tls | None) -> str:
    """The text of sendmail.mc."""
    lines = (
        f"include(`{layout.cf}/m4/cf.m4')dnl",
        *_BASE,
        f"define(`STATUS_FILE', `{layout.root}/statistics')dnl",
        f"define(`confDOMAIN_NAME', `{routing.hostname}')dnl",
        f"define(`QUEUE_DIR', `{layout.queue}')dnl",
        f"define(`confPID_FILE', `{layout.root}/sendmail.pid')dnl",
        f"define(`confSERVICE_SWITCH_FILE', `{layout.root}/switch')dnl",
        "define(`confAUTH_MECHANISMS', `CRAM-MD5 PLAIN LOGIN')dnl",
        "FEATURE(`nocanonify')dnl",
        "FEATURE(`no_default_msa')dnl",
        "FEATURE(`accept_unresolvable_domains')dnl",
        "define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl",
        f"define(`ESMTP_MAILER_ARGS', `TCP $h {routing.sink_port}')dnl",
        *(f"RELAY_DOMAIN(`{domain}')dnl" for domain in routing.local_domains),
        f"DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={routing.mx_port}')dnl",
        *_tls(tls),
        "MAILER(`smtp')dnl",
        "LOCAL_CONFIG",
        f"ESASL_CONF_PATH={layout.sasl}",
        "",
        *printed,
    )
    return "".join(f"{line}\n" for line in lines)


def _tls(tls: Tls | None) -> tuple[str, ...]:
    if tls is None:
        return ()
    authority = tls.client_ca or tls.certificate
    return (
        f"define(`confCACERT_PATH', `{authority.parent}')dnl",
        f"define(`confCACERT', `{authority}')dnl",
        f"define(`confSERVER_CERT', `{tls.certificate}')dnl",
        f"define(`confSERVER_KEY', `{tls.key}')dnl",
    )


def submit_mc(layout: Layout, routing: Routing, printed: Sequence[str]) -> str:
    """The text of submit.mc."""
    lines = (
        f"include(`{layout.cf}/m4/cf.m4')dnl",
        *_BASE,
        f"define(`STATUS_FILE', `{layout.root}/statistics')dnl",
        f"define(`confDOMAIN_NAME', `{routing.hostname}')dnl",
        f"define(`MSP_QUEUE_DIR', `{layout.client_queue}')dnl",
        f"define(`confPID_FILE', `{layout.root}/submit.pid')dnl",
        f"define(`confSERVICE_SWITCH_FILE', `{layout.root}/switch')dnl",
        f"define(`confRUN_AS_USER', `{CLIENT_USER}')dnl",
        f"define(`confTRUSTED_USER', `{CLIENT_USER}')dnl",
        "FEATURE(`nocanonify')dnl",
        *printed,
    )
    return "".join(f"{line}\n" for line in lines)


def sasl_conf(password_file: Path) -> str:
    """Cyrus SASL's Sendmail.conf: passwords from one private file."""
    return (
        "pwcheck_method: auxprop\n"
        "auxprop_plugin: sasldb\n"
        "mech_list: CRAM-MD5 PLAIN LOGIN\n"
        f"sasldb_path: {password_file}\n"
    )
