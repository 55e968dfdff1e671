"""What commands print: tables on standard output, or JSON; colours and progress bars on a terminal only.

``NO_COLOR`` is honoured (by Rich), and so is a pipe: then lines are plain and never wrapped to a screen's width.
"""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Shape = Mapping[str, object]
_PIPE_WIDTH = 250


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command's output goes.

    :param json: for programs instead of people.
    """

    json: bool = False

    def show(self, shape: Shape, draw: Callable[[Console], None]) -> None:
        """Print one result.

        :param shape: for programs, printed as one JSON object.
        :param draw: prints it for people.
        """
        if self.json:
            sys.stdout.write(json_text(shape, indent=2) + "\n")
        else:
            draw(console())


def console(*, error: bool = False) -> Console:
    """Return standard output (or error) for people."""
    from rich.console import Console

    made = Console(stderr=error, highlight=False, soft_wrap=False)
    return made if made.is_terminal else Console(stderr=error, highlight=False, width=_PIPE_WIDTH)


def table(*columns: str, title: str = "", ratios: Sequence[int] = ()) -> Table:
    """Return an empty table in the one style that all commands share.

    :param ratios: shares of the screen's width for columns of long text; none: as wide as need be.
    """
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold")
    made.pad_edge = False
    for index, name in enumerate(columns):
        made.add_column(name, overflow="fold", ratio=ratios[index] if ratios else None, header_style="bold")
    return made


def plain(text: object) -> Text:
    """Return text from outside (a directory, a header) that is never read as markup."""
    from rich.text import Text

    return Text(printable(str(text)))


def printable(text: str) -> str:
    """Return text from outside as one line in which nothing is left that a terminal would obey or hide."""
    return "".join(
        c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def json_text(shape: object, *, indent: int | None = None) -> str:
    """Return JSON with every letter as it is, and escaped what a terminal would obey or hide.

    JSON itself asks for that only below U+0020 (RFC 8259 section 7).
    """
    text = json_format.dumps(shape, indent=indent, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json_format.dumps(c)[1:-1] for c in text)
