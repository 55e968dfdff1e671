"""``directory``: the mirror, loading it once, and which field of a group stands where."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupmilter.cli.directory_fields import fields
from groupmilter.cli.exits import Exit
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration
    from groupmilter.directory.inventory import Inventory

_PATIENCE = 120.0
_DAY = 86_400
_PAST = {"too_old": "too old", "unknown": "not recorded"}
_LEAST = 60

app = typer.Typer(help="The directory and its mirror on this host.", no_args_is_help=True)
app.command("fields")(fields)


@app.command()
def status(ctx: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the mirror: its age, what it holds, what is wrong in the directory."""
    from groupmilter.directory.inventory import inventory

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    site = configuration.site
    held = inventory(site.mirror)
    age = held.age(time.time())
    usable = age is not None and age <= site.directory.max_age
    shape = {
        "mirror": str(site.mirror),
        "urls": [server.url for server in site.directory.url],
        "generation": held.generation,
        "age": age,
        "max_age": site.directory.max_age,
        "usable": usable,
        "last_day": _last_day(configuration),
        "people": held.people,
        "groups": held.groups,
        "findings": [
            {"kind": f.kind.value, "subject": f.subject, "dn": f.dn, "text": f.text} for f in held.findings
        ],
    }
    call.terminal.show(shape, lambda console: _draw(console, shape))
    raise typer.Exit(Exit.OK if usable else Exit.MIRROR)


def _last_day(configuration: Configuration) -> dict[str, float | None]:
    """Return how old the mirror has been in the last 24 hours, as far as the desk has recorded it; all in seconds."""
    from groupmilter.bootstrap.parts import mirror_ages
    from groupmilter.directory.age_history import stretches
    from groupmilter.directory.ages import MINUTES, NEVER

    now = int(time.time())
    known = mirror_ages(configuration).between(MINUTES, now - _DAY, now)
    [found] = stretches(known, MINUTES.step, (now - _DAY, now), configuration.site.directory.max_age, now)
    highest = None if found.highest == NEVER else found.highest
    return {"highest": highest, "too_old": found.too_old, "unknown": found.unknown}


@app.command()
def sync(
    ctx: typer.Context,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            metavar=FLAG,
            help="Apply a load that lacks most of the groups, and a map half its size.",
        ),
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make the mirror and the generated map equal to the directory now.

    While [bold]groupmilter serve[/] runs, its synchroniser follows the directory by itself; it is then told to
    begin anew, and this waits until it has.
    """
    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    shape = followed_anew(configuration, force=force) or loaded(configuration, force=force)
    call.terminal.show(
        shape,
        lambda console: console.print(
            f"The mirror holds {shape['people']} people and {shape['groups']} groups"
            f" (generation {shape['generation']}), read in {shape['seconds']} s."
        ),
    )


def followed_anew(configuration: Configuration, *, force: bool) -> dict[str, Any] | None:
    """Have a running synchroniser begin anew and wait for it; None where none runs."""
    from groupmilter.cli.failures import CommandFailed
    from groupmilter.directory.inventory import inventory
    from groupmilter.supervision.control import ControlError, ask

    site = configuration.site
    began, wall = time.monotonic(), time.time()
    try:
        answer = ask(site.control, {"command": "replace", "role": "directory"})
    except ControlError:
        return None
    if not answer.get("ok"):
        return None
    if force:
        raise CommandFailed(Exit.FINDING, "groupmilter serve holds the mirror; stop it before using --force")
    while time.monotonic() - began < _PATIENCE:
        held = inventory(site.mirror)
        if held.synced_at is not None and held.synced_at > wall:
            return _loaded(held, held.generation, began)
        time.sleep(0.1)
    said = f"the mirror wasn't in step within {_PATIENCE:.0f} s; groupmilter status and the log tell why"
    raise CommandFailed(Exit.DIRECTORY, said)


def _loaded(held: Inventory, generation: int, began: float) -> dict[str, Any]:
    return {
        "generation": generation,
        "people": held.people,
        "groups": held.groups,
        "findings": len(held.findings),
        "seconds": round(time.monotonic() - began, 2),
    }


def loaded(configuration: Configuration, *, force: bool) -> dict[str, Any]:
    """Load once, with a bar on a terminal; return what the mirror holds then."""
    from groupmilter import bootstrap
    from groupmilter.bootstrap.serving import synchroniser
    from groupmilter.cli.progress import reading, watched
    from groupmilter.directory.inventory import inventory
    from groupmilter.log import logger

    began = time.monotonic()
    # What fails is said once, by the command itself.
    log = logger("critical", json=False)
    with reading() as tick:
        settings = bootstrap.mirror_settings(configuration)
        mirror = watched(tick).open(configuration.site.mirror, settings)
        try:
            followed = synchroniser(configuration, mirror, log, lambda _: None)
            generation = followed.once(force=force)
            addresses, taken = mirror.group_addresses(), mirror.extended_addresses()
            bootstrap.address_map(configuration).write(addresses, taken, force=force)
        finally:
            mirror.close()
    return _loaded(inventory(configuration.site.mirror), generation, began)


def _draw(console: Console, shape: dict[str, Any]) -> None:
    from groupmilter.cli.control import lasting
    from groupmilter.cli.terminal import plain, table

    rows = table("Mirror", "")
    age = shape["age"]
    rows.add_row("file", plain(shape["mirror"]))
    rows.add_row("directory", plain(", ".join(shape["urls"])))
    rows.add_row("last in step", "never" if age is None else f"{lasting(age)} ago")
    rows.add_row("trusted for", lasting(shape["max_age"]))
    rows.add_row("in the last 24 h", _past(shape["last_day"]))
    rows.add_row("generation", str(shape["generation"]))
    rows.add_row("people", str(shape["people"]))
    rows.add_row("groups", str(shape["groups"]))
    console.print(rows)
    if not shape["usable"]:
        console.print(
            "Too old or never complete: mail to groups is deferred with 451 4.4.3.", style="bold red"
        )
    draw_findings(console, shape["findings"])


def _past(last: dict[str, Any]) -> str:
    """Return how it was in words."""
    from groupmilter.cli.control import lasting

    if last["unknown"] >= _DAY:
        return "not recorded"
    highest = "no mirror" if last["highest"] is None else f"{lasting(last['highest'])} at the most"
    said = [
        highest,
        *(f"{word} for {lasting(last[name])}" for name, word in _PAST.items() if last[name] >= _LEAST),
    ]
    return ", ".join(said)


def draw_findings(console: Console, findings: list[dict[str, str]]) -> None:
    """Print what is wrong in the directory."""
    from groupmilter.cli.terminal import plain, table

    if not findings:
        console.print("Nothing is wrong in the directory.", style="green")
        return
    rows = table("Finding", "What is wrong")
    for finding in findings:
        rows.add_row(f"[yellow]{finding['kind']}[/]", plain(finding["text"]))
    console.print(rows)
