"""The desk as it is wired, after its ledger was lost: what is held is recorded anew, asked about, and stays held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.hosts import Host, host

from groupmilter import bootstrap
from groupmilter.log import logger
from groupmilter.moderation.item import DESK, Event, State
from groupmilter.moderation.mailbox import Folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def test_a_lost_ledger_heals_by_itself(site: Host) -> None:
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


def test_the_rest_of_it_is_recorded_by_command_and_asked_about_by_the_running_desk(site: Host) -> None:
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


def test_what_was_decided_before_a_crash_gets_its_folder_at_the_start(site: Host) -> None:
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


def test_it_begins_again_until_the_directory_is_there(site: Host) -> None:
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
