"""An installation whose held mail can be looked into and decided about, with a directory that can be changed.

    with moderated(LDIF) as site:
        mark = identity()
        site.installation.send(...)
        item = site.held(mark)
        site.approve(item)
        site.members(mark, [BOB, PIERRE])

Waits for conditions with a generous deadline; fails with `TimeoutError`, which tells where mail is waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.installation import Installation, installation, recipients
from tests.support.office import OFFICE
from tests.support.postfix import PostfixError
from tests.support.service import Service
from tests.support.sink import SunkMessage
from tests.support.slapd import Slapd

from groupmilter.moderation.item import Event, Item, State, Way, Who
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.moderation.transitions import OPEN

CALM = Path(__file__).with_name("calm.yaml")
DEADLINE = 150.0
_SHOWN = 12_000
"""Characters of a log: a dozen messages' worth."""
MODERATOR = Who("jean.dupont@masociete.example", Way.COMMAND)


@dataclass
class Moderated:
    """What runs together."""

    installation: Installation
    slapd: Slapd
    ledger: Ledger

    def items(self, mark: str) -> tuple[Item, ...]:
        """The items of the mail whose Message-ID bears a mark."""
        return self.ledger.find(message_id=f"<{mark}@test.example>")

    def held(self, mark: str, group: str = "") -> Item:
        """The item of a mail (for a group) as soon as it is held."""

        def found() -> list[Item]:
            return [
                item for item in self.items(mark)
                if item.state is State.HELD and group in {"", item.terms.group_address}
            ]  # fmt: skip

        self.until(lambda: bool(found()), f"{mark} held for {group or 'a group'}: {self.items(mark)}")
        return found()[0]

    def decide(self, item: Item, event: Event = Event.APPROVE) -> None:
        """Decide as a command does."""
        assert self.ledger.change(item.id, event, MODERATOR, int(time.time())).happened

    def ended(self, item: Item, state: State = State.RELEASED) -> Item:
        """The item, as soon as it has come to an end."""

        def now() -> Item:
            found = self.ledger.item(item.id)
            assert found is not None
            return found

        self.until(lambda: now().state is state, f"{item.name} {state.value}, not {now()}")
        return now()

    def released(self, mark: str, group: str = "") -> Item:
        """Approve the one item of a mail (for a group) once it is held, and wait for its release."""
        item = self.held(mark, group)
        self.decide(item)
        return self.ended(item)

    def copies(self, mark: str, wanted: Sequence[str], seconds: float = DEADLINE) -> list[SunkMessage]:
        """The copies of a mail, as soon as exactly these have got one each, and the queue is empty."""

        def reached() -> list[str]:
            return recipients(self.delivered(mark))

        try:
            self.until(lambda: len(reached()) >= len(wanted), f"copies of {mark} for {wanted}", seconds)
        except TimeoutError as vain:
            vain.add_note(f"{mark} has reached {reached()}")
            raise
        self.installation.settle()
        assert recipients(self.delivered(mark)) == sorted(wanted)
        return self.delivered(mark)

    def delivered(self, mark: str) -> list[SunkMessage]:
        """The copies of a mail so far; letters about it quote it."""
        return [copy for copy in self.installation.delivered(mark) if not copy.told]

    def until(self, question: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join((f"not in {seconds} s: {what}", *self._standing())))
            time.sleep(0.02)

    def _standing(self) -> Iterator[str]:
        """Where mail may be: what the ledger has open, the hold mailbox, the queue; the ends of both logs."""
        service, postfix = self.installation.service, self.installation.postfix
        yield "open in the ledger:"
        yield from _as_far_as(lambda: (f"{item.name}: {item}" for item in self.ledger.items(OPEN)))
        yield "in the hold mailbox, new or held:"
        yield from map(str, sorted((*service.hold.glob("new/*"), *service.hold.glob(".*/new/*"))))
        yield from map(str, sorted(service.hold.glob(".Held/cur/*")))
        yield "in Postfix's queue:"
        yield from _as_far_as(postfix.queue)
        yield from ("the logs end with:", service.log()[-_SHOWN:], postfix.log()[-_SHOWN:])


def _as_far_as(known: Callable[[], Iterable[object]]) -> list[str]:
    """What can be told of a part that may be what is broken."""
    try:
        return [str(one) for one in known()]
    except (LedgerUnavailable, PostfixError) as failure:
        return [str(failure)]


@contextmanager
def moderated(
    *more: str, options: Mapping[str, Any] | None = None, main: Mapping[str, str] | None = None
) -> Iterator[Moderated]:
    """Run the office, with more entries in LDIF and without a storm guard."""
    with (
        Slapd(content=[OFFICE, *more]) as slapd,
        Service(slapd.uri, options={"policies": [str(CALM)], **(options or {})}) as service,
        installation(service, main=main) as installed,
    ):
        ledger = Ledger.open(f"sqlite:///{service.folder}/state.db", timeout=30.0)
        try:
            yield Moderated(installed, slapd, ledger)
        finally:
            ledger.close()
