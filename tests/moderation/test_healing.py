"""The desk as it is wired, after its ledger was lost: what is held is recorded anew, asked about, and stays held."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.moderation.holding import Holding
from tests.support.ports import free_port
from typer.testing import CliRunner

from groupmilter import bootstrap
from groupmilter.bootstrap.desk import desk
from groupmilter.cli.app import app
from groupmilter.config.reload import Configuration, load
from groupmilter.groups.ticket import Keys, Kind, Ticket, digest, seal
from groupmilter.log import logger
from groupmilter.moderation.desk import Desk
from groupmilter.moderation.item import DESK, Event, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, Maildir

HOUSE = Path(__file__).parents[1] / "cases" / "house.ldif"
NEWS = "news@masociete.example"


@dataclass(slots=True)
class Site:
    """What one host has, and the time at which its mail came."""

    configuration: Configuration
    hold: Holding
    keys: Keys
    came: int

    def ticket(self, number: int) -> str:
        with self.hold.lookups.snapshot() as directory:
            group = directory.find(NEWS)
        assert group is not None
        return seal(Ticket(Kind.HOLD, self.came, number, digest(group.uuid)), self.keys)

    def opened(self) -> Ledger:
        return bootstrap.ledger(self.configuration)

    def desk(self, ledger: Ledger) -> Desk:
        return desk(self.configuration, ledger, logger("critical", json=False))

    def lose_the_ledger(self) -> None:
        for path in self.configuration.site.state.parent.glob("state.db*"):
            path.unlink()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"control: {tmp_path}/control.sock\n"
        f'directory: {{url: "ldif:{HOUSE}", base: "dc=masociete,dc=example"}}\n'
        f"service: {{domain: groups.masociete.example, key_file: {tmp_path}/ticket.key, "
        f"release: {{port: {free_port()}, secret_file: {tmp_path}/release.secret}}}}\n"
        f"mirror: {tmp_path}/mirror.db\nstate: sqlite:///{tmp_path}/state.db\n"
        f"hold_mailbox: maildir:{tmp_path}/hold\nmap: {{path: {tmp_path}/groups, type: texthash}}\n"
    )
    assert CliRunner().invoke(app, ["--config", str(file), "directory", "sync"]).exit_code == 0
    log = logger("critical", json=False)
    configuration = bootstrap.with_keys(load(file), log)
    mailbox = Maildir(configuration.site.hold_mailbox)
    mailbox.prepare()
    lookups = bootstrap.snapshots(configuration)
    ledger = bootstrap.ledger(configuration)
    hold = Holding(tmp_path, lookups, mailbox, ledger, service="groups.masociete.example")
    ledger.close()
    yield Site(configuration, hold, bootstrap.ticket_keys(configuration.keys), int(time.time()) - 60)
    lookups.reader.close()


def test_a_lost_ledger_heals_by_itself(site: Site) -> None:
    held = site.hold.delivered(site.ticket(1), Folder.HELD)
    shunted = site.hold.delivered("no-ticket", Folder.SHUNTED)
    new = site.hold.delivered(site.ticket(2))
    site.lose_the_ledger()
    ledger = site.opened()
    site.desk(ledger).turn()
    items = {item.arrival.file: item for item in ledger.search.each(frozenset(State))}
    assert {name: item.state for name, item in items.items()} == {
        held: State.HELD,
        shunted: State.SHUNTED,
        new: State.HELD,
    }
    assert {letter.item_id for letter in ledger.letters.due(2**40)} == {items[held].id, items[new].id}
    ledger.close()


def test_the_rest_of_it_is_recorded_by_command_and_asked_about_by_the_running_desk(site: Site) -> None:
    ledger = site.opened()
    running = site.desk(ledger)
    running.turn()
    name = site.hold.delivered(site.ticket(1), Folder.HELD)
    made = bootstrap.rebuilding(site.configuration, ledger, logger("critical", json=False))
    assert made.take(name, Folder.HELD).value == "recorded"
    running.turn()
    (item,) = ledger.search.each({State.HELD})
    assert [letter.item_id for letter in ledger.letters.due(2**40)] == [item.id]
    ledger.close()


def test_what_was_decided_before_a_crash_gets_its_folder_at_the_start(site: Site) -> None:
    ledger = site.opened()
    first = site.desk(ledger)
    names = [site.hold.delivered(site.ticket(number)) for number in range(3)]
    first.turn()
    items = {item.arrival.file: item for item in ledger.search.each({State.HELD})}
    ledger.change(items[names[0]].id, Event.REJECT, DESK, site.came)
    ledger.change(items[names[1]].id, Event.EXPIRE, DESK, site.came)
    site.desk(ledger).turn()
    assert [site.hold.place(name) for name in names] == ["Rejected", "Expired", "Held"]
    ledger.close()


def test_it_begins_again_until_the_directory_is_there(site: Site) -> None:
    name = site.hold.delivered(site.ticket(1), Folder.HELD)
    mirror = site.configuration.site.mirror
    ledger = site.opened()
    started = site.desk(ledger)
    away = mirror.rename(mirror.with_name("away.db"))
    started.turn()
    assert list(ledger.search.each({State.HELD})) == []
    away.rename(mirror)
    started.turn()
    assert [item.arrival.file for item in ledger.search.each({State.HELD})] == [name]
    ledger.close()
