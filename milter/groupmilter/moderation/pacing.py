"""How many letters somebody gets: so many an hour, and one summary for the rest. Pure.

An hour is any hour, not one by the clock. What comes too much is gathered for some minutes first, so that the summary
is worth reading, and then told at once; single letters go on as their hour allows, the longest waiting first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HOUR = 3600
GATHER = 600


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of mail that was sent; seconds since 1970, UTC."""

    at: int
    summary: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be sent now.

    :param singles: letters of their own. ``summary``: whether the rest may be told together.
    :param again: when something more may be sent; seconds since 1970, UTC.
    """

    singles: int
    summary: bool
    again: int


def allowance(pieces: Sequence[Piece], planned: Sequence[int], per_hour: int, now: int) -> Allowance:
    """Return what may be sent to somebody.

    :param pieces: what was sent to him in the hour before ``now``.
    :param planned: when the letters that wait were planned, in the order in which they go out.
    """
    singles = [piece.at for piece in pieces if not piece.summary]
    summaries = [piece.at for piece in pieces if piece.summary]
    free = min(len(planned), max(0, per_hour - len(singles)))
    ripe = max(min(planned[free:], default=now) + GATHER, *(at + HOUR for at in summaries), 0)
    summary = len(planned) > free and ripe <= now
    next_single = min([*singles, *([now] if free else [])], default=now) + HOUR
    next_summary = now + HOUR if summary else ripe
    return Allowance(free, summary, max(now + 1, min(next_single, next_summary)))
