"""Workers killed while mail goes through them, with `milter_default_action = tempfail`: nothing lost or unfiltered.

Between any two edits of a message: the client hears 451, nobody gets anything, the next try delivers once.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.support.installation import Installation, recipients
from tests.support.load import Load
from tests.support.office import ALICE, COMMERCIAL, CONTACT, CROWD, JEAN, PIERRE, crowd, identity, message
from tests.support.smtp_client import SmtpClient, SmtpReply


@pytest.mark.parametrize("dies_at", [0, 1, 2, 5, 8, 9])
def test_killed_between_two_edits_of_a_message(site: Installation, dies_at: int) -> None:
    mark = identity()
    site.service.stage(dies_at=dies_at)
    failed = site.send(ALICE, [CONTACT], message(mark, ALICE), login="alice")
    assert failed.end is not None
    assert failed.end.code == 451
    mended(site)
    assert site.send(ALICE, [CONTACT], message(mark, ALICE), login="alice").accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [JEAN, PIERRE]
    assert site.held() == []


def test_killed_in_the_middle_of_a_crowd(site: Installation) -> None:
    mark = identity()
    site.service.stage(dies_at=len(crowd()) // 2)
    failed = site.send(ALICE, [CROWD, JEAN], message(mark, ALICE), login="alice")
    assert failed.end is not None
    assert failed.end.code == 451
    mended(site)
    assert site.send(ALICE, [CROWD, JEAN], message(mark, ALICE), login="alice").accepted
    site.sink.wait_for_copies(len(crowd()) + 1)
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, *crowd()])


@pytest.mark.parametrize("after", ["mail", "rcpt", "data", "half"])
def test_killed_while_a_client_is_still_talking(site: Installation, after: str) -> None:
    mark = identity()
    steps: dict[str, Callable[[SmtpClient], SmtpReply | None]] = {
        "mail": lambda s: s.mail("x@outside.example"),
        "rcpt": lambda s: s.rcpt(COMMERCIAL),
        "data": lambda s: s.command("DATA"),
        "half": lambda s: s.send(message(mark)[:20]),
    }
    with site.session() as session:
        codes = []
        for name, step in steps.items():
            reply = step(session)
            codes.append(reply.code if reply is not None else 0)
            if name == after:
                kill_all(site)
            if codes[-1] >= 400:
                break
        else:
            session.send(message(mark)[20:] + b".\r\n")
            codes.append(session.reply().code)
    assert codes[-1] in (250, 451)
    site.settle()
    assert site.delivered(mark) == []
    assert len(site.held()) == int(codes[-1] == 250)
    mended(site)


def test_killed_at_random_moments_under_load(site: Installation) -> None:
    dice = random.Random(20261)
    with Load(site) as load:
        load.wait_accepted(10)
        for _ in range(8):
            time.sleep(dice.uniform(0, 0.4))
            victims = sorted(site.service.processes())
            if victims:
                with suppress(ProcessLookupError):
                    os.kill(dice.choice(victims), signal.SIGKILL)
        mended(site)
        load.wait_accepted(20)
    site.settle()
    load.nothing_was_lost()


def mended(site: Installation) -> None:
    """All workers are there again; a reload saves waiting for the supervisor's patience with what dies young."""
    site.service.stage()
    site.service.reload()


def kill_all(site: Installation) -> None:
    for pid in site.service.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
