"""Undoing changes from the journal: first a page that shows what would go back and what has changed since, then it.

What is confirmed is what was shown: where anything has changed in between, it is shown again. The directory is asked
for the visitor's right at each write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

from starlette.responses import Response

from groupmilter.membership.taking_back import ACTIONS, Standing, TakingBack, Undo
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.changes import Reader
from groupmilter.panel.form import is_number
from groupmilter.panel.routes import post
from groupmilter.panel.saving import problem_words
from groupmilter.panel.screens.audit import rows_of, wanted_of
from groupmilter.panel.undone import deed, taken_back
from groupmilter.panel.visit import Visit

_MOST = 200


def undo(visit: Visit) -> Response:
    """Show what undoing the chosen rows would do, or do it."""
    rows = _rows(visit)
    if not rows:
        return visit.to("/audit", "no-change-chosen")
    deeds = tuple(map(deed, rows))
    with visit.parts.changing(visit.me.person, visit.me.who) as groups:
        taking = TakingBack(groups)
        found = taking.looked(deeds)
        mark = _mark(found)
        if "confirmed" not in visit.form or visit.form["seen"] != mark:
            changed = "confirmed" in visit.form
            return _page(visit, rows, found, {"done": False, "seen": mark, "changed": changed})
        done = taken_back(taking, deeds, visit.parts.ledger, visit.me.who, int(visit.parts.now()))
    return _page(visit, rows, done, {"done": True, "seen": "", "changed": False})


def _rows(visit: Visit) -> list[AuditRow]:
    if "all" in visit.form:
        found = visit.parts.ledger.journal.each(wanted_of(visit), _MOST)
        return [row for row in found if row.action in ACTIONS]
    ids = [int(text) for text in visit.form.all("row")[:_MOST] if is_number(text)]
    return [row for row in rows_of(visit, ids) if row.action in ACTIONS]


def _mark(found: Sequence[Undo]) -> str:
    """Return what tells whether the same would be done as was shown."""
    said = [(undo.deed.id, undo.standing, undo.pieces, list(map(str, undo.problems))) for undo in found]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _page(
    visit: Visit, rows: Sequence[AuditRow], found: Sequence[Undo], content: dict[str, object]
) -> Response:
    by_id = {row.id: row for row in rows}
    with visit.parts.lookups.snapshot() as directory:
        reader = Reader(visit.t, directory)
        shown = [(by_id[undo.deed.id], undo, reader) for undo in found]
        ready = sum(undo.standing is Standing.READY for undo in found)
        words_of = partial(problem_words, visit)
        whole = {**content, "undos": shown, "ready": ready, "words_of": words_of}
        return visit.page("screens/undo.html", whole, 409 if content["changed"] else 200)


ROUTES = (post("/audit/undo", undo),)
