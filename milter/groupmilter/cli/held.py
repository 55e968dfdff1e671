"""``held``: what waits for a decision, and deciding about it."""

from __future__ import annotations

import typer

from groupmilter.cli.deciding import approve, reject, release_all
from groupmilter.cli.held_list import list_
from groupmilter.cli.held_rebuild import rebuild
from groupmilter.cli.held_show import show

app = typer.Typer(help="Held messages, and deciding about them.", no_args_is_help=True)
app.command("list")(list_)
app.command()(show)
app.command()(approve)
app.command()(reject)
app.command("release-all")(release_all)
app.command()(rebuild)
