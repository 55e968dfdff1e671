"""``bounces``: members whose mail fails, as the ledger has counted it, and who gets none for now."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.bounces_shape import draw_known, draw_list, known_shape, row_shape
from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption
from groupmilter.cli.terminal import plain

if TYPE_CHECKING:
    from groupmilter.config.reload import Configuration

app = typer.Typer(help="Members whose mail fails, and suspending delivery to them.", no_args_is_help=True)

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="A member's address.")]
GroupOption = Annotated[
    str, typer.Option("--group", "-g", metavar="ADDRESS", help="Only members of this group.")
]
SuspendedOption = Annotated[
    bool, typer.Option("--suspended", metavar=FLAG, help="Only addresses that get no group mail now.")
]
LimitOption = Annotated[
    int,
    typer.Option("--limit", "-n", metavar="NUMBER", min=1, help="At most so many, most failures first."),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; kept in the ledger with it.")
]


@app.command("list")
def list_(
    ctx: typer.Context,
    group: GroupOption = "",
    suspended: SuspendedOption = False,
    limit: LimitOption = 100,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List members whose mail failed within the policy's window, and all suspended addresses."""
    from groupmilter.cli.ledger import group_address, opened
    from groupmilter.moderation.bounced import listed

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    bounces = configuration.settings.bounces
    with opened(configuration) as ledger:
        address = group_address(configuration, ledger, group)
        since = int(time.time()) - bounces.window
        rows = listed(ledger.bounces, since, group=address, suspended=suspended, limit=limit)
    shown = {
        "window": bounces.window, "suspend_after": bounces.suspend_after, "suspend": bounces.suspend,
        "addresses": [row_shape(row) for row in rows[:limit]],
    }  # fmt: skip
    call.terminal.show(shown, lambda console: draw_list(console, rows[:limit], bounces, address))


@app.command()
def show(
    ctx: typer.Context, address: AddressArgument, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Show what failed at an address, and whether it gets group mail."""
    from groupmilter.cli.ledger import opened
    from groupmilter.moderation.bounced import history, known

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    with opened(configuration) as ledger:
        name, outside = _member(configuration, address)
        row, failures = known(ledger.bounces, name), ledger.bounces.failures(name)
        happened = history(ledger, name)
    if not failures and row.suspension is None and not happened:
        raise CommandFailed(Exit.FINDING, f"{name}: nothing failed there, and nothing is suspended")
    shown = known_shape(row, failures, happened, outside=outside)
    call.terminal.show(shown, lambda console: draw_known(console, row, failures, happened, outside=outside))


@app.command()
def suspend(
    ctx: typer.Context,
    address: AddressArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Suspend delivery of group mail to an address outside the organisation, until it is resumed."""
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.ledger import opened
    from groupmilter.moderation.bounce_book import Suspension

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    name, outside = _member(configuration, address)
    if not outside:
        raise CommandFailed(Exit.FINDING, f"{name} belongs to somebody of the organisation: never suspended")
    who, now = administrator(), int(time.time())
    with opened(configuration) as ledger:
        made = Suspension(name, now, 0, 0, who.name, "", reason)
        if not ledger.bounces.suspend(made, who):
            raise CommandFailed(Exit.FINDING, f"{name} is suspended already")
    said = f"{name} gets no group mail any more, until it is resumed."
    call.terminal.show({"address": name, "state": "suspended"}, lambda console: console.print(plain(said)))


@app.command()
def resume(
    ctx: typer.Context, address: AddressArgument, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Resume delivery to an address; what failed before doesn't count any more."""
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.ledger import opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    name, _ = _member(configuration, address)
    with opened(configuration) as ledger:
        if ledger.bounces.resume(name, administrator(), int(time.time())) is None:
            raise CommandFailed(Exit.FINDING, f"{name} is not suspended")
    said = f"{name} gets group mail again."
    call.terminal.show({"address": name, "state": "resumed"}, lambda console: console.print(plain(said)))


def _member(configuration: Configuration, written: str) -> tuple[str, bool]:
    """Return an address as the directory delivers to it, and whether it is nobody's of the organisation."""
    from groupmilter.bootstrap import looking
    from groupmilter.moderation.bounced import member

    found = member(partial(looking, configuration), written, configuration.settings.own_domains)
    if found is None:
        raise CommandFailed(Exit.FINDING, f"{written} is no mail address")
    return found
