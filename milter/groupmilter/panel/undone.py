"""What page, API and command share of undoing: the change that a row of the journal is, and the row that tells of it.

Raises what `TakingBack` does; the journal then tells of what was undone before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from groupmilter.membership.taking_back import Deed, Standing, TakingBack, Undo
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.rows import AuditRow

_WORD = "group-undo"


def deed(row: AuditRow) -> Deed:
    """Return the change that a row of the journal tells of."""
    return Deed(row.id, row.action, row.group, row.before, row.after, row.detail, row.group_uuid)


def taken_back(
    taking: TakingBack,
    deeds: Sequence[Deed],
    ledger: Ledger,
    who: Who,
    now: int,
    tick: Callable[[int], object] = lambda _: None,
) -> tuple[Undo, ...]:
    """Take changes back, one by one, the newest first; return what came of each.

    :param tick: is told of each that is done with.
    """
    done: list[Undo] = []
    try:
        for each in sorted(deeds, key=lambda one: -one.id):
            done += taking.done((each,))
            tick(1)
    finally:
        _noted(ledger, who, now, done)
    return tuple(done)


def _noted(ledger: Ledger, who: Who, now: int, done: Sequence[Undo]) -> None:
    """Have the journal say which rows were undone, group by group."""
    ready = [undo.deed for undo in done if undo.standing is Standing.READY]
    for group, uuid in dict.fromkeys((deed.group, deed.group_uuid) for deed in ready):
        ids = [deed.id for deed in ready if (deed.group, deed.group_uuid) == (group, uuid)]
        detail = ", ".join(f"#{number}" for number in ids)
        ledger.note(_WORD, who, now, group=group, group_uuid=uuid, detail=detail)
