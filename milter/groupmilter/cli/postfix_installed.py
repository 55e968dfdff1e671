"""The Postfix beside us as ``postconf`` tells it: settings in force, and the services of master.cf.

Fails with `CommandFailed` where there is no postconf, or it can't read the configuration. Sources: postconf(1) with
-x, -M and -P, master(5).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed

_PLACES = "/usr/sbin:/usr/local/sbin:/sbin"
_SECONDS = 20.0
_SUBMISSION = {"submission", "submissions", "smtps", "587", "465"}
READ = (
    "mail_version",
    "queue_directory",
    "smtpd_milters",
    "smtpd_milter_maps",
    "non_smtpd_milters",
    "milter_default_action",
    "milter_protocol",
    "smtpd_forbid_bare_newline",
    "smtpd_forbid_bare_newline_exclusions",
    "smtpd_forbid_unauth_pipelining",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_sender_login_maps",
    "smtpd_proxy_filter",
    "smtpd_authorized_xclient_hosts",
    "smtpd_upstream_proxy_protocol",
    "mynetworks",
    "allow_percent_hack",
    "swap_bangpath",
    "append_at_myorigin",
    "resolve_numeric_domain",
    "resolve_dequoted_address",
    "show_user_unknown_table_name",
    "disable_vrfy_command",
    "smtpd_tls_ask_ccert",
    "smtpd_tls_req_ccert",
    "smtpd_tls_CAfile",
    "smtpd_tls_CApath",
    "tls_append_default_CA",
    "enable_original_recipient",
    "virtual_alias_maps",
    "alias_maps",
    "canonical_maps",
    "recipient_canonical_maps",
    "receive_override_options",
    "message_size_limit",
    "recipient_delimiter",
    "smtpd_discard_ehlo_keywords",
    "smtpd_discard_ehlo_keyword_address_maps",
    "mydestination",
    "relay_domains",
    "relay_recipient_maps",
    "virtual_mailbox_domains",
    "virtual_alias_domains",
    "transport_maps",
    "smtpd_sasl_auth_enable",
    "smtpd_sasl_type",
    "smtpd_sasl_path",
    "smtpd_tls_security_level",
    "smtpd_tls_auth_only",
    "local_header_rewrite_clients",
    "content_filter",
    "header_checks",
    "mime_header_checks",
    "nested_header_checks",
    "body_checks",
)


@dataclass(frozen=True, slots=True)
class Service:
    """One line of master.cf: name (``smtp``, ``127.0.0.1:10027``), type, command, and its ``-o`` overrides."""

    name: str
    type: str
    command: str
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How postconf names it: ``smtp/inet``."""
        return f"{self.name}/{self.type}"

    @property
    def on_loopback(self) -> bool:
        """Whether its name binds it to this host: ``127.0.0.1:10025``, ``[::1]:10025``, ``localhost:10025``."""
        host = self.name.rpartition(":")[0].strip("[]")
        return host == "localhost" or host == "::1" or host.startswith("127.")

    @property
    def is_submission(self) -> bool:
        """Whether its port is one where people hand in mail and log in (RFC 6409, RFC 8314)."""
        return self.name.rpartition(":")[2] in _SUBMISSION


@dataclass(frozen=True, slots=True)
class Installed:
    """A Postfix instance.

    :param main: settings in force with ``$name`` filled in; ``literal``: as they are written.
    """

    main: Mapping[str, str]
    literal: Mapping[str, str] = field(default_factory=dict)
    services: tuple[Service, ...] = ()

    def effective(self, service: Service, name: str) -> str:
        """Return a setting as a service sees it."""
        return service.overrides.get(name, self.main.get(name, ""))

    @property
    def listeners(self) -> tuple[Service, ...]:
        """The services that take mail by SMTP."""
        return tuple(service for service in self.services if service.command == "smtpd")

    @property
    def filtered(self) -> bool:
        """Whether mail leaves for a content filter after it was queued, and comes back by SMTP."""
        return any(self.effective(service, "content_filter") for service in self.services)

    def is_return_path(self, service: Service) -> bool:
        """Whether a listener takes back what a content filter has seen: on loopback, and filtered no further."""
        if service.command != "smtpd" or not service.on_loopback or not self.filtered:
            return False
        named = service.overrides.get("milter_macro_daemon_name")
        return named is None and not self.effective(service, "content_filter")

    def places(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield where a setting of smtpd stands: main.cf, and each listener of its own mind.

        Yields place (``main.cf``, ``master.cf smtp``), the value there, and what a line to set begins with.
        """
        yield name, self.main.get(name, ""), ""
        for service in self.listeners:
            if name in service.overrides:
                yield f"master.cf {service.name}", service.overrides[name], "    -o "


def installed(directory: Path | None) -> Installed:
    """Read an instance.

    :param directory: its configuration; None for the system's.
    """
    main = _settings(_asked(directory, "-x", *READ))
    literal = _settings(_asked(directory, *READ))
    overrides = _overrides(_asked(directory, "-x", "-P"))
    services = tuple(_services(_asked(directory, "-M"), overrides))
    return Installed(main, literal, services)


def _asked(directory: Path | None, *arguments: str) -> str:
    program = shutil.which("postconf") or shutil.which("postconf", path=_PLACES)
    if program is None:
        raise CommandFailed(Exit.POSTFIX, "postconf was not found: is Postfix installed on this host?")
    where = () if directory is None else ("-c", str(directory.absolute()))
    ran = subprocess.run(  # noqa: S603 - a fixed program and fixed options
        (program, *where, *arguments), capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if ran.returncode:
        raise CommandFailed(Exit.POSTFIX, *ran.stderr.strip().splitlines())
    return ran.stdout


def _settings(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _overrides(text: str) -> dict[str, dict[str, str]]:
    """Read ``smtp/inet/smtpd_milters = value`` lines."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        path, _, value = line.partition("=")
        service, _, name = path.strip().rpartition("/")
        found.setdefault(service, {})[name] = value.strip()
    return found


def _services(text: str, overrides: Mapping[str, Mapping[str, str]]) -> Iterable[Service]:
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 8 and not line[0].isspace():
            name, kind, command = words[0], words[1], words[7]
            yield Service(name, kind, command, overrides.get(f"{name}/{kind}", {}))
