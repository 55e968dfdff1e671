"""What page and API share of undoing: the change that a row of the journal is, and the row that tells of it."""

from __future__ import annotations

from collections.abc import Sequence

from groupmilter.membership.taking_back import Deed, Standing, Undo
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.rows import AuditRow

_WORD = "group-undo"


def deed(row: AuditRow) -> Deed:
    """Return the change that a row of the journal tells of."""
    return Deed(row.id, row.action, row.group, row.before, row.after, row.detail)


def noted(ledger: Ledger, who: Who, now: int, done: Sequence[Undo]) -> None:
    """Have the journal say which rows were undone, group by group."""
    for group in dict.fromkeys(undo.deed.group for undo in done):
        ids = [undo.deed.id for undo in done if undo.deed.group == group and undo.standing is Standing.READY]
        if ids:
            ledger.note(_WORD, who, now, group=group, detail=", ".join(f"#{number}" for number in ids))
