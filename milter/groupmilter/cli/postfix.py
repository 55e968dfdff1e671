"""``postfix``: the lines that main.cf and master.cf need for this configuration."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.options import Call, ConfigOption, JsonOption, PostfixOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from groupmilter.cli.postfix_installed import Installed
    from groupmilter.cli.postfix_wanted import Entry, Line, Owner


def postfix(
    ctx: typer.Context,
    postfix_config: PostfixOption = None,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="The user that owns the hold mailbox.")
    ] = "groupmilter",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the lines for Postfix's main.cf and master.cf that this configuration needs.

    What Postfix is set to already is kept around ours where it can be read. Nothing is changed;
    [bold]groupmilter check[/] tells what of it is still missing.
    """
    from groupmilter import bootstrap
    from groupmilter.cli.postfix_installed import Installed, installed
    from groupmilter.cli.postfix_wanted import main_lines, master_entries

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    site = configuration.site
    try:
        found = installed(postfix_config)
    except CommandFailed:
        if postfix_config is not None:
            raise
        found = Installed({})
    generated = bootstrap.address_map(configuration)
    table, conceals = f"{generated.kind}:{generated.path}", configuration.settings.conceal_groups
    lines = list(main_lines(site, found, table, conceals=conceals))
    entries = list(master_entries(site, found, owner_of(user)))
    shape = {
        "read": bool(found.main),
        "main": [{"name": line.name, "value": line.value, "why": line.why} for line in lines],
        "master": [{"lines": str(entry).splitlines(), "why": entry.why} for entry in entries],
    }
    call.terminal.show(shape, lambda console: _draw(console, lines, entries, found))


def owner_of(user: str) -> Owner:
    """Return a user's ids; 65534 (nobody) where the host has no such user yet."""
    import pwd

    from groupmilter.cli.postfix_wanted import Owner

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return Owner(65534, 65534, user)
    return Owner(entry.pw_uid, entry.pw_gid)


def _draw(console: Console, lines: Sequence[Line], entries: Sequence[Entry], found: Installed) -> None:
    """Print lines that can be pasted: comments, and nothing folded."""
    known = (
        "what Postfix has set already is kept" if found.main else "no Postfix found here: defaults assumed"
    )
    _say(console, f"# main.cf ({known})", "bold")
    for line in lines:
        _say(console, "")
        _comment(console, line.why)
        present = found.main.get(line.name) == line.value or found.literal.get(line.name) == line.value
        _say(console, str(line), "green" if present else "")
    _say(console, "")
    _say(console, "# master.cf", "bold")
    for entry in entries:
        _say(console, "")
        _comment(console, entry.why)
        _say(console, str(entry))


def _comment(console: Console, text: str) -> None:
    for part in textwrap.wrap(text, 76):
        _say(console, f"# {part}", "dim")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style or None, markup=False, soft_wrap=True)
