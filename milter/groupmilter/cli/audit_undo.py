"""``audit undo``: changes of groups taken back by command, through the service that the panel uses.

Changes are named by their numbers or chosen by filters, which is asked about first. Value by value goes back; what
somebody did later stays, and the exit code says so. ``--dry-run`` shows the differences and makes none.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.asking import ask
from groupmilter.cli.completing import change_numbers
from groupmilter.cli.deciding import YesOption
from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.group_change import DryRunOption, serving
from groupmilter.cli.options import Call, ConfigOption, JsonOption
from groupmilter.cli.times import moment_option

if TYPE_CHECKING:
    from groupmilter.membership.taking_back import Undo
    from groupmilter.moderation.journal import Filter
    from groupmilter.moderation.ledger import Ledger
    from groupmilter.moderation.rows import AuditRow

_MOST = 5_000
RowsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NUMBER",
        help="Changes of groups, by their numbers in the audit.",
        autocompletion=change_numbers,
    ),
]


@dataclass(frozen=True, slots=True)
class _Given:
    """The filters as they were written."""

    group: str
    by: str
    action: str
    since: str
    until: str

    @property
    def any(self) -> bool:
        return any((self.group, self.by, self.action, self.since, self.until))


def undo(
    ctx: typer.Context,
    rows: RowsArgument = [],  # noqa: B006 - Typer reads it
    group: Annotated[
        str, typer.Option("--group", "-g", metavar="ADDRESS", help="All changes of this group.")
    ] = "",
    by: Annotated[
        str, typer.Option("--by", "-b", metavar="NAME", help="All changes by whose name has this in it.")
    ] = "",
    action: Annotated[
        str,
        typer.Option("--action", "-a", metavar="WORD", help="Only group-edit, group-create or group-delete."),
    ] = "",
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="Only from then on: a date, or a length such as 2h."),
    ] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Only what was before then.")] = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take changes of groups back, the newest first; what others have changed since stays as it is.

    Either numbers name the changes, or filters choose them. Try [bold]--dry-run[/] first.
    """
    from groupmilter.cli.ledger import opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    given = _Given(group, by, action, since, until)
    if bool(rows) == given.any:
        raise CommandFailed(Exit.USAGE, "either numbers name the changes, or filters choose them")
    with opened(configuration) as ledger:
        found = _named(ledger, rows) if rows else _chosen(call, ledger, given)
        if given.any and found and not (dry_run or yes):
            _ask(len(found))
        undone = _taken_back(call, ledger, found, dry_run=dry_run)
    _tell(call, found, undone, dry_run=dry_run)


def _named(ledger: Ledger, written: Sequence[str]) -> Sequence[AuditRow]:
    """Return the rows with some numbers; all are looked up before anything is undone."""
    from groupmilter.membership.taking_back import ACTIONS

    numbers = {_number(text) for text in written}
    found = {row.id: row for row in ledger.journal.those(numbers) if row.action in ACTIONS}
    if missing := sorted(numbers - found.keys()):
        named = ", ".join(f"#{number}" for number in missing)
        raise CommandFailed(Exit.FINDING, f"{named}: no change of a group has this number in the audit")
    return tuple(found.values())


def _number(text: str) -> int:
    digits = text.removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise CommandFailed(
            Exit.USAGE, f"{text}: wants the number of a change, as groupmilter audit shows it"
        )
    return int(digits)


def _chosen(call: Call, ledger: Ledger, given: _Given) -> Sequence[AuditRow]:
    from groupmilter.membership.taking_back import ACTIONS

    if given.action and given.action not in ACTIONS:
        raise typer.BadParameter(f"wants {', '.join(sorted(ACTIONS))}", param_hint="--action")
    rows = ledger.journal.each(_filter(call, ledger, given), sys.maxsize)
    found: list[AuditRow] = []
    for row in rows:
        if row.action in ACTIONS and (row.before or row.after):
            found.append(row)
        if len(found) > _MOST:
            raise CommandFailed(Exit.USAGE, f"these are more than {_MOST:,} changes; choose fewer at once")
    return found


def _filter(call: Call, ledger: Ledger, given: _Given) -> Filter:
    from groupmilter.cli.ledger import group_address
    from groupmilter.moderation.journal import Filter

    now = time.time()
    address = group_address(call.configuration(), ledger, given.group)
    uuid = _uuid(call, address) if address else ""
    return Filter(
        uuid=uuid,
        address=address,
        namesakes=not uuid,
        actor=given.by,
        action=given.action,
        since=moment_option(given.since, now, "--since"),
        until=moment_option(given.until, now, "--until"),
    )


def _uuid(call: Call, address: str) -> str:
    """Return the UUID of the group that has an address in the directory now, empty where none has it."""
    with serving(call, dry_run=True) as groups:
        found = groups.find(address)
    return found.entry.uuid if found is not None else ""


def _ask(count: int) -> None:
    said = "this is 1 change" if count == 1 else f"these are {count:,} changes"
    ask(
        f"{said[:1].upper()}{said[1:]}. Undo {'it' if count == 1 else 'all of them'}?",
        instead=f"{said}; --yes undoes without asking, --dry-run shows what would go back",
        nothing="nothing was undone",
    )


def _taken_back(call: Call, ledger: Ledger, rows: Sequence[AuditRow], *, dry_run: bool) -> Sequence[Undo]:
    """Take changes back, one by one; what was done is noted, also where the directory then goes away."""
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.progress import bar
    from groupmilter.membership.taking_back import TakingBack
    from groupmilter.panel.undone import deed, taken_back

    deeds = tuple(map(deed, rows))
    with serving(call, dry_run=dry_run) as groups:
        taking = TakingBack(groups)
        if dry_run:
            return taking.looked(deeds)
        with bar("Undoing", len(deeds)) as tick:
            return taken_back(taking, deeds, ledger, administrator(), int(time.time()), tick)


def _tell(call: Call, rows: Sequence[AuditRow], undone: Sequence[Undo], *, dry_run: bool) -> None:
    from groupmilter.cli.audit_shape import code_of, draw_undone, undone_shape

    by_number = {row.id: row for row in rows}
    shape = {"dry_run": dry_run, "changes": [undone_shape(each) for each in undone]}
    call.terminal.show(shape, lambda console: draw_undone(console, by_number, undone, dry_run=dry_run))
    raise typer.Exit(code_of(undone))
