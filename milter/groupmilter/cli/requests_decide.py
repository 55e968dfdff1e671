"""``requests accept``, ``requests reject``: decided by command, through the service that all ways share.

The first decision stands; whoever comes later is told whose it is, and the exit code says so. What is accepted is in
the directory when the command ends, unless that can't be written now: then the desk tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.options import Call, ConfigOption, JsonOption
from groupmilter.cli.requests_shape import decided, request_named, shape, wish
from groupmilter.cli.terminal import plain
from groupmilter.moderation.request import OPEN, Stage

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.moderation.request import Turned

NamesArgument = Annotated[
    list[str],
    typer.Argument(metavar="NAME", help="Requests' names, or the beginnings of them that no others have."),
]
WhyOption = Annotated[
    str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; kept in the ledger with the decision.")
]
ToldWhyOption = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; who asked is told.")]


def accept(
    ctx: typer.Context,
    names: NamesArgument,
    reason: WhyOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Accept requests: the directory is changed, and who asked is told."""
    _decide(Call.of(ctx, config, json=json), names, reason, accepts=True)


def reject(
    ctx: typer.Context,
    names: NamesArgument,
    reason: ToldWhyOption,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Decline requests: nothing changes, and who asked is told the reason."""
    _decide(Call.of(ctx, config, json=json), names, reason, accepts=False)


def _decide(call: Call, names: Sequence[str], reason: str, *, accepts: bool) -> None:
    from groupmilter.bootstrap.enrolment import requests
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.ledger import opened

    configuration = call.configuration()
    with opened(configuration) as ledger:
        # All names are looked up before anything is decided: a typing error decides nothing.
        found = {one.id: one for one in [request_named(ledger, name) for name in names]}
        service, who = requests(configuration, ledger), administrator()
        results = [service.decide(one, accepts, who, reason) for one in found.values()]
    shown = {"decisions": [{"happened": one.happened} | shape(one.request) for one in results]}
    call.terminal.show(shown, lambda console: _draw(console, results))
    failed = any(one.request.stage is Stage.FAILED for one in results if one.happened)
    if failed:
        raise typer.Exit(Exit.DIRECTORY)
    raise typer.Exit(Exit.OK if all(one.happened for one in results) else Exit.DECIDED)


def _draw(console: Console, results: Sequence[Turned]) -> None:
    for result in results:
        text, style = _said(result)
        console.print(plain(text), style=style, soft_wrap=True)


def _said(result: Turned) -> tuple[str, str]:
    request = result.request
    if not result.happened:
        if request.stage in OPEN and not request.decided:
            return f"{request.name} is {request.stage.value}: there is nothing to decide.", "yellow"
        return f"{request.name} was already {decided(request)}; that stands.", "yellow"
    if request.stage is Stage.FAILED:
        return f"{request.name} is accepted, but the directory doesn't take it: {request.note}", "red"
    if request.stage is Stage.ACCEPTED:
        said = "the directory can't be written now, the desk tries again"
        return f"{request.name} is accepted: {wish(request)}; {said}: {request.note}", "yellow"
    word = "accepted" if request.stage is Stage.DONE else "declined"
    return f"{request.name} is {word}: {wish(request)}", "green"
