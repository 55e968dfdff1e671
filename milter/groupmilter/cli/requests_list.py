"""``requests list``: who asks for what, since when, and for how long it waits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.held_shape import many
from groupmilter.cli.options import Call, ConfigOption, JsonOption, chosen
from groupmilter.cli.requests_shape import STYLES, shape
from groupmilter.cli.terminal import plain, table
from groupmilter.cli.times import brief, until
from groupmilter.moderation.request import OPEN, Stage

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.request import Request

_WIDE = 120
"""Columns of a screen from which a request stands in one line."""

OfGroupOption = Annotated[
    str, typer.Option("--group", "-g", metavar="ADDRESS", help="Only requests about this group.")
]
StageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stage",
        "-s",
        metavar="STAGE",
        help="Only these: unconfirmed, waiting, accepted, done, rejected, withdrawn, expired, refused, failed, or all. "
        "What still is somebody's business (unconfirmed, waiting, accepted) unless given.",
    ),
]
LimitOption = Annotated[
    int, typer.Option("--limit", "-n", metavar="NUMBER", min=1, help="At most so many, the oldest first.")
]


def list_(
    ctx: typer.Context,
    group: OfGroupOption = "",
    stage: StageOption = None,
    limit: LimitOption = 100,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List requests, the oldest first."""
    from groupmilter.cli.ledger import opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    stages = chosen(Stage, stage, "--stage") or OPEN
    uuid = _group(configuration, group) if group else ""
    with opened(configuration) as ledger:
        found = ledger.requests.find(stages, group=uuid, limit=limit)
        total = ledger.requests.count(stages, group=uuid)
    shown = {"total": total, "requests": [shape(one) for one in found]}
    call.terminal.show(shown, lambda console: _draw(console, found, total))


def _group(configuration: Configuration, written: str) -> str:
    """Return the UUID of a group, as the mirror has it."""
    from groupmilter.bootstrap import looking
    from groupmilter.groups.group import Group
    from groupmilter.mail.address import canonical

    address = canonical(written, configuration.settings.own_domains) or written
    with looking(configuration) as directory:
        found = directory.find(address)
    if not isinstance(found, Group):
        raise CommandFailed(Exit.FINDING, f"no group has the address {written}")
    return found.uuid


def _draw(console: Console, found: Sequence[Request], total: int) -> None:
    if not found:
        console.print("Nobody waits.", markup=False)
        return
    now = time.time()
    console.print(_wide(found, now) if console.width >= _WIDE else _narrow(found, now))
    waiting = sum(one.stage is Stage.WAITING for one in found)
    said = (
        many(total, "request")
        if total == len(found)
        else f"{len(found):,} of {many(total, 'request')} (--limit)"
    )
    console.print(f"{said}; {waiting or 'none'} {'waits' if waiting < 2 else 'wait'} for the owners.")


def _wide(found: Sequence[Request], now: float) -> Table:
    """Return a table with one line for a request: for a pipe, or a screen as wide."""
    rows = table("Name", "Who", "Wants", "Group", "Waits", "Expires", ratios=(0, 3, 0, 3, 0, 0))
    for one in found:
        rows.add_row(
            one.name, plain(_who(one)), _wants(one), plain(one.group_address), brief(now - one.asked),
            _expiry(one, now),
        )  # fmt: skip
    return rows


def _narrow(found: Sequence[Request], now: float) -> Table:
    """Return a table with some lines for a request, so that no address is torn apart on a screen."""
    rows = table("Name", "Who", "Wants", "Waits")
    for one in found:
        name = (plain(one.person_name),) if one.person_name else ()
        rows.add_row(
            one.name,
            _lines(*name, *_parted(one.address)),
            _lines(_wants(one), *_parted(one.group_address)),
            _lines(brief(now - one.asked), _left(one, now)),
        )
    return rows


def _wants(request: Request) -> Text:
    from rich.text import Text

    stage = request.stage.value
    said = Text(request.kind.value)
    return said if request.stage is Stage.WAITING else said.append(f" ({stage})", STYLES[stage])


def _expiry(request: Request, now: float) -> str:
    return until(request.expires, now) if request.stage in {Stage.WAITING, Stage.UNCONFIRMED} else ""


def _left(request: Request, now: float) -> str:
    expiry = _expiry(request, now)
    return f"{expiry.removeprefix('in ')} left" if expiry.startswith("in ") else expiry


def _parted(address: str) -> tuple[Text, Text]:
    local, at, domain = address.rpartition("@")
    return plain(local), plain(f"{at}{domain}")


def _lines(*lines: Text | str) -> Text:
    from rich.text import Text

    return Text("\n").join(Text(line) if isinstance(line, str) else line for line in lines)


def _who(request: Request) -> str:
    return f"{request.person_name} <{request.address}>" if request.person_name else request.address
