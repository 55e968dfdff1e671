"""The desk looks after the side store: groups that are gone are noted, and forgotten when they are long gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.deskwork import Deskwork, deskwork

from groupmilter.directory.side_store import SideChange
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.moderation.side_book import KEPT_DAYS

DAY = 24 * 3600
THERE, GONE = "group-sales", "group-long-gone"
FORGOTTEN = "side store: groups that are long gone are forgotten"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Deskwork]:
    with deskwork(tmp_path) as made:
        for uuid in (THERE, GONE):
            assert made.hold.ledger.side.change(uuid, f"cn={uuid}", [SideChange("moderated", (), ("TRUE",))])
        yield made


def test_a_group_that_is_long_gone_is_forgotten(work: Deskwork) -> None:
    side = work.hold.ledger.side
    work.desk.turn()
    assert side.gone() == (f"cn={GONE}",)
    work.hold.now += (KEPT_DAYS + 1) * DAY
    work.desk.turn()
    assert side.entries().keys() == {THERE}
    assert work.lines().count(FORGOTTEN) == 1


def test_nobody_is_gone_as_long_as_the_directory_can_not_tell(work: Deskwork) -> None:
    work.directory.unknown = DirectoryUnknown("no mirror yet")
    work.desk.turn()
    assert work.hold.ledger.side.gone() == ()
    assert not any(entry.get("step") == "look after the side store" for entry in work.capture.entries)
    work.directory.unknown = None
    work.desk.turn()
    assert work.hold.ledger.side.gone() == (f"cn={GONE}",)
