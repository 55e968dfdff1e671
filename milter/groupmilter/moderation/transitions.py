"""All state of a held item lives here: what leads from where to where. Pure.

What isn't in the table doesn't happen: the first decision stands, and whoever comes later is told so.
"""

from __future__ import annotations

from collections.abc import Mapping

from groupmilter.moderation.item import Event, State

TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.HELD, Event.APPROVE): State.APPROVED,
    (State.HELD, Event.REJECT): State.REJECTED,
    (State.HELD, Event.EXPIRE): State.EXPIRED,
    (State.HELD, Event.SHUNT): State.SHUNTED,
    (State.APPROVED, Event.RELEASE): State.RELEASED,
    (State.APPROVED, Event.REPORT): State.REPORTED,
    (State.APPROVED, Event.SHUNT): State.SHUNTED,
    (State.SHUNTED, Event.APPROVE): State.APPROVED,
    (State.SHUNTED, Event.REJECT): State.REJECTED,
    (State.SHUNTED, Event.REOPEN): State.HELD,
}
"""A split copy or a refusal to be reported is recorded as ``approved``: nobody has to decide about it. What was shunted
because no key opened its ticket is held again once one does (`rebuilding`)."""

DECISIONS = frozenset({Event.APPROVE, Event.REJECT, Event.EXPIRE})
"""Events that decide; who and why is kept with the item."""

OPEN = frozenset({State.HELD, State.APPROVED, State.SHUNTED})
"""States in which an item still is somebody's business; only these are never purged."""

FINISHED = frozenset(State) - OPEN
"""States that nothing leads out of."""

WAITING = frozenset({State.HELD, State.SHUNTED})
"""States that count against the quotas."""


def after(state: State, event: Event) -> State | None:
    """Return where an event leads, None where it can't happen."""
    return TRANSITIONS.get((state, event))
