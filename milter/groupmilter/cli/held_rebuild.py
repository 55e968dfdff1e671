"""``held rebuild``: record what the ledger doesn't know, from the hold mailbox alone; makes a ledger that is lost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from groupmilter.cli.exits import Exit
from groupmilter.cli.held_shape import many
from groupmilter.cli.options import Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.moderation.rebuilding import Rebuilding


def rebuild(ctx: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Record every message of the hold mailbox that the ledger doesn't know; done again, it changes nothing.

    What stands among the held waits for a decision again, and its moderators are asked again; letters that they have
    already go on deciding. What was approved when the ledger was lost and not yet filed may so be delivered twice.
    """
    from groupmilter.bootstrap import rebuilding
    from groupmilter.bootstrap.parts import ledger
    from groupmilter.cli.administrator import administrator
    from groupmilter.cli.ledger import require_keys
    from groupmilter.log import logger

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    require_keys(configuration)
    opened = ledger(configuration)
    try:
        # What can't be read is in the result.
        work = rebuilding(configuration, opened, logger("critical", json=False), administrator())
        files, found = _work(work)
    finally:
        opened.close()
    shown = {"files": files} | {what: found.get(what, 0) for what in _WORDS}
    call.terminal.show(shown, lambda console: _draw(console, files, found))
    raise typer.Exit(Exit.FINDING if found["unreadable"] else Exit.OK)


_WORDS = {
    "recorded": "recorded",
    "reopened": "held again, now that their tickets can be read",
    "shunted": "shunted: groupmilter held list tells why",
    "duplicate": "there twice, and one of them removed",
    "unreadable": "can't be read, and left where they are",
    "left": "left to the desk, which takes them in",
}


def _work(work: Rebuilding) -> tuple[int, Counter[str]]:
    """Record all there is to record; return the number of files, and how many turned out to be what."""
    from groupmilter.cli.progress import bar
    from groupmilter.moderation.rebuilding import ORDER

    names = {folder: list(work.unknown(folder)) for folder in ORDER}
    files = sum(1 for folder in ORDER for _ in work.mailbox.names(folder))
    found: Counter[str] = Counter()
    with bar("Recording", sum(map(len, names.values()))) as tick:
        for folder in ORDER:
            for name in names[folder]:
                found[work.take(name, folder).value] += 1
                tick(1)
    found["reopened"] += work.reopen()
    return files, found


def _draw(console: Console, files: int, found: Counter[str]) -> None:
    if not +found:
        console.print(
            f"{many(files)} in the hold mailbox, and the ledger knows {'it' if files == 1 else 'each'}."
        )
        return
    console.print(f"{many(files)} in the hold mailbox. Of those that the ledger didn't know:")
    for what, words in _WORDS.items():
        if found[what]:
            style = "yellow" if what in {"shunted", "unreadable"} else "green"
            console.print(f"  {found[what]:>6,}  {words}", style=style)
