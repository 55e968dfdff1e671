"""``status`` and ``reload``: what the running supervisor is asked over its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import Call, ConfigOption, JsonOption
from groupmilter.cli.terminal import plain, table

if TYPE_CHECKING:
    from rich.console import Console


def status(ctx: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the processes of a running groupmilter, and how the directory is followed."""
    call = Call.of(ctx, config, json=json)
    answer = _asked(call, "status")
    call.terminal.show(answer, lambda console: _draw(console, answer))


def reload(ctx: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Read the configuration anew and replace the processes one after the other.

    A configuration with errors changes nothing: they are printed, and the old one stays in force.
    """
    call = Call.of(ctx, config, json=json)
    call.configuration()
    answer = _asked(call, "reload")
    call.terminal.show(
        answer, lambda console: console.print("The configuration is accepted; processes are being replaced.")
    )


def _asked(call: Call, command: str) -> dict[str, Any]:
    from groupmilter.supervision.control import ask

    answer: dict[str, Any] = ask(call.configuration().site.control, {"command": command})
    if not answer.get("ok"):
        raise CommandFailed(Exit.CONFIGURATION, *map(str, answer.get("errors", ["refused"])))
    return answer


def _draw(console: Console, answer: Mapping[str, Any]) -> None:
    state = "stopping" if answer["stopping"] else "running" if answer["settled"] else "changing over"
    console.print(f"groupmilter is {state}, process {answer['pid']}, generation {answer['generation']}.")
    rows = table("Role", "Process", "State", "Since", "Detail")
    for child in answer["children"]:
        detail = ", ".join(f"{name} {value}" for name, value in child["detail"].items() if value != "")
        rows.add_row(
            child["role"], str(child["pid"]), child["stage"], lasting(child["seconds"]), plain(detail)
        )
    console.print(rows)


def lasting(seconds: float) -> str:
    """Return a length of time in words: ``45 s``, ``12 min``, ``3 h 20 min``, ``4 days``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
