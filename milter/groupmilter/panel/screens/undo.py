"""Undoing changes from the journal: first a page that shows what would go back and what has changed since, then it.

What is confirmed is what was shown: where anything has changed in between, it is shown again. The directory is asked
for the visitor's right at each write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from starlette.responses import Response

from groupmilter.membership.taking_back import ACTIONS, Standing, TakingBack, Undo
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.changes import Reader
from groupmilter.panel.form import is_number
from groupmilter.panel.routes import post
from groupmilter.panel.saving import problem_words
from groupmilter.panel.screens.audit import back_to, rows_of, wanted_of
from groupmilter.panel.undone import deed, taken_back
from groupmilter.panel.visit import Visit

_MOST = 200


def undo(visit: Visit) -> Response:
    """Show what undoing the chosen rows would do, or do it."""
    rows, left_out = _rows(visit)
    if not rows:
        return visit.to(*((back_to(visit), "only-namesakes") if left_out else ("/audit", "no-change-chosen")))
    deeds = tuple(map(deed, rows))
    with visit.parts.changing(visit.me.person, visit.me.who) as groups:
        taking = TakingBack(groups)
        found = taking.looked(deeds)
        mark = _mark(found)
        if "confirmed" not in visit.form or visit.form["seen"] != mark:
            changed = "confirmed" in visit.form
            content = {"done": False, "seen": mark, "changed": changed, "left_out": left_out}
            return _page(visit, rows, found, content)
        done = taken_back(taking, deeds, visit.parts.ledger, visit.me.who, int(visit.parts.now()))
    return _page(visit, rows, done, {"done": True, "seen": "", "changed": False, "left_out": False})


def _rows(visit: Visit) -> tuple[list[AuditRow], bool]:
    """Return the changes that were chosen, and whether those of another group that had the address were left out.

    All of an address are all of the group that has it now, as for ``audit undo --group``.
    """
    if "all" not in visit.form:
        ids = [int(text) for text in visit.form.all("row")[:_MOST] if is_number(text)]
        return [row for row in rows_of(visit, ids) if row.action in ACTIONS], False
    wanted, journal = wanted_of(visit), visit.parts.ledger.journal
    known = replace(wanted, namesakes=not wanted.uuid)
    chosen = [row for row in journal.each(known, _MOST) if row.action in ACTIONS]
    others = any(wanted.namesake(row) and row.action in ACTIONS for row in journal.each(wanted, _MOST))
    return chosen, others


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
