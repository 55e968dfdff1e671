"""Which ticket keys are still needed: by open items, by letters that moderators have, by mail under way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from groupmilter.config.keys import KeyRing
from groupmilter.groups.ticket import key_id
from groupmilter.moderation.item import Item

UNDER_WAY = 10 * 24 * 3600
"""Seconds for which mail with a ticket or bounce address may be under way: five days in a queue, its report five."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one key is needed for.

    :param items: open items whose tickets it sealed.
    :param reasons: why dropping it may lose something, as sentences; none: nothing needs it any more.
    """

    items: int
    reasons: tuple[str, ...]


def uses(ring: KeyRing, items: Iterable[Item], now: int) -> Mapping[int, Use]:
    """Return what each key is needed for, by its id.

    :param items: those that are open. ``now``: seconds since 1970, UTC.
    """
    waiting = list(items)
    bearing = Counter(key_id(item.arrival.ticket) for item in waiting)
    found = {}
    for place, key in enumerate(ring.keys):
        reasons = _reasons(ring, place, bearing[key.id], waiting, now)
        found[key.id] = Use(bearing[key.id], tuple(reasons))
    return found


def _reasons(ring: KeyRing, place: int, bearing: int, waiting: Sequence[Item], now: int) -> list[str]:
    if place == 0:
        return ["it seals"]
    reasons = []
    if bearing:
        reasons.append(f"{bearing} open message{'s bear' if bearing > 1 else ' bears'} its ticket")
    # It sealed until the key before it in the file began to.
    ended = ring.keys[place - 1].since
    if not ended:
        return [
            *reasons,
            "nobody knows until when it sealed: the file doesn't say since when the next one does",
        ]
    if now - ended < UNDER_WAY:
        reasons.append("it sealed within the last ten days: mail with its tickets may be under way")
    asked = sum(0 < item.noticed <= ended for item in waiting)
    if asked:
        reasons.append(
            f"moderators of {asked} open message{'s' if asked > 1 else ''} have letters that it sealed"
        )
    return reasons
