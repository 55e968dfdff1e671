"""``trace``: what became of a mail: for which groups it was held, who decided, as what it left, and its log lines."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, cast

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.held_shape import event_shape, shape
from groupmilter.cli.mail_log import Line, Names, follow
from groupmilter.cli.options import Call, ConfigOption, JsonOption
from groupmilter.mail.queue_id import QUEUE_ID

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration
    from groupmilter.moderation.item import Item
    from groupmilter.moderation.rows import AuditRow

_STREAM = Path("-")
WhatArgument = Annotated[
    str,
    typer.Argument(
        metavar="MESSAGE-ID|QUEUE-ID|NAME",
        help="A Message-ID, with or without <>, a queue id, or a message's name.",
    ),
]
LogOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--log",
        "-l",
        metavar="FILE",
        help="A log of the mail server or of groupmilter, also packed (.gz, .xz, .bz2); - for standard input. "
        "May be given several times.",
    ),
]


@dataclass(frozen=True, slots=True)
class Told:
    """What the ledger tells of one item.

    :param left_as: queue ids under which it went back to the MTA. ``place``: where its file stands, or empty.
    """

    item: Item
    history: Sequence[AuditRow]
    left_as: tuple[str, ...]
    place: str


def trace(
    ctx: typer.Context,
    what: WhatArgument,
    log: LogOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Tell what became of a mail, across hold, decision and release.

    With [bold]--log[/], its lines there too, from queue id to queue id; so mail that was never held can be traced:

        groupmilter trace '<id@example.org>' --log /var/log/mail.log
    """
    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    told = _told(configuration, what.strip(), need=not log)
    names = _names(what.strip(), told)
    lines: tuple[Line, ...] = ()
    if log:
        with _logs(log) as read:
            lines, names = follow(lambda wanted: _lines(read, wanted), names)
    if not told and not lines:
        raise CommandFailed(Exit.FINDING, _nothing(what, logs=bool(log)))
    shown = {
        "messages": [_shape(one) for one in told],
        "message_ids": sorted(names.message_ids),
        "queue_ids": sorted(names.queue_ids),
        "log": [{"file": line.file, "line": line.text} for line in lines],
    }
    call.terminal.show(shown, lambda console: _draw(console, told, lines))


def _nothing(what: str, *, logs: bool) -> str:
    where = "neither the ledger nor the logs know" if logs else "the ledger doesn't know"
    hint = "" if logs else "; mail that was never held is found with --log FILE"
    return f"{what}: {where} such a mail{hint}"


def _told(configuration: Configuration, what: str, *, need: bool) -> list[Told]:
    """Return what the ledger tells; there may be none where logs are read anyway."""
    from groupmilter.bootstrap.parts import mailbox
    from groupmilter.cli.ledger import opened
    from groupmilter.moderation.mailbox import Missing
    from groupmilter.moderation.tracing import traced

    if not need and not configuration.site.state.exists():
        return []
    box = mailbox(configuration)
    found = []
    with opened(configuration) as ledger:
        for one in traced(ledger, what):
            try:
                place = str(box.find(one.item.arrival.file))
            except Missing:
                place = ""
            found.append(Told(one.item, one.history, one.left_as, place))
    return found


def _names(what: str, told: Sequence[Told]) -> Names:
    """Return by which names the mail is to be looked for in logs."""
    from groupmilter.moderation.tracing import bracketed

    items = [one.item for one in told]
    message_ids = {item.arrival.message_id for item in items} | ({bracketed(what)} if "@" in what else set())
    queue_ids = {item.arrival.queue_id for item in items} | {name for one in told for name in one.left_as}
    if QUEUE_ID.fullmatch(what) and not items:
        queue_ids.add(what)
    return Names(
        frozenset(message_ids - {""}), frozenset(queue_ids - {""}), frozenset(item.name for item in items)
    )


@contextmanager
def _logs(paths: Sequence[Path]) -> Iterator[Mapping[str, Path]]:
    """Give the files to be read, standard input as a copy: they are read more than once."""
    with ExitStack() as stack:
        files: dict[str, Path] = {}
        for path in paths:
            if path == _STREAM:
                copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="groupmilter-log-"))
                shutil.copyfileobj(sys.stdin.buffer, copy)
                copy.flush()
                files["-"] = Path(copy.name)
            else:
                files[str(path)] = path
        yield files


def _lines(files: Mapping[str, Path], wanted: re.Pattern[bytes]) -> Iterator[Line]:
    number = 0
    for name, path in files.items():
        for octets in _read(name, path):
            number += 1
            if wanted.search(octets):
                yield Line(number, name, octets.decode("utf-8", "replace").rstrip("\r\n"))


def _read(name: str, path: Path) -> Iterator[bytes]:
    """Yield the lines of a file; of a packed one that is cut, as while it is being packed, none would be the whole."""
    with _opened(path) as file:
        try:
            yield from file
        except EOFError as error:
            raise CommandFailed(Exit.CONFIGURATION, f"{name}: it ends too early") from error
        except (OSError, zlib.error, lzma.LZMAError) as error:
            raise CommandFailed(Exit.CONFIGURATION, f"{name}: it can't be read: {error}") from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".xz":
        return lzma.open(path)
    return bz2.open(path) if path.suffix == ".bz2" else path.open("rb")


def _shape(told: Told) -> dict[str, object]:
    return shape(told.item) | {
        "queue_ids_out": list(told.left_as),
        "path": told.place,
        "history": [event_shape(row) for row in told.history],
    }


def _draw(console: Console, told: Sequence[Told], lines: Sequence[Line]) -> None:
    from groupmilter.cli.held_show import draw_head, draw_history
    from groupmilter.cli.terminal import plain

    for number, one in enumerate(told):
        if number:
            console.print()
        draw_head(console, one.item, list(_facts(one)))
        draw_history(console, one.history)
    if not lines:
        return
    if told:
        console.print("\nLog", style="bold")
    file = ""
    for line in lines:
        if line.file != file:
            file = line.file
            console.print(plain(f"{file}:"), style="dim")
        console.print(plain(line.text), soft_wrap=True)


def _facts(told: Told) -> Iterator[tuple[str, str]]:
    item = told.item
    yield "Group", item.terms.group_address or "unknown"
    yield "From", item.arrival.author or "<>"
    yield "Subject", item.arrival.subject or "(no subject)"
    yield "Message-ID", item.arrival.message_id
    yield "Came as", item.arrival.queue_id
    yield "Went as", ", ".join(told.left_as)
    yield "Note", "" if item.note in told.left_as else item.note
    yield "Comment", item.comment
    yield "File", told.place or f"{item.arrival.file}, no longer there"
