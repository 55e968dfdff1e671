"""``group export`` and ``group import``: groups as tables, from here, from Exchange and from Mailman 3.

An import shows the differences (``--dry-run``: and makes none). What can't be carried over is listed, and the exit code
tells that there was some. One group that the directory refuses keeps no other waiting.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.group_change import DryRunOption, UnderOption, serving
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.membership.draft import Drafts, Unmapped
    from groupmilter.membership.importing import Compared, Made
    from groupmilter.membership.service import Tick


class Kind(StrEnum):
    """What a file of groups is."""

    TABLE = "table"
    EXCHANGE = "exchange"
    MAILMAN = "mailman"


class Role(StrEnum):
    """What the addresses of a roster are, where it doesn't say so."""

    MEMBER = "member"
    OWNER = "owner"
    MODERATOR = "moderator"


def export(
    ctx: typer.Context,
    matching: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Only addresses like this, such as 'sales-*'.")
    ] = "*",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write groups as CSV to standard output, as the directory has them now; group import reads it again."""
    from groupmilter.cli.looking import opened
    from groupmilter.cli.progress import bar
    from groupmilter.directory.inventory import groups as inventory
    from groupmilter.membership.exporting import columns, rows
    from groupmilter.membership.table import table

    call = Call.of(ctx, config, json=json)
    with opened(call.configuration()) as view, view.site.snapshots.snapshot() as directory:
        known = filter(None, (directory.group(one.node) for one in inventory(view.mirror)))
        addresses = [group.address for group in known if fnmatchcase(group.address, matching.casefold())]
    with serving(call, dry_run=True) as groups, bar("Reading", len(addresses)) as tick:
        content = list(rows(groups, addresses, tick))
    if call.terminal.json:
        call.terminal.show({"groups": content}, lambda _: None)
        return
    for line in table(columns(content), content):
        sys.stdout.write(line)


def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file; - is standard input.")],
    kind: Annotated[
        Kind,
        typer.Option(
            "--format", "-F", help="A table of group export, an export of Exchange, or a roster of Mailman."
        ),
    ] = Kind.TABLE,
    group: Annotated[
        str, typer.Option("--group", "-g", metavar="ADDRESS", help="The group that a roster is for.")
    ] = "",
    role: Annotated[Role, typer.Option("--role", help="What a roster's addresses are.")] = Role.MEMBER,
    exact: Annotated[
        bool,
        typer.Option("--exact", metavar=FLAG, help="Also take away what the file's fields don't have."),
    ] = False,
    under: UnderOption = "",
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make and change groups as a file has them; what can't be carried over is listed, never dropped.

    Without [bold]--exact[/] nothing is taken away. Try [bold]--dry-run[/] first.
    """
    from groupmilter.membership.importing import Made, applied, compared

    call = Call.of(ctx, config, json=json)
    drafts = _read(file, kind, group, role)
    with serving(call, dry_run=dry_run) as groups:
        found = list(compared(groups, drafts.drafts, exact=exact, under=under))
        results = [Made(one) for one in found] if dry_run else list(applied(groups, found, _ticking))
    lost = [*drafts.unmapped, *(each for one in found for each in one.unmapped)]
    refused = any(made.refused for made in results)
    shape = _shape(results, lost, dry_run=dry_run)
    call.terminal.show(shape, lambda console: _draw(console, results, lost, dry_run=dry_run))
    raced = any(made.result is not None and made.result.meanwhile for made in results)
    code = Exit.DIRECTORY if refused else Exit.CHANGED if raced else Exit.FINDING if lost else Exit.OK
    raise typer.Exit(code)


def _read(file: Path, kind: Kind, group: str, role: Role) -> Drafts:
    from groupmilter.membership.draft import BadFile
    from groupmilter.membership.files import drafts
    from groupmilter.membership.table import decoded

    if (kind is Kind.MAILMAN) != bool(group):
        raise CommandFailed(
            Exit.USAGE, "--group names the group of a roster of Mailman, and goes with nothing else"
        )
    octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        return drafts(decoded(octets), kind.value, group, role.value)
    except BadFile as error:
        raise CommandFailed(Exit.CONFIGURATION, f"{file}: {error}") from error


def _ticking(one: Compared) -> AbstractContextManager[Tick]:
    from groupmilter.cli.progress import bar
    from groupmilter.membership.service import moved

    return bar(one.draft.address, moved(one.prepared) if one.prepared is not None else 0)


def _shape(results: Sequence[Made], lost: Sequence[Unmapped], *, dry_run: bool) -> dict[str, object]:
    from groupmilter.cli.group_shape import changed, unmapped
    from groupmilter.membership.service import Result

    shown = []
    for made in results:
        one = made.compared
        if one.prepared is not None:
            result = made.result or Result(one.differences if dry_run else ())
            refused = str(made.refused) if made.refused else ""
            shown.append(changed(one.prepared, result, dry_run=dry_run) | {"refused": refused})
    return {"dry_run": dry_run, "groups": shown, "unmapped": [unmapped(each) for each in lost]}


def _draw(console: Console, results: Sequence[Made], lost: Sequence[Unmapped], *, dry_run: bool) -> None:
    from groupmilter.cli.group_shape import draw, draw_unmapped
    from groupmilter.cli.terminal import plain
    from groupmilter.membership.service import Result, warned

    same = 0
    for made in results:
        one = made.compared
        if one.prepared is None:
            continue
        if made.refused:
            console.print(
                plain(f"{one.draft.address}: refused: {made.refused}"), style="bold red", soft_wrap=True
            )
        elif one.differences or one.prepared.new:
            result = made.result or Result(one.differences)
            draw(console, one.prepared, result, warned(one.prepared), dry_run=dry_run)
        else:
            same += 1
    if same:
        console.print(f"{same:,} group{' is' if same == 1 else 's are'} so already.", style="dim")
    draw_unmapped(console, lost)
