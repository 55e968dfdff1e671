"""``token``: the tokens with which programs use the API on somebody's behalf: a new one, which there are, one less.

A token is printed once, when it is made; nobody can see it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import Call, ConfigOption, JsonOption
from groupmilter.cli.times import iso, local

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.groups.person import Person
    from groupmilter.moderation.access_token_book import AccessTokenRow
    from groupmilter.panel.api.access import AccessTokens

app = typer.Typer(help="The tokens with which programs use the API.", no_args_is_help=True)
PersonArgument = Annotated[
    str, typer.Argument(metavar="PERSON", help="An address, a log-in name or the DN of the person.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the token is called.")]


@app.command()
def create(
    ctx: typer.Context,
    person: PersonArgument,
    name: NameArgument,
    scope: Annotated[
        list[str],
        typer.Option("--scope", "-s", metavar="WORD", help="read, write or decide; may be repeated."),
    ] = ["read"],  # noqa: B006 - Typer reads it
    days: Annotated[
        int, typer.Option("--days", "-d", metavar="N", help="Days until it ends; 0 for no end.")
    ] = 90,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token that acts for a person, with no more rights than the person has; print it, this once."""
    from groupmilter.cli.administrator import administrator
    from groupmilter.panel.api.access import BadToken, Scope

    call = Call.of(ctx, config, json=json)
    unknown = [word for word in scope if word not in {each.value for each in Scope}]
    if unknown:
        raise CommandFailed(Exit.USAGE, f"{unknown[0]}: read, write or decide is wanted")
    with _opened(call) as tokens:
        holder = _person(tokens, person)
        try:
            made = tokens.make(holder, name, map(Scope, scope), days, administrator())
        except BadToken as error:
            raise CommandFailed(Exit.FINDING, str(error)) from error
    shape = {"token": made, "name": name, "person": holder.dn, "scopes": scope}
    call.terminal.show(shape, lambda console: console.print(made, markup=False, soft_wrap=True))


@app.command("list")
def list_(
    ctx: typer.Context,
    person: Annotated[
        str, typer.Argument(metavar="PERSON", help="Only those of one person: address, log-in name or DN.")
    ] = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the tokens: whose, for what, last used, until when. No token is ever shown."""
    call = Call.of(ctx, config, json=json)
    with _opened(call) as tokens:
        rows = tokens.of(_person(tokens, person).uuid if person else "")
    call.terminal.show({"tokens": [_shape(row) for row in rows]}, lambda console: _draw(console, rows))


@app.command()
def revoke(
    ctx: typer.Context,
    person: PersonArgument,
    name: NameArgument,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """End a token at once."""
    from groupmilter.cli.administrator import administrator

    call = Call.of(ctx, config, json=json)
    with _opened(call) as tokens:
        uuid = _person(tokens, person).uuid
        found = [row for row in tokens.of(uuid) if row.name == name.strip()]
        if not found or not tokens.revoke(found[0], administrator()):
            raise CommandFailed(Exit.FINDING, f"{person} has no token called {name}")
    call.terminal.show(
        {"revoked": _shape(found[0])},
        lambda console: console.print("It is revoked; nobody can use it any more.", style="green"),
    )


@contextmanager
def _opened(call: Call) -> Iterator[AccessTokens]:
    from groupmilter.bootstrap import snapshots
    from groupmilter.cli.ledger import opened
    from groupmilter.panel.api.access import AccessTokens

    configuration = call.configuration()
    lookups = snapshots(configuration)
    with opened(configuration) as ledger:
        yield AccessTokens(ledger, lookups, time.time)
    lookups.reader.close()


def _person(tokens: AccessTokens, written: str) -> Person:
    """Return the person whom an address, a log-in name or a DN means; also one who is locked."""
    from groupmilter.groups.person import Person

    with tokens.lookups.snapshot() as directory:
        for found in (
            directory.find(written.strip().lower()),
            directory.person_by_login(written),
            directory.by_dn(written),
        ):
            if isinstance(found, Person):
                return found
    raise CommandFailed(Exit.FINDING, f"{written} is no person of the directory")


def _shape(row: AccessTokenRow) -> dict[str, object]:
    return {
        "name": row.name,
        "person": row.dn,
        "scopes": row.scopes.split(),
        "created": iso(row.made),
        "used": iso(row.used),
        "expires": iso(row.until),
    }


def _draw(console: Console, rows: tuple[AccessTokenRow, ...]) -> None:
    from groupmilter.cli.terminal import plain, table

    if not rows:
        console.print("There are no tokens; groupmilter token create makes one.")
        return
    shown = table("Person", "Token", "For", "Made", "Last used", "Until")
    for row in rows:
        until = local(row.until) if row.until else "no end"
        shown.add_row(
            plain(row.dn), plain(row.name), row.scopes, local(row.made), local(row.used) or "–", until
        )
    console.print(shown)
