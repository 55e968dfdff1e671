"""``check``'s look at the side store: what it holds, what of that doesn't count, and what is left of vanished groups.

Changes nothing. What is found wrong becomes advice, never an error of the command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from groupmilter.cli.advice import Advice, Level

if TYPE_CHECKING:
    from groupmilter.config.reload import Configuration
    from groupmilter.directory.profile import Profile

_AREA, _SUBJECT = "directory", "side store"
_NAMED = 5


def beside(configuration: Configuration) -> Iterator[Advice]:
    """Yield what is to be said of the side store; nothing where none is used and nothing is kept."""
    from groupmilter import bootstrap
    from groupmilter.bootstrap.side import Beside
    from groupmilter.directory.side_store import SideStoreUnavailable

    known = bootstrap.profile(configuration)
    try:
        with closing(Beside(configuration)) as side:
            counts, gone = side.counts(), side.gone()
    except SideStoreUnavailable as error:
        if known.beside:
            yield Advice(Level.ERROR, _AREA, _SUBJECT, f"can't be read: {error}")
        return
    if known.beside:
        yield from _used(known, counts)
    elif counts:
        text = f"the profile {known.name} doesn't use it, so what groups have there doesn't count: {_told(counts)}."
        yield Advice(Level.WARNING, _AREA, _SUBJECT, text, "directory: {side_store: always}")
    if gone and known.beside:
        text = f"{len(gone)} groups with values there are gone from the directory: {_few(gone)}."
        yield Advice(Level.HINT, _AREA, _SUBJECT, text, "nothing to be done: 90 days later it is forgotten")


def _used(known: Profile, counts: Mapping[str, int]) -> Iterator[Advice]:
    if counts:
        yield Advice(Level.OK, _AREA, _SUBJECT, f"it holds, with the number of groups: {_told(counts)}.")
    else:
        yield Advice(Level.OK, _AREA, _SUBJECT, "it is used, and holds nothing yet.")
    from groupmilter.directory.spelling import home

    moved = {
        name: count
        for name, count in counts.items()
        if (place := home(known.mapped(name))) is not None and not place.beside
    }
    if moved:
        text = f"the directory has attributes now for what some groups still have there: {_told(moved)}."
        fix = "it counts until the directory has a value; the next change moves a single value there"
        yield Advice(Level.HINT, _AREA, _SUBJECT, text, fix)


def _told(counts: Mapping[str, int]) -> str:
    return _few([f"{name} ({count})" for name, count in counts.items()], 2 * _NAMED)


def _few(names: list[str] | tuple[str, ...], most: int = _NAMED) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
