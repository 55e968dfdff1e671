"""The supervisor dies while its desk is busy, and another one is started: never are two desks at work at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from tests.faults.conftest import CALM
from tests.support.installation import Installation, installation
from tests.support.load import Shots
from tests.support.moderators import Moderators
from tests.support.office import OFFICE
from tests.support.processes import of_session
from tests.support.service import DEADLINE, Service, ServiceFailed

from groupmilter.moderation.item import State


@pytest.fixture(name="site")
def _site() -> Iterator[Installation]:
    with Service(f"ldif:{OFFICE}", options=CALM, staged=True) as service, installation(service) as site:
        yield site


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("point", ["release: before MAIL", "release: in DATA"])
def test_the_desk_of_a_dead_supervisor_keeps_the_next_one_waiting(site: Installation, point: str) -> None:
    service, shots = site.service, Shots(site)
    shot = shots.send()
    service.wait(lambda: bool(shots.items(shot)), "recorded")
    go_on = service.folder / "go-on"
    service.stage(point=point, effect=str(go_on))
    Moderators(site).by_command(shots.items(shot)[0].id, "approve")
    service.wait(lambda: service.fired, "the desk waits in the release")
    old = service.pid
    os.kill(old, signal.SIGKILL)
    until(lambda: not service.running)
    with pytest.raises(ServiceFailed, match="somebody listens there already"):
        service.start()
    assert of_session(old), "the old desk was still at work"
    go_on.touch()
    until(lambda: not of_session(old))
    service.stage()
    service.start()
    service.wait(lambda: shots.items(shot)[0].state is State.RELEASED, "released")
    site.settle()
    tally = shots.nothing_was_lost()
    assert (tally.released, tally.twice) == (1, 0)
