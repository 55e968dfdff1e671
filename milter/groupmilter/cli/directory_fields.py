"""``directory fields``: which field of a group stands where, by the profile in force, and what the side store holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from groupmilter.cli.options import Call, ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from groupmilter.config.reload import Configuration
    from groupmilter.directory.profile import Profile

Row = dict[str, str | int | list[str]]


def fields(ctx: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show which field of a group stands where: in which attribute of the directory, or in the side store.

    [bold]Written to[/] is where a new value goes; [bold]Beside[/] counts the groups that have one in the side store.
    """
    from groupmilter import bootstrap

    call = Call.of(ctx, config, json=json)
    configuration = call.configuration()
    known = bootstrap.profile(configuration)
    rows = list(_rows(known, kept(configuration)))
    shape = {"profile": known.name, "side_store": known.beside, "fields": rows}
    call.terminal.show(shape, lambda console: _draw(console, known, rows))


def kept(configuration: Configuration) -> Mapping[str, int]:
    """Return for how many groups the side store has something, by field; raises `SideStoreUnavailable`."""
    from groupmilter.bootstrap.side import Beside

    with closing(Beside(configuration)) as side:
        return side.counts()


def _rows(known: Profile, counts: Mapping[str, int]) -> Iterator[Row]:
    from groupmilter.directory.profile_fields import GROUP
    from groupmilter.directory.spelling import home

    for name in GROUP:
        mapped = known.mapped(name)
        place = home(mapped)
        written = "nowhere" if place is None else "side store" if place.beside else place.attribute
        attributes = [source.attribute for source in mapped.sources if not source.beside]
        yield {"field": name, "attributes": attributes, "written_to": written, "beside": counts.get(name, 0)}


def _draw(console: Console, known: Profile, rows: list[Row]) -> None:
    from groupmilter.cli.terminal import plain, table

    found = table("Field", "Attributes", "Written to", "Beside")
    found.columns[3].justify = "right"
    for row in rows:
        attributes = row["attributes"] if isinstance(row["attributes"], list) else []
        shown = (str(row["field"]), ", ".join(attributes), str(row["written_to"]), str(row["beside"] or ""))
        found.add_row(*map(plain, shown))
    console.print(found)
    beside = "its side store is used" if known.beside else "no side store is used"
    console.print(plain(f"Profile {known.name}: {beside}."))
