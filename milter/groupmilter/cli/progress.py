"""Bars for what takes a while, on a terminal only. Of the directory the mirror is watched, not the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from groupmilter.cli.terminal import console
from groupmilter.directory.entry import Change
from groupmilter.directory.mirror import Mirror

_EVERY = 200
Tick = Callable[[int], None]


def watched(tick: Tick) -> type[Mirror]:
    """Return the mirror's class, telling now and then how many changes have come in."""

    class Watched(Mirror):
        def apply(
            self,
            changes: Iterable[Change],
            *,
            now: float,
            cookie: bytes | None = None,
            complete: bool = True,
        ) -> int:
            return super().apply(_counted(changes, tick), now=now, cookie=cookie, complete=complete)

    return Watched


def _counted(changes: Iterable[Change], tick: Tick) -> Iterator[Change]:
    for number, change in enumerate(changes, 1):
        yield change
        if number % _EVERY == 0:
            tick(number)


@contextmanager
def reading() -> Iterator[Tick]:
    """Show how much of the directory has been read for the length of the ``with`` block."""
    screen = console(error=True)
    if not screen.is_terminal:
        yield lambda _: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("Reading the directory"),
        TextColumn("{task.completed:,.0f} entries"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda number: bar.update(task, completed=number)


@contextmanager
def bar(what: str, total: int | None, *, octets: bool = False) -> Iterator[Tick]:
    """Show how far something is for the length of the ``with`` block; the tick takes what has been done since.

    :param total: how much there is to do; None where nobody knows. ``octets``: they are counted, not things.
    """
    screen = console(error=True)
    if not screen.is_terminal or total == 0:
        yield lambda _: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    count = DownloadColumn() if octets else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda more: shown.advance(task, more)
