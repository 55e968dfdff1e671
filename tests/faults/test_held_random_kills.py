"""Five hundred held messages while processes are killed at random: the milter's workers, the desk, the panel, the
synchroniser, and Postfix's own. Moderators decide all the while, by mail, by link and by command.

GROUPMILTER_TEST_MESSAGES says another number.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import pytest
from tests.faults.conftest import CALM
from tests.support.installation import Installation, installation
from tests.support.load import HELD, Load
from tests.support.moderators import BROKEN, Moderators
from tests.support.office import OFFICE
from tests.support.service import Service

from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.supervision import ControlError

MESSAGES = int(os.environ.get("GROUPMILTER_TEST_MESSAGES", "500"))
SENDERS = 4
BY_LETTER = 40
"""So many are decided by mail or by link: the letters have to be looked for among all that arrives."""

FORGIVEN = 10
"""Kills after which the supervisor forgets."""

ROLES = ("milter", "milter", "desk", "desk", "panel", "directory")
MASTERS_CHILDREN = ("smtpd", "cleanup", "virtual", "qmgr", "smtp")
SECONDS = max(600.0, 1.2 * MESSAGES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text("moderation: {letters_per_hour: 1000}\n", "utf-8")
    options = {"policies": [*CALM["policies"], str(policy)]}
    with Service(f"ldif:{OFFICE}", options=options) as service, installation(service) as site:
        yield site


@dataclass
class Killer:
    """Kills somebody every now and then, until told to stop.

    By what gets through and not by the clock: on a machine too slow for its pace nothing would get through any more.
    For the same reason the supervisor is made to forget, every now and then, how many have died young.
    """

    site: Installation
    load: Load
    dice: random.Random
    stop: threading.Event = field(default_factory=threading.Event)
    killed: int = 0

    def run(self) -> None:
        wanted = 0
        while not self.stop.wait(self.dice.uniform(0.05, 0.4)):
            if self.load.accepted < wanted:
                continue
            with suppress(ProcessLookupError, ControlError, IndexError):
                os.kill(self._victim(), signal.SIGKILL)
                self.killed += 1
                wanted = self.load.accepted + self.dice.randrange(6)
                if self.killed % FORGIVEN == 0:
                    self.site.service.ask("reload")

    def _victim(self) -> int:
        if self.dice.random() < 0.2:
            return self._of_postfix(self.dice.choice(MASTERS_CHILDREN))
        return self.dice.choice(sorted(self.site.service.processes(self.dice.choice(ROLES))))

    def _of_postfix(self, name: str) -> int:
        pid = (self.site.postfix.config_directory.parent / "queue" / "pid" / "master.pid").read_text("ascii")
        found = subprocess.run(["pgrep", "-P", pid.strip(), "-x", name], capture_output=True, text=True)
        return int(self.dice.choice(found.stdout.split()))


@dataclass
class Decider:
    """Decides about whatever is held, each time in another way."""

    site: Installation
    dice: random.Random
    stop: threading.Event = field(default_factory=threading.Event)
    by_letter: int = 0

    def run(self) -> None:
        while not self.stop.wait(0.1):
            with suppress(LedgerUnavailable):
                for item in self.waiting():
                    self._decide(item)

    def waiting(self) -> tuple[Item, ...]:
        with self.site.service.ledger() as ledger:
            return ledger.items({State.HELD}, limit=50)

    def _decide(self, item: Item) -> None:
        jean, word = Moderators(self.site), self.dice.choice(("approve", "approve", "reject"))
        mark = item.arrival.message_id.strip("<>").partition("@")[0]
        letter = jean.letter(mark) if self.by_letter < BY_LETTER else None
        with suppress(*BROKEN):
            if letter is None:
                jean.by_command(item.id, word)
            else:
                self.by_letter += 1
                self.dice.choice((partial(jean.by_mail, letter), partial(jean.by_link, letter)))(word)


@contextmanager
def beside(somebody: Killer | Decider) -> Iterator[None]:
    """Have somebody work in a thread of his own, until the block ends in whichever way."""
    thread = threading.Thread(target=somebody.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        somebody.stop.set()
        thread.join(SECONDS)


@pytest.mark.timeout(3 * SECONDS)
def test_nothing_is_lost_whoever_dies_when(whole: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    load = Load(whole, plays=(HELD,) * SENDERS, most=MESSAGES)
    killer, decider = Killer(whole, load, random.Random(20_261)), Decider(whole, random.Random(20_262))
    with beside(decider):
        with beside(killer), load:
            load.wait_most(SECONDS)
        whole.service.reload()
        whole.settle()
        whole.service.wait(lambda: _all_decided(whole, load), "all decided and sent out", SECONDS)
    whole.settle()
    tally = load.nothing_was_lost()
    with whole.service.ledger() as ledger:
        noted = len(ledger.audit(action="release-again", limit=10_000))
    with capsys.disabled():
        end = f"lost {len(tally.lost)}, delivered twice {tally.twice}"
        sys.stdout.write(f"\n{tally.accepted} messages, {killer.killed} kills: {end}\n")
    assert tally.accepted >= MESSAGES
    assert killer.killed > 0
    assert decider.by_letter > 0
    assert tally.twice <= noted, "twice only where the audit trail says that it may be"


def _all_decided(site: Installation, load: Load) -> bool:
    time.sleep(0.2)
    with site.service.ledger() as ledger:
        if ledger.items({State.HELD, State.APPROVED, State.SHUNTED}, limit=1):
            return False
        return sum(ledger.waiting().groups.values()) == 0 and all(
            ledger.find(message_id=shot.message_id) for shot in load.shots if shot.accepted
        )
