"""Single faults in a house on paper, each as somebody once ran into it; `test_house` looks for the unknown ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.failpoints import Armed, installed
from tests.support.letters import OWN
from tests.support.paper_house import Died, House

from groupmilter.groups.person import Person
from groupmilter.moderation.item import Event, Item, Way, Who
from groupmilter.moderation.mailbox import Folder

ALICE = f"alice@{OWN}"
ROOT = Who("root", Way.COMMAND)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    office = house.office
    people = [office.person(name, login=name) for name in ("jean", "bob", "alice", "anna")]
    office.group("sales", people[1], moderated=True, moderators=frozenset({people[0].node}))
    yield house
    house.close()


def person(house: House, name: str) -> Person:
    found = house.office.paper.find(f"{name}@{OWN}")
    assert isinstance(found, Person)
    return found


def held(house: House, sender: str = "client@outside.example", login: str = "") -> Item:
    """A message that waits for somebody."""
    mark, code = house.write(sender, "sales", login=login)
    assert code == 250
    house.mta.deliver()
    settle(house)
    (item,) = house.ledger.find(message_id=f"<{mark}@outside.example>")
    return item


def settle(house: House) -> None:
    """Let the desk do all that is due, and the MTA deliver it."""
    while house.turn():
        house.mta.deliver()
    house.mta.deliver()


def killed(house: House, point: str) -> None:
    """Let the desk work until it dies at a point, and start another."""
    armed = Armed(point, _die, house.folder / "marker")
    with installed(lambda: armed), suppress(Died):
        settle(house)
    assert armed.marker.exists(), point
    house.restart()


def _die() -> None:
    raise Died


def test_a_proven_sender_learns_of_a_rejection_though_the_desk_died_filing_it(house: House) -> None:
    item = held(house, ALICE, "alice")
    house.ledger.change(item.id, Event.REJECT, ROOT, int(house.now))
    killed(house, "settle: filed a rejected one")
    settle(house)
    told = [copy for copy in house.mta.copies if copy.to == ALICE and b".rejected." in copy.content]
    assert len(told) == 1


def test_what_the_directory_could_not_tell_at_the_start_is_told_later(house: House) -> None:
    item = held(house, ALICE, "alice")
    house.ledger.change(item.id, Event.REJECT, ROOT, int(house.now))
    killed(house, "settle: before filing a rejected one")
    house.unknown = True
    settle(house)
    house.unknown, house.now = False, house.now + 60
    settle(house)
    assert [line["event"] for line in house.capture.entries].count("desk goes on") <= 1
    assert len([copy for copy in house.mta.copies if copy.to == ALICE and b".rejected." in copy.content]) == 1
    assert item.arrival.file in set(house.mailbox.names(Folder.REJECTED))


def test_who_was_rejected_while_the_directory_could_not_tell_learns_of_it_after_a_restart(
    house: House,
) -> None:
    item = held(house, ALICE, "alice")
    house.unknown = True
    house.ledger.change(item.id, Event.REJECT, ROOT, int(house.now))
    settle(house)
    house.restart()
    house.unknown, house.now = False, house.now + 60
    settle(house)
    assert len([copy for copy in house.mta.copies if copy.to == ALICE and b".rejected." in copy.content]) == 1
    assert item.arrival.file in set(house.mailbox.names(Folder.REJECTED))
