"""Held mail while processes are killed: at each named point of the way from the milter to the members.

Whatever dies where, each message that was answered 250 is held, delivered, or refused with a record; one that was
approved reaches every member, and reaches him twice only where the process died between the MTA's answer and the
ledger's commit, which the audit trail has then told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from tests.faults.conftest import CALM
from tests.support.failpoints import MAY_DELIVER_TWICE, POINTS
from tests.support.installation import Installation, installation
from tests.support.load import Shot, Shots, Tally
from tests.support.moderators import BROKEN, Moderators
from tests.support.office import OFFICE
from tests.support.service import Service

from groupmilter.moderation.item import Item, State
from groupmilter.moderation.mailbox import Maildir

FOLDERS = {State.RELEASED: "Approved", State.REJECTED: "Rejected"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text("moderation: {letters_per_hour: 1000}\n", "utf-8")
    options = {"policies": [*CALM["policies"], str(policy)]}
    with (
        Service(f"ldif:{OFFICE}", options=options, staged=True) as service,
        installation(service) as site,
    ):
        yield site


@dataclass
class Life:
    """Three messages on their whole way, however often somebody has to try again."""

    site: Installation
    shots: Shots

    def lived(self, point: str, effect: str = "kill") -> Tally:
        """Live with a point armed; return what became of all."""
        service, jean = self.site.service, Moderators(self.site)
        service.stage(point=point, effect=effect)
        by_mail, by_link, by_command = (self._held() for _ in range(3))
        self._decided(by_mail, lambda: jean.by_mail(self._letter(jean, by_mail), "approve"))
        self._decided(by_link, lambda: jean.by_link(self._letter(jean, by_link), "reject"))
        self._decided(by_command, lambda: jean.by_command(self._item(by_command).id, "approve"))
        for shot in (by_mail, by_link, by_command):
            service.wait(partial(self._filed, shot), f"{shot} filed")
        service.wait(lambda: service.fired, f"{point} passed")
        service.wait(service.settled, "all processes again")
        self.site.settle()
        return self.shots.nothing_was_lost()

    def _held(self) -> Shot:
        while not (shot := self.shots.send()).accepted:
            answers = [*shot.answers, *([shot.end] if shot.end is not None else [])]
            assert shot.broke or 400 <= answers[-1].code < 500, shot
        self.site.service.wait(lambda: bool(self.shots.items(shot)), f"{shot} recorded")
        return shot

    def _letter(self, jean: Moderators, shot: Shot) -> EmailMessage:
        found: list[EmailMessage] = []

        def came() -> bool:
            found.extend(filter(None, [jean.letter(shot.mark)]))
            return bool(found)

        self.site.service.wait(came, f"a letter about {shot}")
        return found[0]

    def _decided(self, shot: Shot, decide: Callable[[], object]) -> None:
        def decided() -> bool:
            if self._item(shot).state is not State.HELD:
                return True
            with suppress(*BROKEN):
                decide()
            return self._item(shot).state is not State.HELD

        self.site.service.wait(decided, f"a decision about {shot}")

    def _item(self, shot: Shot) -> Item:
        (item,) = self.shots.items(shot)
        return item

    def _filed(self, shot: Shot) -> bool:
        item = self._item(shot)
        folder = FOLDERS.get(item.state)
        return (
            folder is not None
            and Path(self.site.service.hold, f".{folder}", "cur", f"{item.arrival.file}:2,S").exists()
        )


@pytest.fixture
def life(whole: Installation) -> Life:
    """A life in an installation whose supervisor has forgotten who died young before."""
    whole.service.reload()
    return Life(whole, Shots(whole))


@pytest.mark.parametrize("point", POINTS)
def test_killed_there_nothing_is_lost_and_nothing_slips(life: Life, point: str) -> None:
    tally = life.lived(point)
    assert tally.released == 2
    assert tally.twice <= int(point in MAY_DELIVER_TWICE)


@pytest.mark.parametrize("effect", ["ENOSPC", "EIO"])
@pytest.mark.parametrize(
    "point",
    [
        "record: before reading", "record: recorded", "record: before filing", "notify: before submitting",
        "decide: the answer removed", "release: ticket noted", "release: before MAIL", "release: before spending",
        "settle: before filing a released one",
    ],
)  # fmt: skip
def test_failing_there_nothing_is_lost_and_nothing_slips(life: Life, point: str, effect: str) -> None:
    tally = life.lived(point, effect)
    assert (tally.released, tally.twice) == (2, 0)


def test_the_oracle_sees_what_is_lost_and_what_is_too_much(life: Life) -> None:
    life.lived("record: filed")
    shot = life.shots.shots[-1]
    item = life.shots.items(shot)[0]
    box = Maildir(life.site.service.hold)
    octets = box.read(item.arrival.file)
    box.remove(item.arrival.file)
    with pytest.raises(AssertionError, match="0 files of 1"):
        life.shots.nothing_was_lost()
    for name in ("1.once", "2.twice"):
        (life.site.service.hold / ".Approved" / "new" / name).write_bytes(octets)
    with pytest.raises(AssertionError, match="2 files of 1"):
        life.shots.nothing_was_lost()
    box.remove("2.twice")
    life.shots.nothing_was_lost()
    copies = [
        sunk for sunk in life.site.sink.messages if not sunk.told and shot.mark.encode() in sunk.content
    ]
    life.site.sink.clear()
    with pytest.raises(AssertionError, match="has no copy"):
        life.shots.nothing_was_lost()
    again = replace(copies[0], content=copies[0].content.replace(b" id ", b" id A", 1))
    for copy in (*copies, again):
        life.site.sink.keep(copy)
    with pytest.raises(AssertionError, match="2 copies for"):
        life.shots.nothing_was_lost()
