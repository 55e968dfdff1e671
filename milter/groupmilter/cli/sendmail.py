"""``sendmail``: the lines that sendmail.mc and submit.mc need for this configuration."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.options import Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from groupmilter.cli.sendmail_wanted import Piece

_PROGRAM = Path("/usr/local/bin/groupmilter")


def sendmail(
    ctx: typer.Context,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="The user that owns the hold mailbox.")
    ] = "groupmilter",
    program: Annotated[
        Path, typer.Option(metavar="FILE", help="This program, as Sendmail starts it.")
    ] = _PROGRAM,
    local_port: Annotated[
        int,
        typer.Option(metavar="PORT", min=1, max=65_535, help="The port of this host's own programs' mail."),
    ] = 10_028,
    database: Annotated[
        Path, typer.Option(metavar="FILE", help="Cyrus SASL's password file that Sendmail reads.")
    ] = Path("/etc/sasldb2"),
    host: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What Sendmail calls this host; its full name unless given."),
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the lines for Sendmail's sendmail.mc and submit.mc that this configuration needs.

    They go to the end of sendmail.mc, and into submit.mc; then both are made anew by m4. Nothing is changed.
    """
    import socket

    from groupmilter.cli.sendmail_wanted import Beside, login_pieces, sendmail_pieces, submit_pieces

    call = Call.of(ctx, config, json=json)
    site = call.configuration().site
    beside = Beside(program, user, local_port, missing=not _known(user))
    parts = {
        "sendmail.mc": tuple(sendmail_pieces(site, beside)),
        "submit.mc": tuple(submit_pieces(beside)),
        "login": tuple(login_pieces(site, database, host or socket.getfqdn())),
    }
    shape = {name: [{"lines": list(p.lines), "why": p.why} for p in pieces] for name, pieces in parts.items()}
    call.terminal.show(shape, lambda console: _draw(console, parts.items()))


def _known(user: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _draw(console: Console, parts: Iterable[tuple[str, Sequence[Piece]]]) -> None:
    """Print lines that can be pasted: comments, nothing folded, and the tabs that Sendmail's rules need."""
    for name, pieces in parts:
        mark = "#" if name == "login" else "dnl #"
        title = "the log-in of the release listener" if name == "login" else name
        console.print(f"{mark} {title}", style="bold", markup=False, soft_wrap=True)
        for piece in pieces:
            console.print()
            for part in textwrap.wrap(piece.why, 76, break_on_hyphens=False):
                console.print(f"{mark} {part}", style="dim", markup=False, soft_wrap=True)
            # print() would make spaces of tabs.
            console.file.writelines(f"{line}\n" for line in piece.lines)
        console.print()
