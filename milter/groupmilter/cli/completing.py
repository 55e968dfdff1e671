"""What the shell offers for a message's name: those that still are somebody's business; and for a change: numbers.

Nothing else is offered with them: shells evaluate what they are told here, and a subject is what an outsider wrote. A
completion that can't be had is none: whoever presses the key wants no error there, the command itself says it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import typer

from groupmilter.cli.options import DEFAULT_PATH

_MOST = 50


def message_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names that begin so: letters and digits only."""
    return _offered(_found, ctx, incomplete)


def change_numbers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return numbers of the newest changes that can be taken back, those that begin so."""
    return _offered(_changes, ctx, incomplete)


def _offered(find: Callable[[Path, str], list[str]], ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what is found; nothing where that can't be had."""
    from groupmilter.cli.failures import foreseen

    try:
        return find(_path(ctx), incomplete)
    except Exception as error:
        if foreseen(error) is None:
            raise
        return []


def _changes(path: Path, incomplete: str) -> list[str]:
    from groupmilter.cli.ledger import opened
    from groupmilter.config.reload import load
    from groupmilter.membership.taking_back import ACTIONS
    from groupmilter.moderation.journal import Filter

    with opened(load(path)) as ledger:
        newest = [
            row for action in ACTIONS for row in ledger.journal.page(Filter(action=action), limit=_MOST)
        ]
    numbers = sorted((row.id for row in newest), reverse=True)
    return [str(number) for number in numbers if str(number).startswith(incomplete)][:_MOST]


def _path(ctx: typer.Context) -> Path:
    """Return the configuration, as the command line so far names it."""
    given = ctx.params.get("config") or ctx.find_root().params.get("config")
    return Path(str(given or os.environ.get("GROUPMILTER_CONFIG") or DEFAULT_PATH))


def _found(path: Path, incomplete: str) -> list[str]:
    from groupmilter.cli.ledger import opened
    from groupmilter.config.reload import load
    from groupmilter.moderation.transitions import OPEN

    with opened(load(path)) as ledger:
        found = ledger.search.named(incomplete, limit=_MOST)
    return [item.name for item in found if item.state in OPEN]
