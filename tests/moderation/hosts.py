"""A host with a configuration, a directory of cases, a hold mailbox and a ledger, on which nothing runs.

with host(tmp_path) as site:
    name = site.held(1, subject="hello")
    assert "hello" in site.call("held", "list").stdout
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.moderation.holding import Holding
from tests.support.ports import free_port
from typer.testing import CliRunner, Result

from groupmilter import bootstrap
from groupmilter.bootstrap.desk import desk
from groupmilter.cli.app import app
from groupmilter.cli.exits import Exit
from groupmilter.config.reload import Configuration, load
from groupmilter.groups.ticket import Keys, Kind, Ticket, digest, seal
from groupmilter.log import logger
from groupmilter.moderation.desk import Desk
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, Maildir

HOUSE = Path(__file__).parents[1] / "cases" / "house.ldif"
NEWS = "news@masociete.example"
"""Moderated by Chloe."""
SERVICE = "groups.masociete.example"


@dataclass(slots=True)
class Host:
    """What one host has, and the time at which its mail came."""

    configuration: Configuration
    hold: Holding
    keys: Keys
    came: int

    def ticket(self, number: int, group: str = NEWS, sender: str = "", strength: int = 0) -> str:
        with self.hold.lookups.snapshot() as directory:
            found = directory.find(group)
            person = directory.find(sender) if sender else None
        assert found is not None
        who = digest(person.uuid) if person is not None else 0
        made = Ticket(Kind.HOLD, self.came, number, digest(found.uuid), who, strength, reason=1)
        return seal(made, self.keys)

    def held(self, number: int, group: str = NEWS, strength: int = 0, **parts: str) -> Item:
        """A message that waits for a decision."""
        name = self.hold.delivered(self.ticket(number, group, strength=strength), Folder.HELD, **parts)
        ledger = self.opened()
        made = bootstrap.rebuilding(self.configuration, ledger, logger("critical", json=False))
        assert made.take(name, Folder.HELD).value == "recorded"
        item = ledger.search.by_files([name])[name]
        ledger.close()
        return item

    def state(self, item: Item) -> State:
        ledger = self.opened()
        found = ledger.item(item.id)
        ledger.close()
        assert found is not None
        return found.state

    def opened(self) -> Ledger:
        return bootstrap.ledger(self.configuration)

    def desk(self, ledger: Ledger) -> Desk:
        return desk(self.configuration, ledger, logger("critical", json=False))

    def lose_the_ledger(self) -> None:
        for path in self.configuration.site.state.parent.glob("state.db*"):
            path.unlink()

    def call(self, *arguments: str, code: Exit = Exit.OK, given: str = "") -> Result:
        """Run a command, which has to end with this exit code."""
        runner = CliRunner(env={"COLUMNS": "250"})
        result = runner.invoke(app, ["--config", str(self.configuration.file), *arguments], input=given)
        assert result.exit_code == code, result.output
        return result

    def asked(self, *arguments: str, code: Exit = Exit.OK) -> dict[str, Any]:
        """What a command answers programs."""
        found: dict[str, Any] = json.loads(self.call(*arguments, "--json", code=code).stdout)
        return found


@contextmanager
def host(folder: Path) -> Iterator[Host]:
    """Give a host whose directory is loaded and whose ledger is empty."""
    file = folder / "config.yaml"
    file.write_text(
        f"control: {folder}/control.sock\n"
        f'directory: {{url: "ldif:{HOUSE}", base: "dc=masociete,dc=example"}}\n'
        f"service: {{domain: {SERVICE}, key_file: {folder}/ticket.key, "
        f"release: {{port: {free_port()}, secret_file: {folder}/release.secret}}}}\n"
        f"mirror: {folder}/mirror.db\nstate: sqlite:///{folder}/state.db\n"
        f"hold_mailbox: maildir:{folder}/hold\nmap: {{path: {folder}/groups, type: texthash}}\n"
    )
    synced = CliRunner().invoke(app, ["--config", str(file), "directory", "sync"])
    assert synced.exit_code == 0, synced.output
    configuration = bootstrap.with_keys(load(file), logger("critical", json=False))
    mailbox = Maildir(configuration.site.hold_mailbox)
    mailbox.prepare()
    lookups = bootstrap.snapshots(configuration)
    ledger = bootstrap.ledger(configuration)
    hold = Holding(folder, lookups, mailbox, ledger, service=SERVICE)
    ledger.close()
    yield Host(configuration, hold, bootstrap.ticket_keys(configuration.keys), int(time.time()) - 60)
    lookups.reader.close()
