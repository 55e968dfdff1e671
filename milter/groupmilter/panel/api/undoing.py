"""Changes of the audit taken back: value by value, and nothing that somebody did later is overwritten.

The directory is asked for the right at each write. See `app` for what the exceptions of the services become.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.membership.taking_back import ACTIONS, TakingBack
from groupmilter.membership.taking_back import Undo as Undone
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Writing
from groupmilter.panel.api.desk_shapes import Undoing, Undos
from groupmilter.panel.api.groups import DryRun
from groupmilter.panel.api.problem import Code, Refusal
from groupmilter.panel.api.wishing import told
from groupmilter.panel.audience import Audience
from groupmilter.panel.undone import deed, taken_back

router = APIRouter(tags=["audit"])


@router.post(
    "/audit/undo",
    operation_id="undoChanges",
    response_model=Undos,
    responses=problems(Code.NOT_FOUND, body=True),
)
def undo(call: Writing, wanted: Undoing, dry_run: DryRun = False) -> dict[str, object]:
    """Take changes back. Of each is told what went back, or why it didn't."""
    deeds = tuple(map(deed, _rows(call, wanted.rows)))
    with call.groups() as service:
        taking = TakingBack(service)
        if dry_run:
            found = taking.looked(deeds)
        else:
            found = taken_back(taking, deeds, call.parts.ledger, call.who, int(call.parts.now()))
    return {"dry_run": dry_run, "items": [_shape(each, call) for each in found]}


def _rows(call: Call, ids: Sequence[int]) -> list[AuditRow]:
    """Return the rows of changes; 404 where one is none, or is none of the caller's business."""
    rows = [row for row in call.parts.ledger.journal.those(set(ids)) if row.action in ACTIONS]

    def gathered(directory: Snapshot) -> bool:
        return len(Audience.of(call.parts, call.person, directory).may_see(rows)) == len(rows)

    if len(rows) != len(set(ids)) or not call.look(gathered):
        raise Refusal(Code.NOT_FOUND)
    return rows


def _shape(undone: Undone, call: Call) -> dict[str, object]:
    return {
        "row": undone.deed.id,
        "group": undone.deed.group,
        "standing": undone.standing.value,
        "why": call.t(undone.why.sentence, **undone.why.values) if undone.why is not None else "",
        "pieces": [
            {
                "field": piece.field,
                "comes": list(piece.comes),
                "goes": list(piece.goes),
                "kept": list(piece.kept),
                "was": list(piece.was) if isinstance(piece.was, tuple) else piece.was,
                "still": piece.still.value,
            }
            for piece in undone.pieces
        ],
        "problems": told(undone.problems, call),
    }
