"""A bar while the directory is read, on a terminal only; the mirror is watched, not the reader."""

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
