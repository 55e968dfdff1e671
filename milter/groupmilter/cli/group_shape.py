"""Changes of a group as commands show them: for programs; for people line by line, ``+`` for new and ``-`` for gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from groupmilter.cli.terminal import plain

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.directory.change import Difference
    from groupmilter.membership.draft import Unmapped
    from groupmilter.membership.service import Prepared, Result

_SHOWN = 10
"""Values of one list, at most, that are shown one by one to people; programs get all."""


def changed(prepared: Prepared, result: Result, *, dry_run: bool) -> dict[str, object]:
    """Return a change for programs."""
    lost = result.meanwhile
    return {
        "group": prepared.group.address,
        "dn": prepared.group.entry.dn,
        "new": prepared.new,
        "dry_run": dry_run,
        "differences": [difference(each) for each in result.differences],
        "remarks": [str(each) for each in prepared.remarks],
        "meanwhile": None if lost is None else {"field": lost.field, "seen": lost.seen, "found": lost.found},
    }


def difference(each: Difference) -> dict[str, object]:
    """Return one field's difference for programs."""
    return {"field": each.field, "before": each.before, "after": each.after}


def draw(
    console: Console, prepared: Prepared, result: Result, remarks: Sequence[object], *, dry_run: bool
) -> None:
    """Print a change for people."""
    from groupmilter.membership.vocabulary import written

    group, lost = prepared.group.address, result.meanwhile
    done = bool(result.differences) and not dry_run
    head = _head(prepared, result, dry_run=dry_run)
    console.print(plain(f"{group}: {head}"), style="bold green" if done else "bold", soft_wrap=True)
    draw_differences(console, result.differences)
    for remark in remarks:
        console.print(plain(f"  Note: {remark}."), style="yellow", soft_wrap=True)
    if lost is not None:
        seen, found = (written(value) or "(not set)" for value in (lost.seen, lost.found))
        words = f"  {lost.field} was {seen} and has become {found} meanwhile: not overwritten. Look, and do it again."
        console.print(plain(words), style="bold yellow", soft_wrap=True)


def _head(prepared: Prepared, result: Result, *, dry_run: bool) -> str:
    if prepared.new:
        dn = prepared.group.entry.dn
        return f"would be made as {dn}" if dry_run else f"made as {dn}"
    if not result.differences:
        return "nothing to change" if result.meanwhile is None else "not changed"
    return "would change" if dry_run else "changed"


def draw_differences(console: Console, differences: Iterable[Difference]) -> None:
    """Print differences, one field after the other, long lists cut."""
    from groupmilter.membership.vocabulary import written

    for each in differences:
        label = each.field.replace("_", " ")
        if isinstance(each.before, tuple) or isinstance(each.after, tuple):
            console.print(plain(f"  {label}"), soft_wrap=True)
            _draw_values(console, "-", "red", each.before)
            _draw_values(console, "+", "green", each.after)
            continue
        before, after = (written(value) or "(not set)" for value in (each.before, each.after))
        console.print(plain(f"  {label}: {before} \N{RIGHTWARDS ARROW} {after}"), soft_wrap=True)


def _draw_values(console: Console, sign: str, style: str, values: object) -> None:
    every = values if isinstance(values, tuple) else ()
    for value in every[:_SHOWN]:
        console.print(plain(f"    {sign} {value}"), style=style, soft_wrap=True)
    if len(every) > _SHOWN:
        console.print(f"    {sign} and {len(every) - _SHOWN:,} more", style=style)


def unmapped(each: Unmapped) -> dict[str, object]:
    """Return what is not carried over, for programs."""
    return {"group": each.group, "what": each.what, "why": each.why}


def draw_unmapped(console: Console, lost: Sequence[Unmapped]) -> None:
    """Print what of a file is not carried over."""
    from groupmilter.cli.terminal import table

    if not lost:
        return
    rows = table("Group", "Not carried over", "Why")
    for each in lost:
        rows.add_row(plain(each.group or "(all)"), plain(each.what), plain(each.why))
    console.print(rows)
