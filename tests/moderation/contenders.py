"""What several processes do at once to one ledger: started by `spawn`, so each has connections of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier
from typing import TypeVar

from tests.moderation.ledgers import NOW, PATIENCE

from groupmilter.moderation.item import Event, Way, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.quorum import Approval

Given = TypeVar("Given")
Result = TypeVar("Result")
_together: Barrier


def at_once(work: Callable[[Given], Result], given: Sequence[Given]) -> list[Result]:
    """Have each of the given things done by a process of its own, all beginning together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(given))
    with context.Pool(len(given), _begin, (barrier,)) as pool:
        return pool.map(work, given, chunksize=1)


def _begin(barrier: Barrier) -> None:
    global _together
    _together = barrier


def opening(url: str) -> str:
    """Open a ledger, and tell what went wrong."""
    _together.wait(PATIENCE)
    try:
        Ledger.open(url, timeout=PATIENCE).close()
    except Exception as surprise:  # noqa: BLE001 - the test is to see it
        return repr(surprise)
    return ""


def deciding(given: tuple[str, str, Sequence[int]]) -> list[bool]:
    """Decide about items, as somebody; tell which decisions stood."""
    url, name, items = given
    ledger = Ledger.open(url, timeout=PATIENCE)
    _together.wait(PATIENCE)
    event = Event.APPROVE if name < "m" else Event.REJECT
    decided = [
        ledger.change(item, event, Who(name, Way.MAIL), NOW, comment=f"by {name}").happened for item in items
    ]
    ledger.close()
    return decided


def agreeing(given: tuple[str, str, Sequence[int]]) -> list[bool]:
    """Approve of items that need several approvals, as somebody; tell which of them were new."""
    url, name, items = given
    ledger = Ledger.open(url, timeout=PATIENCE)
    _together.wait(PATIENCE)
    added = [ledger.approvals.add(item, Approval(name, name, "mail", NOW))[1] for item in items]
    ledger.close()
    return added
