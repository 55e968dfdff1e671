"""``held approve``, ``held reject``, ``held release-all``: decided by command, through the service that all ways share.

The first decision stands; whoever comes later is told whose it is, and the exit code says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.asking import ask
from groupmilter.cli.completing import message_names
from groupmilter.cli.exits import Exit
from groupmilter.cli.held_shape import decided, many, shape
from groupmilter.cli.options import FLAG, Call, ConfigOption, GroupOption, JsonOption
from groupmilter.cli.terminal import plain
from groupmilter.moderation.item import Event, Item, State

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.decision import Decisions
    from groupmilter.moderation.ledger import Changed

_AT_ONCE = 100
"""Decisions in one transaction: one write to disk instead of a hundred, and never long in others' way."""

NamesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        help="Messages' names, or the beginnings of them that no others have.",
        autocompletion=message_names,
    ),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; kept in the ledger with the decision.")
]
ToldReasonOption = Annotated[
    str,
    typer.Option("--reason", "-r", metavar="TEXT", help="Why; the sender is told, if he is told at all."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", metavar=FLAG, help="Don't ask.")]


def approve(
    ctx: typer.Context,
    names: NamesArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Approve messages: the desk releases them to their groups as those are now."""
    _decide(Call.of(ctx, config, json=json), names, Event.APPROVE, reason)


def reject(
    ctx: typer.Context,
    names: NamesArgument,
    reason: ToldReasonOption,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Reject messages: nobody gets them, and a proven sender is told the reason, if his group wants that."""
    _decide(Call.of(ctx, config, json=json), names, Event.REJECT, reason)


def _decide(call: Call, names: Sequence[str], event: Event, reason: str) -> None:
    from groupmilter.bootstrap.moderation import decisions
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.ledger import item_named, opened, require_keys

    configuration = call.configuration()
    require_keys(configuration)
    with opened(configuration) as ledger:
        # All names are looked up before anything is decided: a typing error decides nothing.
        items = {item.id: item for item in [item_named(ledger, name) for name in names]}
        service, who = decisions(configuration, ledger), administrator()
        if event is Event.APPROVE:
            service.require_somewhere(tuple(items.values()))
        results = [service.decide(item, event, who, reason) for item in items.values()]
    running = _running(configuration)
    shown = {"decisions": [_shape(result) for result in results], "running": running}
    call.terminal.show(shown, lambda console: _draw(console, results, event, running=running))
    raise typer.Exit(Exit.OK if all(result.happened for result in results) else Exit.DECIDED)


def _shape(result: Changed) -> dict[str, object]:
    return {"happened": result.happened} | shape(result.item)


def _draw(console: Console, results: Sequence[Changed], event: Event, *, running: bool) -> None:
    for result in results:
        item, group = result.item, result.item.terms.group_address
        if not result.happened:
            console.print(plain(f"{item.name} {_before(item)}"), style="yellow", soft_wrap=True)
        elif event is Event.APPROVE:
            text = f"{item.name} is approved for {group}: {item.arrival.subject or '(no subject)'}"
            console.print(plain(text), style="green", soft_wrap=True)
        else:
            text = f"{item.name} is rejected for {group}: {item.arrival.subject or '(no subject)'}"
            console.print(plain(text), style="green", soft_wrap=True)
    _remark(console, any(result.happened for result in results), running=running)


def _before(item: Item) -> str:
    if item.state is State.REPORTED or not item.decided:
        return f"is {item.state.value}: there is nothing to decide."
    return f"was already {decided(item)}; that stands."


def _remark(console: Console, happened: bool, *, running: bool) -> None:
    if happened and not running:
        console.print("The desk isn't running; what was decided is carried out once it does.", style="yellow")


def _running(configuration: Configuration) -> bool:
    from groupmilter.cli.running import serves

    return serves(configuration.site, "desk")


def release_all(
    ctx: typer.Context,
    group: GroupOption = "",
    yes: YesOption = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Approve everything that is held, or everything for one group; says how much that is, and asks."""
    from groupmilter.bootstrap.moderation import decisions
    from groupmilter.cli.ledger import group_address, opened, require_keys

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    require_keys(configuration)
    with opened(configuration) as ledger:
        address = group_address(configuration, ledger, group)
        newest = ledger.search.newest()
        count = ledger.search.counts(group=address).get(State.HELD, 0)
        if count and not yes:
            _ask(count, address)
        service = decisions(configuration, ledger)
        approved, nowhere = _approve_all(service, address, newest, count, reason)
    running = _running(configuration)
    shown = {"held": count, "approved": approved, "nowhere": nowhere, "running": running}
    call.terminal.show(shown, lambda console: _draw_all(console, approved, nowhere, address, running=running))


def _ask(count: int, group: str) -> None:
    to = f" for {group}" if group else ""
    said = f"{many(count)}{to} {'waits' if count == 1 else 'wait'} for a decision"
    ask(
        f"{said}. Approve {'it' if count == 1 else 'all of them'}?",
        instead=f"{said}; --yes approves without asking",
        nothing="nothing was decided",
    )


def _approve_all(service: Decisions, group: str, newest: int, count: int, reason: str) -> tuple[int, int]:
    """Approve what was held when we were asked, a hundred at a time; return how many that were.

    The second number is of those that stay: their group is gone.
    """
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.progress import bar

    held = service.ledger.search.each({State.HELD}, group=group, newest=newest)
    who, approved, nowhere = administrator(), 0, 0
    with bar("Approving", count) as tick:
        while some := list(islice(held, _AT_ONCE)):
            lost = {item.id for item in service.nowhere(some)}
            going = [item for item in some if item.id not in lost]
            nowhere += len(lost)
            results = service.decide_each(going, Event.APPROVE, who, reason)
            approved += sum(result.happened for result in results)
            tick(len(some))
    return approved, nowhere


def _draw_all(console: Console, approved: int, nowhere: int, group: str, *, running: bool) -> None:
    to = f" for {group}" if group else ""
    if nowhere:
        stay = "stays: there is" if nowhere == 1 else "stay: there is"
        text = (
            f"{many(nowhere)} {stay} no group any more to which {'it' if nowhere == 1 else 'they'} could go."
        )
        console.print(plain(text), style="yellow")
    if not approved and not nowhere:
        console.print(plain(f"Nothing waits{to}."))
        return
    if not approved:
        return
    then = "; the desk releases them now" if running else ""
    console.print(plain(f"{many(approved)}{to} approved{then}."), style="green")
    _remark(console, happened=True, running=running)
