"""``held list``: what waits, for which group, from whom, how well proven, since when, and for how long."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.held_shape import STYLES, agreement, dealing, many, proof, proven, shape
from groupmilter.cli.options import Call, ConfigOption, GroupOption, JsonOption, chosen
from groupmilter.cli.terminal import plain, table
from groupmilter.cli.times import brief, iso
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.transitions import OPEN

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_WIDE = 160
_NAME, _STATE, _PROOF, _TIME, _WAITS, _EXPIRY = 10, 8, 20, 20, 12, 10
StateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        "-s",
        metavar="STATE",
        help="Only these: held, approved, released, rejected, expired, shunted, reported, or all. "
        "What still is somebody's business (held, approved, shunted) unless given.",
    ),
]
LimitOption = Annotated[
    int,
    typer.Option(
        "--limit", "-n", metavar="NUMBER", min=1, help="At most so many, the longest waiting first."
    ),
]


def list_(
    ctx: typer.Context,
    group: GroupOption = "",
    state: StateOption = None,
    limit: LimitOption = 100,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List held messages, the longest waiting first."""
    from groupmilter.cli.ledger import group_address, opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    states = chosen(State, state, "--state") or OPEN
    with opened(configuration) as ledger:
        address = group_address(configuration, ledger, group)
        items = ledger.items(states, group=address, limit=limit)
        counts = ledger.search.counts(group=address)
    total = sum(counts.get(one, 0) for one in states)
    shown = {"total": total, "states": _counted(counts), "messages": [shape(item) for item in items]}
    call.terminal.show(shown, lambda console: _draw(console, items, total, address))


def _counted(counts: Mapping[State, int]) -> dict[str, int]:
    return {state.value: counts.get(state, 0) for state in State}


def _draw(console: Console, items: Sequence[Item], total: int, group: str) -> None:
    if not items:
        console.print(f"Nothing waits for {group}." if group else "Nothing waits.", markup=False)
        return
    now, width = time.time(), console.width
    console.print(_wide(items, now, width) if width >= _WIDE else _narrow(items, now, width))
    held = sum(item.state is State.HELD for item in items)
    said = many(total) if total == len(items) else f"{len(items):,} of {many(total)} (--limit)"
    waiting = f"{held:,} {'waits' if held == 1 else 'wait'}" if held else "none waits"
    console.print(f"{said}; {waiting} for a decision.")


def _narrow(items: Sequence[Item], now: float, width: int) -> RenderableType:
    """Return a table of few columns with several lines for a message, for a screen."""
    names = [item.terms.group_address.rpartition("@") for item in items]
    longest = max(len(part) for local, _, domain in names for part in (local, f"@{domain}"))
    rest = width - _between(4) - _NAME - _WAITS
    group = min(longest, rest // 3)
    rows = fixed({"Name": _NAME, "Group": group, "Message": rest - group, "Waits": _WAITS})
    for item, (local, at, domain) in zip(items, names, strict=True):
        message = (_sender(item), plain(item.arrival.subject or "(no subject)"), *_standing(item, now))
        rows.add_row(
            item.name,
            _lines(plain(local or "?"), _dim(f"{at}{domain}")),
            _lines(*message),
            _lines(plain(brief(now - item.recorded)), _dim(_left(item, now))),
        )
    return rows


def _wide(items: Sequence[Item], now: float, width: int) -> RenderableType:
    """Return a table with one line for a message: for a pipe, or a screen as wide."""
    group = max(len(item.terms.group_address) for item in items)
    author = min(max(len(item.arrival.author) for item in items), 60)
    rest = width - _between(8) - _NAME - _STATE - group - author - _PROOF - _TIME - _EXPIRY
    rows = fixed(
        {
            "Name": _NAME, "State": _STATE, "Group": group, "From": author, "Proof": _PROOF, "Since": _TIME,
            "Expires": _EXPIRY, "Subject": max(20, rest),
        }
    )  # fmt: skip
    for item in items:
        arrival, group_address = item.arrival, plain(item.terms.group_address or "?")
        state = _styled(item.state.value, STYLES[item.state.value])
        since = str(iso(item.recorded))
        rows.add_row(
            item.name, state, group_address, plain(arrival.author or "<>"), proof(item), since,
            _expiry(item, now), plain(_looked_at(item, now) + arrival.subject),
        )  # fmt: skip
    return rows


def _between(columns: int) -> int:
    """Return what a table of so many columns needs beside them."""
    return 3 * (columns - 1) + 2


def fixed(widths: Mapping[str, int]) -> Table:
    """Return an empty table whose columns have these widths, and cut what is longer."""
    rows = table(*widths)
    for column, width in zip(rows.columns, widths.values(), strict=True):
        column.width, column.no_wrap, column.overflow = width, True, "ellipsis"
    return rows


def _sender(item: Item) -> Text:
    from rich.text import Text

    author = str(plain(item.arrival.author or "<>"))
    if not proven(item):
        # In front, where no narrow screen cuts it off.
        return Text.assemble((f"{proof(item)}: ", "yellow"), author)
    return Text.assemble(author, ", ", proof(item))


def _standing(item: Item, now: float) -> tuple[Text, ...]:
    """Return what has to be said of one that doesn't wait for a decision, or has been looked at."""
    said = [(f"{item.state.value}: {item.note}" if item.note else item.state.value, STYLES[item.state.value])]
    if item.state is State.HELD:
        said = [(agreement(item), "cyan")]
    return tuple(_styled(text, style) for text, style in (*said, (dealing(item, now), "cyan")) if text)


def _looked_at(item: Item, now: float) -> str:
    """Return how many have approved, and who is dealing with it, for in front of a subject."""
    said = [agreement(item) if item.state is State.HELD else "", dealing(item, now)]
    return f"({'; '.join(filter(None, said))}) " if any(said) else ""


def _expiry(item: Item, now: float) -> str:
    if item.state is not State.HELD:
        return ""
    expires = item.terms.expires
    return "never" if not expires else f"in {brief(expires - now)}" if expires > now else "overdue"


def _left(item: Item, now: float) -> str:
    """Return how long an item still waits, for a line below since when it does."""
    left = _expiry(item, now)
    return f"{left.removeprefix('in ')} left" if left.startswith("in ") else left


def _dim(text: str) -> Text:
    return _styled(text, "dim")


def _styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(str(plain(text)), style)


def _lines(*lines: RenderableType) -> RenderableType:
    from rich.console import Group

    return Group(*lines)
