"""Changes that were taken back, as ``audit undo`` shows them: for programs, for people, and as an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from groupmilter.cli.exits import Exit
from groupmilter.cli.group_shape import draw_differences
from groupmilter.cli.held_shape import doer
from groupmilter.cli.terminal import plain
from groupmilter.cli.times import local
from groupmilter.directory.change import Difference
from groupmilter.membership.taking_back import CREATE, DELETE, Standing, Undo
from groupmilter.membership.undoing import Piece, Still
from groupmilter.membership.vocabulary import written

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.moderation.rows import AuditRow

_SAID = {
    Standing.NOTHING: "there is nothing left to undo: it is as it was before",
    Standing.GONE: "the group is no longer there",
    Standing.THERE: "a group has this address again",
    Standing.FOREIGN: "this group may not be changed",
    Standing.REFUSED: "the directory doesn't take the change",
    Standing.UNREADABLE: "the audit doesn't hold what was there before",
}
_MISSED = frozenset({Standing.GONE, Standing.THERE, Standing.UNREADABLE})
_REFUSED = frozenset({Standing.FOREIGN, Standing.REFUSED})
_SHOWN = 10


def undone_shape(undo: Undo) -> dict[str, object]:
    """Return one change for programs, in the words of the API."""
    return {
        "row": undo.deed.id,
        "group": undo.deed.group,
        "action": undo.deed.action,
        "standing": undo.standing.value,
        "why": str(undo.why or ""),
        "pieces": [_piece(each) for each in undo.pieces],
        "problems": [
            {"field": each.field, "written": each.written, "text": each.wanted} for each in undo.problems
        ],
    }


def _piece(piece: Piece) -> dict[str, object]:
    return {
        "field": piece.field,
        "comes": list(piece.comes),
        "goes": list(piece.goes),
        "kept": list(piece.kept),
        "was": piece.was,
        "now": piece.now,
        "still": piece.still.value,
    }


def code_of(undone: Sequence[Undo]) -> Exit:
    """Return the exit code: what the directory refuses weighs most, then what can't come back, then what stays."""
    standings = {each.standing for each in undone}
    if standings & _REFUSED:
        return Exit.DIRECTORY
    if not undone or standings & _MISSED or any(each.problems for each in undone):
        return Exit.FINDING
    stays = any(_stays(piece) for each in undone for piece in each.pieces)
    return Exit.CHANGED if stays else Exit.OK


def _stays(piece: Piece) -> bool:
    """Whether somebody has given a single value another one since; values of lists may be back already."""
    return not piece.listed and piece.still is Still.OTHERWISE


def draw_undone(
    console: Console, rows: Mapping[int, AuditRow], undone: Sequence[Undo], *, dry_run: bool
) -> None:
    """Print what went back, change by change."""
    for undo in undone:
        _draw(console, rows[undo.deed.id], undo, dry_run=dry_run)
    if not undone:
        console.print("There is no such change.")
        return
    ready = sum(each.standing is Standing.READY for each in undone)
    word = "Would be undone" if dry_run else "Undone"
    style = "bold green" if ready == len(undone) else "bold yellow"
    console.print(f"{word}: {ready:,} of {len(undone):,}.", style=style)


def _draw(console: Console, row: AuditRow, undo: Undo, *, dry_run: bool) -> None:
    head = f"#{row.id} {row.group}: {row.action} of {local(row.at)}, {doer(row)}"
    console.print(plain(head), style="bold", soft_wrap=True)
    if undo.standing is not Standing.READY:
        _draw_why(console, undo)
    elif undo.deed.action == CREATE:
        removed = "would be removed" if dry_run else "is removed"
        console.print(f"  The group {removed}, with everything that was changed in it since.", style="red")
    elif undo.deed.action == DELETE:
        console.print(f"  The group {'would be' if dry_run else 'is'} made again.", style="green")
    if undo.standing is Standing.READY:
        draw_differences(console, _differences(undo.pieces))
    for said in _left(undo):
        console.print(plain(f"  {said}"), style="yellow", soft_wrap=True)


def _draw_why(console: Console, undo: Undo) -> None:
    """Print why nothing went back, unless what stays says it."""
    if undo.standing is Standing.NOTHING and any(map(_stays, undo.pieces)):
        return
    why = str(undo.why or "")
    console.print(
        plain(f"  {_SAID[undo.standing]}{f': {why}' if why else ''}"), style="yellow", soft_wrap=True
    )


def _differences(pieces: Sequence[Piece]) -> Iterator[Difference]:
    for piece in pieces:
        if piece.comes or piece.goes:
            yield Difference(piece.field, piece.goes, piece.comes)
        elif not piece.listed and piece.still is Still.SO and piece.now != piece.was:
            yield Difference(piece.field, piece.now, piece.was)


def _left(undo: Undo) -> Iterator[str]:
    """Yield what doesn't go back."""
    for piece in undo.pieces:
        label = piece.field.replace("_", " ")
        if piece.kept:
            more = f" and {len(piece.kept) - _SHOWN:,} more" if len(piece.kept) > _SHOWN else ""
            yield f"{label}: changed since, stays: {', '.join(piece.kept[:_SHOWN])}{more}"
        elif _stays(piece):
            yield f"{label}: changed since, stays: {written(piece.now) or '(not set)'}"
    for problem in undo.problems:
        yield f"can't come back: {problem}"
