"""An office whose groups may be changed: a real slapd under the example rules, a configuration, and a ledger."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.directory.writing import READER, WRITER
from tests.support.slapd import Slapd
from typer.testing import CliRunner, Result

from groupmilter import bootstrap
from groupmilter.bootstrap.membership import groups, journal
from groupmilter.cli.app import app
from groupmilter.config.reload import load
from groupmilter.membership.service import Groups
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.rows import AuditRow

OPENLDAP = Path(__file__).resolve().parents[2] / "ldap_schema" / "openldap"
BASE = "dc=masociete,dc=example"
GROUPS, PEOPLE = f"ou=groups,{BASE}", f"ou=people,{BASE}"
CONTACT = "contact@masociete.example"
JEAN, ZOE = "jean.dupont@masociete.example", "zoe.coeurdacier@masociete.example"
DEADLINE = 150.0
"""Seconds to wait for somebody else who writes into the ledger."""
WHO = Who("jean", Way.COMMAND, origin="pts/1")


@dataclass(frozen=True, slots=True)
class Office:
    """The office; every call of a command is a call of the real one."""

    slapd: Slapd
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def configure(self, account: tuple[str, str] = WRITER, url: str = "") -> None:
        """Write the configuration, and make the ledger."""
        for name, (_, password) in (("reader", READER), ("writer", account)):
            (self.folder / name).write_text(password)
            (self.folder / name).chmod(0o600)
        write = (
            f"{{bind_dn: '{account[0]}', password_file: writer, groups: '{GROUPS}', "
            f"contacts: 'ou=contacts,{BASE}'}}"
        )
        self.config.write_text(
            f"directory: {{url: '{url or self.slapd.uri}', base: '{BASE}', bind_dn: '{READER[0]}',\n"
            f"  password_file: reader, timeout: 120s, write: {write}}}\n"
            f"service: {{domain: groups.masociete.example, key_file: {self.folder}/ticket.key,\n"
            f"  release: {{secret_file: {self.folder}/release.secret}}}}\n"
            f"mirror: {self.folder}/mirror.db\nstate: sqlite:///{self.folder}/state.db\n"
            f"hold_mailbox: maildir:{self.folder}/hold\nmap: {{path: {self.folder}/groups, type: texthash}}\n"
            f"control: {self.folder}/control.sock\n"
        )
        bootstrap.ledger(load(self.config)).close()

    def call(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, ["--config", str(self.config), *arguments], input=stdin)

    def asked(self, *arguments: str, code: int = 0, stdin: str | None = None) -> dict[str, Any]:
        """What a command says to programs."""
        result = self.call("--json", *arguments, stdin=stdin)
        assert result.exit_code == code, result.output
        shape: dict[str, Any] = json.loads(result.stdout)
        return shape

    def values(self, name: str, attribute: str) -> list[str]:
        """The values of an attribute of a group, as the server shows them; none of a group that isn't there."""
        found: list[str] = []
        for line in self.slapd.search(GROUPS, f"(cn={name})", attribute).splitlines():
            label, _, value = line.partition(": ")
            if label.lower() == attribute.lower():
                found.append(value)
            elif label.lower() == f"{attribute.lower()}:":
                found.append(base64.b64decode(value).decode())
        return found

    def journal(self, action: str = "") -> tuple[AuditRow, ...]:
        ledger = bootstrap.ledger(load(self.config))
        rows = ledger.audit(action=action)
        ledger.close()
        return rows

    @contextmanager
    def service(self) -> Iterator[Groups]:
        """The service that all ways share, on behalf of Jean."""
        configuration = load(self.config)
        ledger = bootstrap.ledger(configuration, timeout=DEADLINE)
        with groups(configuration, journal(ledger, WHO)) as service:
            yield service
        ledger.close()


@contextmanager
def running() -> Iterator[Slapd]:
    """The sample directory under the example access rules."""
    with Slapd(content=[OPENLDAP / "sample.ldif", OPENLDAP / "accounts.ldif"]) as slapd:
        slapd.configure_live((OPENLDAP / "access.ldif").read_text(encoding="utf-8"))
        yield slapd
