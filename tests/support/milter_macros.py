"""Which macros Postfix 3.7.11 sends with which packet, and what they say.

Recorded from a real Postfix (POSTFIX_MILTER_TRACES.md). Pure: it keeps what the session has told so far and
writes the content of the `D` packets. Nothing here fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.milter_protocol import Stage, octets

_STAGE_OF = {
    "C": Stage.CONNECT,
    "H": Stage.HELO,
    "M": Stage.MAIL,
    "R": Stage.RECIPIENT,
    "T": Stage.DATA,
    "L": Stage.END_OF_HEADERS,
    "N": Stage.END_OF_HEADERS,
    "B": Stage.END_OF_MESSAGE,
    "E": Stage.END_OF_MESSAGE,
}
_DEFAULTS = {
    Stage.CONNECT: "j {daemon_name} {daemon_addr} v _",
    Stage.HELO: "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    Stage.MAIL: "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    Stage.RECIPIENT: "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    Stage.DATA: "i",
    Stage.END_OF_MESSAGE: "i",
    Stage.END_OF_HEADERS: "i",
}
_SMTPD_ONLY = frozenset(("{client_resolve}", "{client_connections}"))
_TLS = frozenset(("{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"))
_SENDER = frozenset(("{mail_addr}", "{mail_host}", "{mail_mailer}"))
_RECIPIENT = frozenset(("{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"))
_RELAY_HOST = "[127.0.0.1]:25"


@dataclass
class Macros:
    """The macros of one session. `requested`: the milter's own choice, stage number to names."""

    hostname: str
    daemon_name: str
    requested: Mapping[int, str] = field(default_factory=dict)
    local: bool = field(default=False, init=False)
    _values: dict[str, str] = field(default_factory=dict, init=False)
    _first_recipient: dict[str, str] = field(default_factory=dict, init=False)

    def connected(self, name: str, ip: str, port: int) -> None:
        """An SMTP client connected to smtpd(8)."""
        self.local = False
        self._values = {
            "j": self.hostname,
            "{daemon_name}": self.daemon_name,
            "{daemon_addr}": "127.0.0.1",
            "{daemon_port}": "25",
            "v": "Postfix 3.7.11",
            "_": f"{name} [{ip}]",
            "{client_addr}": f"IPv6:{ip}" if ":" in ip else ip,
            "{client_name}": name,
            "{client_port}": str(port),
            "{client_ptr}": name,
            "{client_resolve}": "OK",
            "{client_connections}": "0",
        }

    def submitted_locally(self, queue_id: str) -> None:
        """cleanup(8) presents a message that came from pickup(8): the queue id is there from the start."""
        self.connected("localhost", "127.0.0.1", 0)
        self.local = True
        self._values = {name: self._values[name] for name in self._values if name not in _SMTPD_ONLY}
        self._values |= {"{daemon_port}": "0", "i": queue_id}

    def sender(self, address: str, login: str | None) -> None:
        """MAIL FROM; the canonical address is in lower case, but not in local submission."""
        self._values["{mail_addr}"] = address if self.local else _resolved(address)
        if not self.local:
            self._values |= {"{mail_host}": _RELAY_HOST, "{mail_mailer}": "smtp"}
        if login is not None:
            self._values |= {"{auth_type}": "PLAIN", "{auth_authen}": login}

    def recipient(self, address: str, canonical: str | None) -> None:
        """RCPT TO, likewise."""
        self._values["{rcpt_addr}"] = canonical or (address if self.local else _resolved(address))
        if not self.local:
            self._values |= {"{rcpt_host}": _RELAY_HOST, "{rcpt_mailer}": "smtp"}

    def first_recipient_accepted(self, queue_id: str) -> None:
        """Only now smtpd(8) has a queue file; and this recipient is the one it names at DATA."""
        if not self.local and "i" not in self._values:
            self._values["i"] = queue_id
            self._first_recipient = {name: self._values[name] for name in _RECIPIENT if name in self._values}

    def add(self, values: Mapping[str, str] | None) -> None:
        """Further macros of this session, or other values."""
        self._values |= dict(values or {})

    def transaction_ended(self) -> None:
        """What belonged to the message is forgotten; what belonged to the session stays."""
        for name in _SENDER | _RECIPIENT | {"i"}:
            self._values.pop(name, None)
        self._first_recipient = {}

    def content(self, command: str) -> bytes:
        """The content of the `D` packet before that command; it may name no macro at all."""
        stage = _STAGE_OF.get(command)
        names = "" if stage is None else self.requested.get(stage) or _DEFAULTS[stage]
        known = self._known(command)
        told = [name for name in names.replace(",", " ").split() if name in known]
        return octets(command) + b"".join(octets(name) + b"\0" + octets(known[name]) + b"\0" for name in told)

    def _known(self, command: str) -> dict[str, str]:
        if command == "T":
            return self._values | self._first_recipient
        if command not in "LNBE":
            return self._values
        # Headers, body and end come from cleanup(8), which knows less of an SMTP session than smtpd(8), and
        # has a milter_macro_daemon_name of its own.
        forgotten = _SMTPD_ONLY | _TLS if self.local else _SMTPD_ONLY | _TLS | _SENDER | _RECIPIENT
        kept = {name: value for name, value in self._values.items() if name not in forgotten}
        return kept if self.local else kept | {"{daemon_name}": self.hostname}


def _resolved(address: str) -> str:
    """smtpd(8)'s reading of an address, as far as most tests need it: in lower case, without a source route."""
    return address.lower().rpartition(":")[2] if address.startswith("@") else address.lower()
