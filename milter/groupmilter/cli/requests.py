"""``requests``: who asks to be in a group or out of it, and deciding about that."""

from __future__ import annotations

import typer

from groupmilter.cli.requests_decide import accept, reject
from groupmilter.cli.requests_list import list_
from groupmilter.cli.requests_show import show

app = typer.Typer(help="Requests to join or leave groups, and deciding about them.", no_args_is_help=True)
app.command("list")(list_)
app.command()(show)
app.command()(accept)
app.command()(reject)
