"""``held show``: everything about one message: who may decide, what happened, what was written to whom, its text."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from groupmilter.cli.completing import message_names
from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.held_shape import (
    STYLES,
    agreement,
    because,
    dealing,
    decided,
    doer,
    event_shape,
    letter_shape,
    proof,
    shape,
)
from groupmilter.cli.options import FLAG, Call, ConfigOption, JsonOption
from groupmilter.cli.terminal import plain, table
from groupmilter.cli.times import ago, iso, local, until
from groupmilter.moderation.item import Item, State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.rows import AuditRow, Posted

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A message's name, or the beginning of it that no other has.",
        autocompletion=message_names,
    ),
]
RawOption = Annotated[
    bool,
    typer.Option("--raw", metavar=FLAG, help="Write the message itself to standard output, octet for octet."),
]


@dataclass(frozen=True, slots=True)
class Sight:
    """All that is shown of one message.

    :param message: its octets; None where there is no file any more. ``missing`` says why.
    :param deciders: who may decide, nearest first; None where the directory can't tell.
    """

    item: Item
    message: bytes | None
    place: str
    missing: str
    deciders: Sequence[tuple[str, str]] | None
    history: Sequence[AuditRow]
    letters: Sequence[Posted]


def show(
    ctx: typer.Context,
    name: NameArgument,
    raw: RawOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show everything about one message."""
    from groupmilter.cli.ledger import item_named, opened

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    with opened(configuration) as ledger:
        item = item_named(ledger, name)
        history, letters = ledger.search.history(item), ledger.search.letters_about(item.id)
    message, place, missing = _read(configuration, item)
    if raw:
        if message is None:
            raise CommandFailed(Exit.STATE, f"{item.name}: {missing}")
        sys.stdout.buffer.write(message)
        sys.stdout.buffer.flush()
        return
    sight = Sight(item, message, place, missing, _deciders(configuration, item), history, letters)
    call.terminal.show(_shape(sight), lambda console: _draw(console, sight))


def _read(configuration: Configuration, item: Item) -> tuple[bytes | None, str, str]:
    """Return the message as it was received, where its file stands, and why it can't be read."""
    from groupmilter.bootstrap.parts import mailbox
    from groupmilter.moderation.arrival import message_of
    from groupmilter.moderation.mailbox import Missing

    box = mailbox(configuration)
    try:
        path = box.find(item.arrival.file)
        return message_of(box.read(item.arrival.file)), str(path), ""
    except Missing:
        return None, "", "its file is no longer in the hold mailbox"
    except OSError as error:
        return None, "", f"its file can't be read: {error.strerror or error}"


def _deciders(configuration: Configuration, item: Item) -> list[tuple[str, str]] | None:
    from groupmilter.bootstrap import administrations, looking
    from groupmilter.groups.directory import DirectoryUnknown
    from groupmilter.groups.group import Group
    from groupmilter.groups.reach import reachable
    from groupmilter.moderation.circle import circle

    found: dict[str, str] = {}
    above = administrations(configuration)
    try:
        with looking(configuration) as directory:
            group = directory.by_digest(item.arrival.group)
            known = group if isinstance(group, Group) else None
            around = circle(known, item.terms.moderators, above, directory)
            rings = (("moderator", around.moderators), ("owner", around.owners))
            for ring, nodes in (*rings, ("administrator", around.administrators)):
                for person in reachable(nodes, directory):
                    found.setdefault(person.address, ring)
    except DirectoryUnknown:
        return None
    return list(found.items())


def _shape(sight: Sight) -> dict[str, object]:
    item = sight.item
    deciders = None
    if sight.deciders is not None:
        deciders = [{"address": address, "as": ring} for address, ring in sight.deciders]
    return shape(item) | {
        "ticket": item.arrival.ticket,
        "ticket_terms": ticket_terms(item),
        "digest": item.arrival.content,
        "path": sight.place,
        "remind": iso(item.terms.remind),
        "may_decide": deciders,
        "attachments": list(_attachments(sight)),
        "text": _text(sight),
        "history": [event_shape(row) for row in sight.history],
        "letters": [letter_shape(letter) for letter in sight.letters],
    }


def ticket_terms(item: Item) -> dict[str, object]:
    """Return what an item's ticket says."""
    from groupmilter.groups.ticket import key_id

    arrival = item.arrival
    return {
        "kind": arrival.kind.name.lower() if arrival.kind is not None else None,
        "key": key_id(arrival.ticket),
        "sealed": iso(arrival.sent),
        "group": f"{arrival.group:014x}",
        "sender": f"{arrival.sender:014x}" if arrival.sender else None,
        "smtputf8": arrival.smtputf8,
    }


def _attachments(sight: Sight) -> tuple[str, ...]:
    from groupmilter.moderation.attaching import attachment_names

    return attachment_names(sight.message) if sight.message is not None else ()


def _text(sight: Sight) -> str:
    """Return the beginning of the text, with nothing in it that a terminal would obey."""
    from groupmilter.moderation.excerpt import excerpt

    lines, more = excerpt(sight.message) if sight.message is not None else ((), False)
    return "\n".join((*lines, "…") if more else lines)


def _draw(console: Console, sight: Sight) -> None:
    from rich.padding import Padding

    draw_head(console, sight.item, list(_facts(sight)))
    text = _text(sight)
    if text:
        _head(console, "Text")
        console.print(Padding(plain_lines(text), (0, 2), expand=False))
    elif sight.missing:
        console.print(plain(f"\n{sight.missing.capitalize()}."), style="red")
    draw_history(console, sight.history)
    _draw_letters(console, sight.letters)


def draw_head(console: Console, item: Item, facts: Sequence[tuple[str, str]]) -> None:
    """Print an item's name, where it stands, and facts about it."""
    from rich.padding import Padding
    from rich.text import Text

    state = (item.state.value, STYLES[item.state.value])
    console.print(Text.assemble((item.name, "bold"), "  ", state, "  ", str(plain(_standing(item)))))
    console.print(Padding(_pairs(facts), (1, 0, 0, 2), expand=False))


def _standing(item: Item) -> str:
    now = time.time()
    if item.state is State.HELD:
        return f"since {local(item.recorded)}, {ago(item.recorded, now)}; expires {until(item.terms.expires, now)}"
    if item.decided:
        return decided(item) if item.state is not State.SHUNTED else f"after it was {decided(item)}"
    return f"since {local(item.recorded)}"


def _facts(sight: Sight) -> Iterator[tuple[str, str]]:
    item = sight.item
    arrival, terms = item.arrival, item.terms
    yield "Group", terms.group_address or "unknown"
    yield "From", f"{arrival.author or '<>'} ({proof(item)})"
    if terms.sender_name:
        yield "Sender", terms.sender_name
    yield "Return path", arrival.return_path or "<> (null)"
    yield "Subject", arrival.subject or "(no subject)"
    yield "Message-ID", arrival.message_id
    yield "Queue id", arrival.queue_id
    yield "Size", f"{arrival.size:,} octets"
    yield "Attachments", ", ".join(_attachments(sight))
    yield "Held because", because(item)
    yield "Approvals", agreement(item)
    yield "Claim", dealing(item, time.time())
    yield "Note", item.note
    yield "Comment", item.comment
    yield "Expires", local(terms.expires)
    if item.state in {State.HELD, State.SHUNTED}:
        yield "May decide", _worded(sight.deciders)
    if item.attempts:
        yield "Attempts", f"{item.attempts}, the next one {local(item.next_attempt, exact=True)}"
    yield from _technical(sight)


def _technical(sight: Sight) -> Iterator[tuple[str, str]]:
    item = sight.item
    says = ticket_terms(item)
    if item.arrival.ticket:
        yield "Ticket", item.arrival.ticket
        yield "", f"{says['kind']}, key {says['key']}, sealed {local(item.arrival.sent, exact=True)}"
    yield "Digest", item.arrival.content
    yield "File", sight.place or item.arrival.file


def _worded(deciders: Sequence[tuple[str, str]] | None) -> str:
    if deciders is None:
        return "can't be told: the directory can't be read now"
    if not deciders:
        return "nobody who can be reached; an administrator by command"
    return ", ".join(f"{address} ({ring})" for address, ring in deciders)


def _pairs(facts: Sequence[tuple[str, str]]) -> RenderableType:
    from rich.table import Table

    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for name, value in facts:
        if value:
            rows.add_row(name, plain_lines(value))
    return rows


def plain_lines(text: str) -> RenderableType:
    """Return several lines from outside, never read as markup."""
    from rich.console import Group

    return Group(*(plain(line) for line in text.splitlines()))


def _head(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def draw_history(console: Console, history: Sequence[AuditRow]) -> None:
    """Print what happened to an item."""
    rows = table("When", "What", "Who", "Detail")
    for row in history:
        after = f"{row.action} → {row.after}" if row.after and row.after != row.before else row.action
        rows.add_row(local(row.at, exact=True), after, plain(doer(row)), plain(row.detail))
    if history:
        _head(console, "History")
        console.print(rows)


def _draw_letters(console: Console, letters: Sequence[Posted]) -> None:
    from rich.text import Text

    rows = table("Letter", "To", "Sent")
    for letter in letters:
        state = "came back" if letter.returned else "not yet"
        waits = f"{state}: {letter.why}" if letter.why else state
        arrived = letter.sent and not letter.returned
        sent = Text(local(letter.sent, exact=True)) if arrived else Text(str(plain(waits)), "yellow")
        rows.add_row(letter.kind, plain(letter.address), sent)
    if letters:
        _head(console, "Letters")
        console.print(rows)
