"""``bounces``: members whose mail fails, as the ledger has counted it, and who gets none for now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.bounces_shape import Known, draw_known, draw_list, known_shape, row_shape
from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption
from groupmilter.cli.terminal import plain

if TYPE_CHECKING:
    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.bounce_book import Standing
    from groupmilter.moderation.ledger import Ledger

app = typer.Typer(help="Members whose mail fails, and suspending delivery to them.", no_args_is_help=True)

_HISTORY = ("suspend", "try-again", "resume")
_ROWS = 100_000
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

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    bounces = configuration.settings.bounces
    with opened(configuration) as ledger:
        address = group_address(configuration, ledger, group)
        since = int(time.time()) - bounces.window
        rows = [] if suspended else [
            Known(one.address, one, None) for one in ledger.bounces.standings(since, group=address, limit=limit)
        ]  # fmt: skip
        rows = _with_suspensions(ledger, rows, address)
    shown = {
        "window": bounces.window, "suspend_after": bounces.suspend_after, "suspend": bounces.suspend,
        "addresses": [row_shape(row) for row in rows[:limit]],
    }  # fmt: skip
    call.terminal.show(shown, lambda console: draw_list(console, rows[:limit], bounces, address))


def _with_suspensions(ledger: Ledger, rows: list[Known], group: str) -> list[Known]:
    """Return the rows with their suspensions, and those of which nothing was counted lately, at the end."""
    suspensions = {one.address: one for one in ledger.bounces.suspensions()}
    known = [Known(row.address, row.standing, suspensions.pop(row.address, None)) for row in rows]
    rest = (one for one in suspensions.values() if not group or one.group_address == group)
    return [*known, *(Known(one.address, _standing(ledger, one.address), one) for one in rest)]


def _standing(ledger: Ledger, address: str) -> Standing | None:
    return next(iter(ledger.bounces.standings(0, address=address)), None)


@app.command()
def show(
    ctx: typer.Context, address: AddressArgument, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Show what failed at an address, and whether it gets group mail."""
    from groupmilter.cli.ledger import opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    with opened(configuration) as ledger:
        name, outside = _member(configuration, address)
        row = Known(name, _standing(ledger, name), ledger.bounces.suspension(name))
        failures = ledger.bounces.failures(name)
        history = [
            one for action in _HISTORY for one in ledger.audit(action=action, limit=_ROWS)
            if one.detail.partition(": ")[0] == name
        ]  # fmt: skip
    if not failures and row.suspension is None and not history:
        raise CommandFailed(Exit.FINDING, f"{name}: nothing failed there, and nothing is suspended")
    history.sort(key=lambda one: one.id)
    shown = known_shape(row, failures, history, outside=outside)
    call.terminal.show(shown, lambda console: draw_known(console, row, failures, history, outside=outside))


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
    """Return an address as the directory delivers to it, and whether it is nobody's of the organisation.

    Where the directory can't tell, the address alone decides.
    """
    from groupmilter.bootstrap import looking
    from groupmilter.groups.directory import DirectoryUnknown
    from groupmilter.groups.person import Person
    from groupmilter.mail.address import canonical
    from groupmilter.moderation.bouncing import outside

    own = configuration.settings.own_domains
    address = canonical(written, own)
    if address is None:
        raise CommandFailed(Exit.FINDING, f"{written} is no mail address")
    try:
        with looking(configuration) as directory:
            found = directory.find(address)
    except DirectoryUnknown:
        found = None
    person = found if isinstance(found, Person) else None
    name = person.address if person is not None and person.address else address
    return name, outside(name, person, own)
