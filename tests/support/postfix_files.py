"""What a private Postfix of the tests is made of: the texts of main.cf and master.cf.

Pure: settings in, text out. Nothing here can fail but for a value that Postfix itself would refuse at start.

The roles on loopback:

* *mx*: takes mail from anybody for the local domains and the service domain, no login;
* *submission*: takes mail for anywhere, from a login only (SASL);
* *release*: as submission, but known to milters by `{daemon_name}` = `groupmilter-release`.

Clients may play any client address by XCLIENT (Postfix XCLIENT_README): the corpus has mail from 203.0.113.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RELEASE_DAEMON_NAME = "groupmilter-release"

# The services every instance has, none of them chrooted, so that sockets and maps are found by their paths.
_INTERNAL_SERVICES = """\
pickup     unix  n  -  n  60     1  pickup
cleanup    unix  n  -  n  -      0  cleanup
qmgr       unix  n  -  n  300    1  qmgr
tlsmgr     unix  -  -  n  1000?  1  tlsmgr
rewrite    unix  -  -  n  -      -  trivial-rewrite
bounce     unix  -  -  n  -      0  bounce
defer      unix  -  -  n  -      0  bounce
trace      unix  -  -  n  -      0  bounce
verify     unix  -  -  n  -      1  verify
flush      unix  n  -  n  1000?  0  flush
proxymap   unix  -  -  n  -      -  proxymap
proxywrite unix  -  -  n  -      1  proxymap
smtp       unix  -  -  n  -      -  smtp
relay      unix  -  -  n  -      -  smtp
showq      unix  n  -  n  -      -  showq
error      unix  -  -  n  -      -  error
retry      unix  -  -  n  -      -  error
discard    unix  -  -  n  -      -  discard
local      unix  -  n  n  -      -  local
virtual    unix  -  n  n  -      -  virtual
lmtp       unix  -  -  n  -      -  lmtp
anvil      unix  -  -  n  -      1  anvil
scache     unix  -  -  n  -      1  scache
postlog    unix-dgram n - n -    1  postlogd
"""

_LOGIN_REQUIRED = (
    "smtpd_sasl_auth_enable=yes",
    "smtpd_relay_restrictions=permit_sasl_authenticated,reject",
    "smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The three listeners' TCP ports on 127.0.0.1."""

    mx: int
    submission: int
    release: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one instance keeps its files; everything lies below `root`, which others may traverse."""

    root: Path

    @property
    def config(self) -> Path:
        """The configuration directory, for `postfix -c`."""
        return self.root / "config"

    @property
    def queue(self) -> Path:
        """The queue directory."""
        return self.root / "queue"

    @property
    def state(self) -> Path:
        """Postfix's data_directory."""
        return self.root / "state"

    @property
    def sasl(self) -> Path:
        """Cyrus SASL's smtpd.conf and password file; Debian's smtpd looks for them here."""
        return self.config / "sasl"

    @property
    def mail(self) -> Path:
        """The mailboxes that virtual(8) writes."""
        return self.root / "mail"

    @property
    def service_maildir(self) -> Path:
        """The service domain's one Maildir."""
        return self.mail / "service"

    @property
    def log(self) -> Path:
        """Postfix's log file."""
        return self.root / "mail.log"


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files for STARTTLS; `client_ca`, if given, lets clients prove themselves with a certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """Where mail belongs: own domains and all the world go to the sink, the service domain to its Maildir."""

    hostname: str
    local_domains: tuple[str, ...]
    service_domain: str
    sink_port: int | None
    recipient_map: str | None
    mailbox_uid: int
    mailbox_gid: int


@dataclass(frozen=True, slots=True)
class Milters:
    """Milter addresses as Postfix writes them (`unix:/path`, `inet:127.0.0.1:port`), what if they fail."""

    smtpd: tuple[str, ...]
    non_smtpd: tuple[str, ...]
    default_action: str


def main_cf(
    layout: Layout, routing: Routing, milters: Milters, tls: Tls | None, extra: Mapping[str, str]
) -> str:
    """The text of main.cf; `extra` comes last and wins."""
    settings = _places(layout) | _routes(layout, routing) | _milters(milters) | _sessions() | _tls(tls)
    return "".join(f"{name} = {value}\n" for name, value in (settings | dict(extra)).items())


def master_cf(ports: Ports, extra: Sequence[str]) -> str:
    """The text of master.cf: our three listeners, the internal services, then `extra` service lines."""
    release = (*_LOGIN_REQUIRED, f"milter_macro_daemon_name={RELEASE_DAEMON_NAME}")
    listeners = (
        _listener(ports.mx, "mx", ()),
        _listener(ports.submission, "submission", _LOGIN_REQUIRED),
        _listener(ports.release, "release", release),
    )
    return "".join(listeners) + _INTERNAL_SERVICES + "".join(f"{line}\n" for line in extra)


def sasl_conf(password_file: Path) -> str:
    """Cyrus SASL's smtpd.conf: passwords from one private file, PLAIN and LOGIN."""
    return (
        "pwcheck_method: auxprop\n"
        "auxprop_plugin: sasldb\n"
        "mech_list: PLAIN LOGIN\n"
        f"sasldb_path: {password_file}\n"
    )


def _listener(port: int, name: str, overrides: Sequence[str]) -> str:
    options = "".join(f"  -o {override}\n" for override in (f"syslog_name=postfix/{name}", *overrides))
    return f"127.0.0.1:{port} inet n - n - - smtpd\n{options}"


def _places(layout: Layout) -> dict[str, str]:
    return {
        "compatibility_level": "3.6",
        "queue_directory": str(layout.queue),
        "data_directory": str(layout.state),
        "mail_owner": "postfix",
        "setgid_group": "postdrop",
        "maillog_file": str(layout.log),
        "maillog_file_prefixes": str(layout.root),
        "multi_instance_enable": "no",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "all",
        # A resolver that does not answer must not slow the tests.
        "smtp_dns_support_level": "disabled",
        "smtp_host_lookup": "native",
        "notify_classes": "",
        "alias_maps": "",
        "biff": "no",
    }


def _routes(layout: Layout, routing: Routing) -> dict[str, str]:
    sink = "discard:" if routing.sink_port is None else f"smtp:[127.0.0.1]:{routing.sink_port}"
    return {
        "myhostname": routing.hostname,
        "myorigin": routing.local_domains[0] if routing.local_domains else routing.hostname,
        "mydestination": "",
        "mynetworks": "",
        "relay_domains": " ".join(routing.local_domains),
        # Else the service domain, a subdomain, would count as a relay domain too.
        "parent_domain_matches_subdomains": "",
        "relay_recipient_maps": routing.recipient_map or "",
        "local_recipient_maps": "",
        # user@[127.0.0.1] too: nothing may ever reach the machine's own mailboxes.
        "local_transport": sink,
        "relay_transport": sink,
        "default_transport": sink,
        "virtual_mailbox_domains": routing.service_domain,
        "virtual_mailbox_base": str(layout.mail),
        "virtual_mailbox_maps": f"inline:{{ {{@{routing.service_domain}={layout.service_maildir.name}/}} }}",
        "virtual_uid_maps": f"static:{routing.mailbox_uid}",
        "virtual_gid_maps": f"static:{routing.mailbox_gid}",
        "recipient_delimiter": "+",
        "minimal_backoff_time": "1s",
        "maximal_backoff_time": "5s",
        "queue_run_delay": "2s",
        # Nor do a delivery or a process that fails once keep the rest waiting for a minute.
        "transport_retry_time": "1s",
        "service_throttle_time": "1s",
    }


def _milters(milters: Milters) -> dict[str, str]:
    return {
        "smtpd_milters": " ".join(milters.smtpd),
        "non_smtpd_milters": " ".join(milters.non_smtpd),
        "milter_default_action": milters.default_action,
    }


def _sessions() -> dict[str, str]:
    return {
        "smtpd_relay_restrictions": "reject_unauth_destination",
        "smtpd_recipient_restrictions": "",
        "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
        "smtpd_client_connection_count_limit": "0",
        # Every client is to be treated as a remote one: no header added, no address in headers completed.
        "local_header_rewrite_clients": "",
        "smtputf8_enable": "yes",
        "smtpd_sasl_type": "cyrus",
        "smtpd_sasl_path": "smtpd",
        "smtpd_sasl_local_domain": "",
    }


def _tls(tls: Tls | None) -> dict[str, str]:
    if tls is None:
        return {"smtpd_tls_security_level": "none", "smtp_tls_security_level": "none"}
    settings = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": str(tls.certificate),
        "smtpd_tls_key_file": str(tls.key),
        "smtp_tls_security_level": "none",
    }
    if tls.client_ca is not None:
        settings |= {"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": str(tls.client_ca)}
    return settings
