"""``requests show``: everything about one request: who asks for what and why, who may decide, what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.held_shape import doer, event_shape
from groupmilter.cli.options import Call, ConfigOption, JsonOption
from groupmilter.cli.requests_shape import STYLES, decided, request_named, shape, wish
from groupmilter.cli.terminal import plain, table
from groupmilter.cli.times import ago, local, until
from groupmilter.moderation.request import Stage

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.ledger import Ledger
    from groupmilter.moderation.request import Request
    from groupmilter.moderation.rows import AuditRow

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A request's name, or the beginning of it that no other has.")
]


def show(
    ctx: typer.Context, name: NameArgument, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Show everything about one request."""
    from groupmilter.cli.ledger import opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    with opened(configuration) as ledger:
        request = request_named(ledger, name)
        history = ledger.audit(item=request.name)
        deciders = _deciders(configuration, ledger, request)
    events = [event_shape(row) for row in history]
    shown = shape(request) | {"may_decide": deciders, "history": events}
    call.terminal.show(shown, lambda console: _draw(console, request, deciders, history))


def _deciders(configuration: Configuration, ledger: Ledger, request: Request) -> list[str] | None:
    """Return whom the request is put to; None where the directory can't tell."""
    from groupmilter.bootstrap.enrolment import requests
    from groupmilter.enrolment.place import asked, group_of
    from groupmilter.groups.directory import DirectoryUnknown

    service = requests(configuration, ledger)
    try:
        with service.registers.snapshot() as directory:
            group = group_of(request, directory)
            return [person.address for person in asked(group, service.around, directory)] if group else []
    except DirectoryUnknown:
        return None


def _draw(
    console: Console, request: Request, deciders: Sequence[str] | None, history: Sequence[AuditRow]
) -> None:
    from rich.text import Text

    stage = (request.stage.value, STYLES[request.stage.value])
    console.print(Text.assemble((request.name, "bold"), "  ", stage, "  ", str(plain(wish(request)))))
    facts = table("", "")
    facts.show_header = False
    for label, value in _facts(request, deciders):
        facts.add_row(label, plain(value))
    console.print(facts)
    rows = table("When", "What", "Who", "Detail", ratios=(0, 0, 2, 3))
    for row in history:
        what = row.action.removeprefix("request-")
        rows.add_row(local(row.at, exact=True), what, plain(doer(row)), plain(row.detail))
    console.print(rows)


def _facts(request: Request, deciders: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    now = time.time()
    outside = "" if request.person_uuid else " (an outsider)"
    yield "Address", f"{request.address}{outside}"
    if request.reason:
        yield "Reason given", request.reason
    yield "Asked", f"{local(request.asked)}, {ago(request.asked, now)}, by {request.way}"
    if request.stage in {Stage.WAITING, Stage.UNCONFIRMED}:
        yield "Expires", f"{local(request.expires)}, {until(request.expires, now)}"
    if request.decided:
        yield "Decided", decided(request)
    if request.comment:
        yield "Reason of the decision", request.comment
    if request.note:
        yield "Note", request.note.replace("\t", " ")
    if request.stage is Stage.WAITING:
        unknown = "the directory can't tell now"
        yield (
            "May decide",
            unknown if deciders is None else ", ".join(deciders) or "nobody who can be reached",
        )
