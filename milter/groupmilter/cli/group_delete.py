"""``group delete``: a group removed by command, through the service that the panel uses.

What would go is shown and asked about on a terminal; elsewhere ``--yes`` says so. What somebody changed while the
question stood isn't removed (`WriteRefused`). Who names the group is the mirror's to say: unknown where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from groupmilter.cli.asking import ask
from groupmilter.cli.deciding import YesOption
from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.group_change import DryRunOption, GroupArgument, serving
from groupmilter.cli.options import Call, ConfigOption, JsonOption
from groupmilter.cli.terminal import plain

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration
    from groupmilter.directory.catalogue_details import Naming
    from groupmilter.membership.service import Groups, Stored
    from groupmilter.moderation.ledger import Ledger
    from groupmilter.moderation.pending import Pending

_SHOWN = 10
"""Groups, at most, that are named to people as naming this one; programs get all."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """What goes with a group.

    :param rules: how many rules find further members. ``named_by``: None where the mirror can't tell.
    :param waiting: what waits for it.
    """

    address: str
    dn: str
    name: str
    aliases: tuple[str, ...]
    owners: tuple[str, ...]
    members: int
    rules: int
    named_by: tuple[Naming, ...] | None
    waiting: Pending


def delete(
    ctx: typer.Context,
    group: GroupArgument,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a group; says what goes with it, and asks. Mail to it is refused from then on.

    The audit keeps what it was: [bold]audit undo[/] makes it again. [bold]group suspend[/] only stops its mail.
    """
    from groupmilter.cli.ledger import opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    number: int | None = None
    with opened(configuration) as ledger, serving(call, dry_run=dry_run) as groups:
        stored = groups.whole(groups.stored(group))
        loss = _loss(configuration, ledger, groups, stored)
        asked = not (dry_run or yes)
        if asked:
            _ask(loss)
        if not dry_run:
            number = _deleted(groups, stored, ledger)
    shape = _shape(loss) | {"dry_run": dry_run, "deleted": not dry_run, "audit": number}
    call.terminal.show(shape, lambda console: _draw(console, loss, number, told=asked))


def _loss(configuration: Configuration, ledger: Ledger, groups: Groups, group: Stored) -> _Loss:
    from groupmilter.membership.exporting import listed
    from groupmilter.moderation.pending import pending

    def count(field: str) -> int:
        return sum(1 for _ in listed(groups, group, field, named=False))

    return _Loss(
        group.address,
        group.entry.dn,
        str(groups.value(group, "name") or ""),
        tuple(listed(groups, group, "aliases")),
        tuple(listed(groups, group, "owners")),
        count("members"),
        count("member_urls"),
        _named_by(configuration, group.entry.dn),
        pending(ledger, group.entry.uuid),
    )


def _named_by(configuration: Configuration, dn: str) -> tuple[Naming, ...] | None:
    from groupmilter.bootstrap import looking
    from groupmilter.directory.catalogue_details import naming
    from groupmilter.groups.directory import DirectoryUnknown

    try:
        with looking(configuration) as directory:
            return naming(directory, dn)
    except DirectoryUnknown:
        return None


def _ask(loss: _Loss) -> None:
    from groupmilter.cli.held_shape import many
    from groupmilter.cli.terminal import console

    ask(
        "Delete it?",
        instead=f"{loss.address} would go, with {many(loss.members, 'member')}; --yes deletes without asking, "
        "--dry-run shows what would go",
        nothing="nothing was deleted",
        show=lambda: _draw_loss(console(error=True), loss, "would be deleted"),
    )


def _deleted(groups: Groups, group: Stored, ledger: Ledger) -> int | None:
    """Delete a group as it was looked at; return the number of its row in the audit."""
    from groupmilter.directory.writer_session import VERSION
    from groupmilter.moderation.journal import Filter

    version = next(iter(group.entry.attributes.get(VERSION, ())), b"")
    if not groups.delete(group, version):
        raise CommandFailed(Exit.FINDING, f"{group.address}: somebody else has just deleted it")
    rows = ledger.journal.page(Filter(uuid=group.entry.uuid, action="group-delete"), limit=1)
    return rows[0].id if rows else None


def _shape(loss: _Loss) -> dict[str, object]:
    named_by = loss.named_by
    return {
        "group": loss.address,
        "dn": loss.dn,
        "name": loss.name,
        "aliases": loss.aliases,
        "owners": loss.owners,
        "members": loss.members,
        "rules": loss.rules,
        "named_by": None
        if named_by is None
        else [{"group": each.address, "dn": each.dn, "field": each.field} for each in named_by],
        "waiting": loss.waiting.messages,
        "requests": loss.waiting.requests,
    }


def _draw(console: Console, loss: _Loss, number: int | None, *, told: bool) -> None:
    """Print what was done, or would be; what went only where it wasn't told before the question."""
    if number is None:
        _draw_loss(console, loss, "would be deleted")
        return
    if told:
        _draw_head(console, loss, "deleted", "bold green")
    else:
        _draw_loss(console, loss, "deleted", "bold green")
    console.print(f"groupmilter audit undo {number} brings it back.", soft_wrap=True)


def _draw_head(console: Console, loss: _Loss, happened: str, style: str) -> None:
    console.print(plain(f"{loss.address}: {happened} ({loss.dn})"), style=style, soft_wrap=True)


def _draw_loss(console: Console, loss: _Loss, happened: str, style: str = "bold") -> None:
    _draw_head(console, loss, happened, style)
    for label, value in _lines(loss):
        console.print(plain(f"  {label}: {value}"), soft_wrap=True)
    for note in _notes(loss):
        console.print(plain(f"  Note: {note}."), style="yellow", soft_wrap=True)


def _lines(loss: _Loss) -> Iterator[tuple[str, str]]:
    if loss.name:
        yield "name", loss.name
    if loss.aliases:
        yield "aliases", ", ".join(loss.aliases)
    yield "owners", ", ".join(loss.owners) or "nobody"
    yield "members", f"{loss.members:,}" + (", and whom its rules find" if loss.rules else "")
    yield "named by", _naming_words(loss.named_by)


def _naming_words(named_by: Sequence[Naming] | None) -> str:
    """Return which groups name this one, and in which of their lists."""
    if named_by is None:
        return "can't be told, as there is no mirror that can be used"
    each = [
        f"{address} ({', '.join(one.field.replace('_', ' ') for one in found)})"
        for address, found in groupby(named_by, lambda one: one.address or one.dn)
    ]
    more = f" and {len(each) - _SHOWN:,} more" if len(each) > _SHOWN else ""
    return (", ".join(each[:_SHOWN]) + more) or "no other group"


def _notes(loss: _Loss) -> Iterator[str]:
    from groupmilter.cli.held_shape import many

    if messages := loss.waiting.messages:
        waits, they = ("waits", "it") if messages == 1 else ("wait", "they")
        yield f"{many(messages, 'held message')} {waits} for it; {they} can only be rejected then, also after an undo"
    if requests := loss.waiting.requests:
        waits, them = ("waits", "it") if requests == 1 else ("wait", "them")
        asked = f"{many(requests, 'request')} to join or leave"
        yield f"{asked} {waits} for it; nobody can accept {them} then, also after an undo"
    if loss.named_by:
        yield "after an undo other groups have it again only where the directory leaves its name in them"
