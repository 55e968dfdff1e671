"""``audit``: who did what, when, to which message, and how; the newest rows, or as they are written.

What has no message is shown with its number, by which ``audit undo`` takes it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.audit_undo import undo
from groupmilter.cli.held_shape import doer, event_shape
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption
from groupmilter.cli.terminal import json_text, plain
from groupmilter.cli.times import local, moment_option

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.moderation.ledger import Ledger
    from groupmilter.moderation.rows import AuditRow

_EVERY = 0.5
_ACTION = 14
_STYLES = {
    "approve": "cyan",
    "release": "green",
    "reject": "red",
    "expire": "magenta",
    "shunt": "bold red",
    "record": "yellow",
    "rebuild": "yellow",
}
SinceOption = Annotated[
    str,
    typer.Option(
        "--since", metavar="TIME", help="Only from then on: a date, such as 2026-11-26T09:00, or 90m, 2h, 3d."
    ),
]
ItemOption = Annotated[str, typer.Option("--item", "-i", metavar="NAME", help="Only about this message.")]
AboutOption = Annotated[
    str, typer.Option("--group", "-g", metavar="ADDRESS", help="Only about this group and messages to it.")
]
ActionOption = Annotated[
    str,
    typer.Option("--action", "-a", metavar="WORD", help="Only this, such as approve, reject, group-edit."),
]
LimitOption = Annotated[
    int, typer.Option("--limit", "-n", metavar="NUMBER", min=1, help="The newest so many.")
]
FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", metavar=FLAG, help="Go on with rows as they are written.")
]


app = typer.Typer(subcommand_metavar="[undo ...]")
app.command("undo")(undo)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which rows.

    :param group: address of the group, also one that it had; ``group_uuid``: of what has the address now.
    """

    item: str
    group: str
    group_uuid: str
    action: str


@app.callback(invoke_without_command=True)
def audit(
    ctx: typer.Context,
    since: SinceOption = "",
    item: ItemOption = "",
    group: AboutOption = "",
    action: ActionOption = "",
    limit: LimitOption = 200,
    follow: FollowOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show who did what: changes of groups, decisions, releases, letters, and tokens that decided nothing.

    With [bold]--json[/], one JSON object a line.
    """
    if ctx.invoked_subcommand is not None:
        Call.of(ctx, config, json=json)
        if any((since, item, group, action, follow)):
            raise typer.BadParameter(f"options go behind {ctx.invoked_subcommand}", ctx)
        return
    from groupmilter.cli.ledger import group_asked, item_named, opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    from_then = moment_option(since, time.time(), "--since")
    with opened(configuration) as ledger:
        name = item_named(ledger, item).name if item else ""
        wanted = _Wanted(name, *group_asked(configuration, ledger, group), action)
        last = ledger.newest()
        rows = ledger.search.newest_audit(since=from_then, limit=limit, **asdict(wanted))
        _print(call, rows, limit, more=follow)
        if follow:
            with suppress(KeyboardInterrupt):
                for more in _written(ledger, max([last, *(row.id for row in rows)]), wanted):
                    _print(call, more, limit, more=True)


def _written(ledger: Ledger, after: int, wanted: _Wanted) -> Iterator[Sequence[AuditRow]]:
    """Yield rows as they are written, until somebody interrupts."""
    while True:
        rows = ledger.audit(after=after, **asdict(wanted))
        if rows:
            after = rows[-1].id
            yield rows
        time.sleep(_EVERY)


def _print(call: Call, rows: Sequence[AuditRow], limit: int, *, more: bool = False) -> None:
    if call.terminal.json:
        for row in rows:
            sys.stdout.write(json_text(event_shape(row)) + "\n")
        sys.stdout.flush()
        return
    from groupmilter.cli.terminal import console

    screen = console()
    for row in rows:
        _draw(screen, row)
    if more:
        return
    if not rows:
        screen.print("Nothing of the kind was recorded.")
    elif len(rows) == limit:
        screen.print(f"The newest {limit:,}; there may be more (--limit, --since).", style="dim")


def _draw(screen: Console, row: AuditRow) -> None:
    """Print a row as one line; what has no room on a screen stands below, set in."""
    from rich.padding import Padding
    from rich.text import Text

    when = local(row.at, exact=True)
    what = (f"{row.action:<{_ACTION}}", _STYLES.get(row.action, ""))
    first = Text.assemble(
        (when, "dim"), "  ", what, "  ", f"{row.item or f'#{row.id}':<10}", "  ", str(plain(doer(row)))
    )
    rest = Text.assemble(
        str(plain(row.group)), ("  " if row.group and row.detail else ""), str(plain(row.detail))
    )
    if not screen.is_terminal or first.cell_len + 2 + rest.cell_len <= screen.width:
        screen.print(Text.assemble(first, "  ", rest) if rest.plain else first, soft_wrap=True)
        return
    screen.print(first, soft_wrap=True)
    screen.print(Padding(rest, (0, 0, 0, len(when) + 2)))
