"""``group create``, ``edit``, ``add``, ``remove``, ``suspend``, ``resume``: groups changed by command.

The service is the one that the panel uses too. What can't be had is told all at once and nothing is written then;
``--dry-run`` shows the differences only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from groupmilter.membership.service import Groups, Prepared
    from groupmilter.membership.vocabulary import BadWish, Wish

_ASSIGNED = "FIELD=VALUE"
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="An address of the group, or its DN.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-N", metavar=FLAG, help="Show what would change, and change nothing.")
]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set", "-s", metavar=_ASSIGNED, help="Set a field, such as moderated=yes; empty: its default."
    ),
]
UnderOption = Annotated[
    str, typer.Option("--under", metavar="DN", help="Make it below this entry, not directory.write.groups.")
]
PeopleArgument = Annotated[
    list[str],
    typer.Argument(metavar="WHO", help="Addresses or DNs of persons and groups, or outsiders' addresses."),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="Take them from a file, one a line; - is standard input."
    ),
]
ListOption = Annotated[
    str,
    typer.Option("--list", "-l", metavar="FIELD", help="Not the members but this list, such as moderators."),
]


def create(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The group's address.")],
    name: Annotated[str, typer.Option("--name", "-n", metavar="TEXT", help="Its display name.")] = "",
    owner: Annotated[
        list[str], typer.Option("--owner", "-o", metavar="WHO", help="Who owns it; may be repeated.")
    ] = [],  # noqa: B006 - Typer reads it
    member: Annotated[
        list[str], typer.Option("--member", "-m", metavar="WHO", help="Who is in it; may be repeated.")
    ] = [],  # noqa: B006 - Typer reads it
    alias: Annotated[
        list[str],
        typer.Option("--alias", "-a", metavar="ADDRESS", help="A further address; may be repeated."),
    ] = [],  # noqa: B006 - Typer reads it
    set_: SetOption = [],  # noqa: B006 - Typer reads it
    cn: Annotated[
        str, typer.Option("--cn", metavar="NAME", help="The entry's name; else the address before the @.")
    ] = "",
    under: UnderOption = "",
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a group. Nobody from outside may write to it unless that is set (require_authentication=no)."""
    from groupmilter.membership.vocabulary import Several, Single

    call = Call.of(ctx, config, json=json)
    wishes: list[Wish] = [Single("name", name)] if name else []
    lists = {"aliases": alias, "owners": owner, "members": member}
    wishes += [Several(field, tuple(given)) for field, given in lists.items() if given]
    wishes += _singles(set_)
    with serving(call, dry_run=dry_run) as groups:
        if groups.find(address) is not None:
            raise CommandFailed(Exit.IN_THE_WAY, f"there is a group {address} already; group edit changes it")
        prepared, problems = groups.prepare_new(address, wishes, cn, under)
        _finish(call, groups, prepared, problems, dry_run=dry_run)


def edit(
    ctx: typer.Context,
    group: GroupArgument,
    set_: SetOption = [],  # noqa: B006 - Typer reads it
    add: Annotated[
        list[str],
        typer.Option("--add", "-a", metavar=_ASSIGNED, help="Add to a list, such as owners=ben@example.org."),
    ] = [],  # noqa: B006 - Typer reads it
    remove: Annotated[
        list[str], typer.Option("--remove", "-r", metavar=_ASSIGNED, help="Take out of a list.")
    ] = [],  # noqa: B006 - Typer reads it
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Change settings and lists of a group, all in one step; fields are named as group export names them."""
    from groupmilter.membership.vocabulary import Several

    call = Call.of(ctx, config, json=json)
    wishes: list[Wish] = list(_singles(set_))
    wishes += [Several(field, (value,)) for field, value in map(_assigned, add)]
    wishes += [Several(field, (), (value,)) for field, value in map(_assigned, remove)]
    if not wishes:
        raise CommandFailed(Exit.USAGE, "nothing to change: --set, --add or --remove says what")
    _change(call, group, wishes, dry_run=dry_run)


def add(
    ctx: typer.Context,
    group: GroupArgument,
    who: PeopleArgument = [],  # noqa: B006 - Typer reads it
    file: FileOption = None,
    list_: ListOption = "members",
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Add people to a group; who is in it already stays so, thus it may be repeated."""
    from groupmilter.membership.vocabulary import Several

    call = Call.of(ctx, config, json=json)
    _change(call, group, [Several(list_, _people(who, file))], dry_run=dry_run)


def remove(
    ctx: typer.Context,
    group: GroupArgument,
    who: PeopleArgument = [],  # noqa: B006 - Typer reads it
    file: FileOption = None,
    list_: ListOption = "members",
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take people out of a group, by any of their addresses."""
    from groupmilter.membership.vocabulary import Several

    call = Call.of(ctx, config, json=json)
    _change(call, group, [Several(list_, (), _people(who, file))], dry_run=dry_run)


def suspend(
    ctx: typer.Context,
    group: GroupArgument,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse every message to a group from now on, whoever writes; what is held stays held."""
    _enable(Call.of(ctx, config, json=json), group, on=False, dry_run=dry_run)


def resume(
    ctx: typer.Context,
    group: GroupArgument,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take messages to a group again, as its rules say."""
    _enable(Call.of(ctx, config, json=json), group, on=True, dry_run=dry_run)


def _enable(call: Call, group: str, *, on: bool, dry_run: bool) -> None:
    from groupmilter.membership.vocabulary import Single

    _change(call, group, [Single("enabled", "yes" if on else "no")], dry_run=dry_run)


@contextmanager
def serving(call: Call, *, dry_run: bool) -> Iterator[Groups]:
    """Give the service; what it changes is in the journal under the name of who gives the command."""
    from groupmilter.bootstrap.membership import groups, journal, unwritten
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.ledger import opened

    configuration = call.configuration()
    if dry_run:
        with groups(configuration, unwritten) as service:
            yield service
        return
    with opened(configuration) as ledger, groups(configuration, journal(ledger, administrator())) as service:
        yield service


def _change(call: Call, group: str, wishes: Sequence[Wish], *, dry_run: bool) -> None:
    with serving(call, dry_run=dry_run) as groups:
        prepared, problems = groups.prepare(groups.stored(group), wishes)
        _finish(call, groups, prepared, problems, dry_run=dry_run)


def _finish(
    call: Call, groups: Groups, prepared: Prepared, problems: Sequence[BadWish], *, dry_run: bool
) -> None:
    from groupmilter.cli.group_shape import changed, draw
    from groupmilter.cli.progress import bar
    from groupmilter.membership.service import BadWishes, Result, moved, warned

    if problems:
        raise BadWishes(problems)
    result = Result(prepared.differences)
    if not dry_run:
        with bar("Writing", moved(prepared)) as tick:
            result = groups.apply(prepared, tick)
    shape = changed(prepared, result, dry_run=dry_run)
    call.terminal.show(
        shape, lambda console: draw(console, prepared, result, warned(prepared), dry_run=dry_run)
    )
    if result.meanwhile is not None:
        raise typer.Exit(Exit.CHANGED)


def _singles(given: Sequence[str]) -> list[Wish]:
    from groupmilter.membership.vocabulary import Single

    return [Single(field, value) for field, value in map(_assigned, given)]


def _assigned(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not equals or not field.strip():
        raise CommandFailed(Exit.USAGE, f"{text}: {_ASSIGNED} is wanted, such as moderated=yes")
    return field.strip(), value.strip()


def _people(who: Sequence[str], file: Path | None) -> tuple[str, ...]:
    from groupmilter.membership.table import decoded

    lines: list[str] = []
    if file is not None:
        octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        lines = [line.strip() for line in decoded(octets).splitlines()]
    found = tuple(dict.fromkeys(each for each in (*who, *lines) if each and not each.startswith("#")))
    if not found:
        raise CommandFailed(Exit.USAGE, "nobody is named: give addresses, or --file")
    return found
