"""``serve``: run the roles under one supervisor, in the foreground, until told to stop."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from groupmilter.cli.options import Call, ConfigOption, JsonOption


class RoleName(StrEnum):
    """What ``serve`` may be told to run alone."""

    MILTER = "milter"
    DIRECTORY = "directory"
    DESK = "desk"
    PANEL = "panel"


def serve(
    ctx: typer.Context,
    roles: Annotated[
        list[RoleName] | None,
        typer.Argument(
            metavar="ROLE",
            help="Run only these of milter, directory, desk and panel; all of them unless given.",
        ),
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Run the mail filter, the directory synchroniser, the moderation desk and its pages.

    Stays in the foreground and logs to standard error; systemd's unit starts it so. SIGHUP (or
    [bold]groupmilter reload[/]) reads the configuration anew; SIGTERM finishes what has begun and stops.
    """
    call = Call.of(ctx, config, json=json)
    from groupmilter.bootstrap import serving

    names = tuple(role.value for role in roles) if roles else serving.ROLES
    raise typer.Exit(serving.serve(call.path, names))
