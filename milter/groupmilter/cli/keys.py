"""``keys``: the keys that seal tickets, moderators' tokens and loop traces: which there are, a new one, one less.

A new key first only opens, until every running process has it, and seals after that: so no process ever meets a
ticket that it can't open.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption
from groupmilter.cli.times import iso, local

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from groupmilter.config.keys import Key, KeyRing
    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.key_use import Use

app = typer.Typer(help="The keys that seal tickets and moderators' tokens.", no_args_is_help=True)
Uses = Mapping[int, "Use"]


@app.command("list")
def list_(ctx: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the keys: since when each seals, and what still needs it. No key is ever printed."""
    call = Call.of(ctx, config, json=json)
    configuration = _with_keys(call)
    ring, needed = configuration.keys, _uses(configuration)
    shown = {
        "file": str(configuration.site.service.key_file),
        "keys": [_shape(key, ring, needed) for key in ring.keys],
    }
    call.terminal.show(shown, lambda console: _draw(console, configuration, needed))


@app.command()
def rotate(ctx: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Make a new key, which seals from now on; the old ones go on opening what they have sealed.

    Every running process gets it before it seals; nothing has to be restarted.
    """
    from groupmilter.cli.running import answering
    from groupmilter.config.rotation import alone, fresh_key, replace_file, sealing, with_key

    call = Call.of(ctx, config, json=json)
    path = _with_keys(call).site.service.key_file
    with alone(path):
        configuration = _with_keys(call)
        sockets = answering(configuration.site)
        key = fresh_key(configuration.keys)
        before = replace_file(path, lambda text: with_key(text, key))
        _reload_or_undo(sockets, path, before)
        replace_file(path, lambda text: sealing(text, key.id, int(time.time())))
        _reload(sockets)
    shown = {"key": key.id, "file": str(path), "reloaded": bool(sockets)}
    call.terminal.show(shown, lambda console: _draw_rotated(console, key, path, reloaded=bool(sockets)))


@app.command()
def drop(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The key's id.")],
    force: Annotated[
        bool, typer.Option("--force", metavar=FLAG, help="Drop it though something may still need it.")
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Forget an old key: what it sealed opens nothing any more.

    The key that seals stays in any case; one that something may still need goes with [bold]--force[/] only.
    """
    from groupmilter.cli.running import answering
    from groupmilter.config.rotation import alone, replace_file, without_key

    call = Call.of(ctx, config, json=json)
    path = _with_keys(call).site.service.key_file
    with alone(path):
        configuration = _with_keys(call)
        _require_droppable(configuration, number, force=force)
        sockets = answering(configuration.site)
        replace_file(path, lambda text: without_key(text, number))
        _reload(sockets)
    shown = {"key": number, "file": str(path), "reloaded": bool(sockets)}
    call.terminal.show(shown, lambda console: _draw_dropped(console, number, path, reloaded=bool(sockets)))


def _with_keys(call: Call) -> Configuration:
    from groupmilter.cli.ledger import require_keys

    configuration = call.configuration()
    require_keys(configuration)
    return configuration


def _uses(configuration: Configuration) -> Uses | None:
    """Return what each key is needed for; None where there is no ledger that could tell."""
    from groupmilter.cli.ledger import opened
    from groupmilter.moderation.key_use import uses
    from groupmilter.moderation.transitions import OPEN

    if not configuration.site.state.exists():
        return None
    with opened(configuration) as ledger:
        return uses(configuration.keys, ledger.search.each(OPEN), int(time.time()))


def _require_droppable(configuration: Configuration, number: int, *, force: bool) -> None:
    ring = configuration.keys
    if ring.find(number) is None:
        known = ", ".join(str(key.id) for key in ring.keys)
        raise CommandFailed(Exit.FINDING, f"there is no key {number}; there {_are(len(ring.keys))} {known}")
    if ring.current.id == number:
        raise CommandFailed(
            Exit.IN_THE_WAY, f"key {number} seals; groupmilter keys rotate makes another one first"
        )
    if force:
        return
    needed = _uses(configuration)
    if needed is None:
        said = f"there is no ledger that could tell whether anything needs key {number}"
        raise CommandFailed(Exit.IN_THE_WAY, said, "it stays; --force drops it all the same")
    reasons = needed[number].reasons
    if reasons:
        sentences = [f"key {number} is needed: {reason}" for reason in reasons]
        raise CommandFailed(Exit.IN_THE_WAY, *sentences, "it stays; --force drops it all the same")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _reload(sockets: tuple[Path, ...]) -> None:
    from groupmilter.cli.running import reloaded

    if sockets:
        reloaded(sockets)


def _reload_or_undo(sockets: tuple[Path, ...], path: Path, before: str) -> None:
    from groupmilter.config.rotation import write_whole

    try:
        _reload(sockets)
    except BaseException:
        write_whole(path, before)
        raise


def _shape(key: Key, ring: KeyRing, needed: Uses | None) -> dict[str, object]:
    return {
        "id": key.id,
        "since": iso(key.since),
        "sealing": key.id == ring.current.id,
        "open_items": None if needed is None else needed[key.id].items,
        "needed": None if needed is None else list(needed[key.id].reasons),
    }


def _draw(console: Console, configuration: Configuration, needed: Uses | None) -> None:
    from groupmilter.cli.held_show import plain_lines
    from groupmilter.cli.terminal import plain, table

    ring = configuration.keys
    rows = table("Key", "Seals", "Open messages", "Needed because")
    rows.columns[0].justify = rows.columns[2].justify = "right"
    for place, key in enumerate(ring.keys):
        use = None if needed is None else needed[key.id]
        since = f"since {local(key.since)}" if place == 0 else f"until {local(ring.keys[place - 1].since)}"
        reasons = plain_lines("\n".join(use.reasons) or "nothing needs it") if use is not None else "?"
        rows.add_row(str(key.id), since, "?" if use is None else f"{use.items:,}", reasons)
    console.print(rows)
    console.print(plain(str(configuration.site.service.key_file)), style="dim")
    if needed is None:
        console.print("There is no ledger yet, so nobody can tell what needs a key.", style="yellow")


def _draw_rotated(console: Console, key: Key, path: Path, *, reloaded: bool) -> None:
    from groupmilter.cli.terminal import plain

    console.print(plain(f"Key {key.id} seals now ({path}); older keys go on opening."), style="green")
    _remark(console, reloaded=reloaded)


def _draw_dropped(console: Console, number: int, path: Path, *, reloaded: bool) -> None:
    from groupmilter.cli.terminal import plain

    console.print(plain(f"Key {number} is gone from {path}."), style="green")
    _remark(console, reloaded=reloaded)


def _remark(console: Console, *, reloaded: bool) -> None:
    if reloaded:
        console.print("The running groupmilter has it.")
    else:
        console.print("groupmilter isn't running; it reads its keys when it starts.", style="yellow")
