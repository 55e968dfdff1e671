"""What the journal says of a change to a group: who writes it, and how before and after stand in it.

Nothing here fails.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from groupmilter.directory.change import Difference, FieldContent
from groupmilter.membership.stored import Stored
from groupmilter.membership.vocabulary import written


class Note(Protocol):
    """The journal: adds a row about a group, on behalf of whoever acts."""

    def __call__(self, action: str, group: Stored, *, before: str, after: str, detail: str) -> None:
        """Add the row: by the group's address, and by its entry's UUID, which stays when the address goes."""


def journal_texts(differences: Sequence[Difference]) -> tuple[str, str]:
    """Return what was before and what is after, as JSON objects of canonical fields.

    Of a list, what left it and what came into it: so a change can be undone without touching anybody else's. A field
    that one step touched twice has all of it.
    """
    before: dict[str, FieldContent] = {}
    after: dict[str, FieldContent] = {}
    for each in differences:
        name = each.field
        before[name] = _joined(before[name], each.before, before[name]) if name in before else each.before
        after[name] = _joined(after[name], each.after, each.after) if name in after else each.after
    return json.dumps(before, ensure_ascii=False), json.dumps(after, ensure_ascii=False)


def _joined(earlier: FieldContent, later: FieldContent, single: FieldContent) -> FieldContent:
    """Return the values of both, or which one it is of a field that has a single value."""
    return (*earlier, *later) if isinstance(earlier, tuple) and isinstance(later, tuple) else single


def summary(differences: Sequence[Difference]) -> str:
    """Return in a few words what has changed, for a journal that people read."""
    words = []
    for each in differences:
        label = each.field.replace("_", " ")
        if isinstance(each.before, tuple) and isinstance(each.after, tuple):
            signs = [f"{sign}{len(side)}" for sign, side in (("+", each.after), ("-", each.before)) if side]
            words.append(f"{label} {' '.join(signs)}")
        elif not isinstance(each.before, tuple) and not isinstance(each.after, tuple):
            before, after = (written(value) or "(not set)" for value in (each.before, each.after))
            words.append(f"{label}: {before} \N{RIGHTWARDS ARROW} {after}")
    return ", ".join(words)
