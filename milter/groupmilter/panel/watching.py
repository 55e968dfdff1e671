"""What the pages look at that watch over mail and directory; put together by bootstrap, for any thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from groupmilter.directory.ages import Ages
from groupmilter.directory.inventory import Inventory
from groupmilter.moderation.item import Item
from groupmilter.mta.site import Site


@dataclass(frozen=True, slots=True)
class Watching:
    """Mirror and hold mailbox to look at, and what a question about mail is answered with.

    :param message: gives a held message as it was received, None where its file is gone; raises OSError.
    :param inventory: looks at the mirror; raises `DirectoryUnknown`. ``max_age``: seconds for which it is trusted.
    :param ages: what is recorded of its age. ``sources``: URLs of the directory.
    :param site: as the milter has it, with counters that count nothing.
    """

    message: Callable[[Item], bytes | None]
    inventory: Callable[[], Inventory]
    max_age: float
    ages: Ages
    sources: tuple[str, ...]
    site: Site
