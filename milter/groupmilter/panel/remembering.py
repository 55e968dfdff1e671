"""A sender remembered along with a decision: from now on always allowed, or blocked. Pages, links and API share it.

The decision stands in any case; what keeps its sender from being remembered is a sentence for people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from groupmilter.directory.change import WriteRefused
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.language.catalogue import marked
from groupmilter.moderation.item import Item, Who
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.panel.service import DecisionsLike


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether an item's sender can be remembered: for each wish None, or the sentence why not."""

    allow: str | None
    block: str | None


UNREACHABLE = marked("The directory can't be reached at the moment.")
NOT_WRITTEN = marked("The directory doesn't take the change.")


def offer(decisions: DecisionsLike, item: Item) -> Offer:
    """Return what a page may offer along with a decision; so nobody ticks what is refused afterwards."""
    return Offer(decisions.unremembered(item, allow=True), decisions.unremembered(item, allow=False))


def not_remembered(
    decisions: DecisionsLike,
    item: Item,
    who: Who,
    *,
    allow: bool,
    warn: Callable[[str], object] = lambda _: None,
) -> str | None:
    """Have an item's sender always let through, or blocked; return the sentence why not, None once it is so.

    :param warn: told in words what the directory said.
    """
    try:
        return decisions.remember(item, who, allow)
    except WriteRefused as error:
        warn(str(error))
        return NOT_WRITTEN
    except (DirectoryUnknown, LedgerUnavailable) as error:
        warn(str(error))
        return UNREACHABLE
