"""Tables as CSV (RFC 4180) that spreadsheets may open: no cell of ours is ever taken for a formula. Pure.

A cell that a spreadsheet could run (it begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end, spaces before it or
not) gets an apostrophe before it, which reading takes off again; so does one that begins with an apostrophe itself, so
that every text comes back as it was. Several values in a cell stand on lines of their own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from groupmilter.language.catalogue import marked
from groupmilter.membership.draft import BadFile

_FORMULA = frozenset(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_MARK = "'"
_FIRST = frozenset((_MARK, "\t", "\r", "\n"))
_DELIMITERS = ",;\t"
_LONGEST_CELL = 64 * 1024 * 1024


def guarded(text: str) -> str:
    """Return a cell that no spreadsheet runs."""
    return _MARK + text if _needs_mark(text) else text


def unguarded(cell: str) -> str:
    """Return what `guarded` was given; what somebody else wrote stays, unless it was guarded the same way."""
    return cell[1:] if cell.startswith(_MARK) and _needs_mark(cell[1:]) else cell


def _needs_mark(text: str) -> bool:
    return text[:1] in _FIRST or text.lstrip()[:1] in _FORMULA


def decoded(octets: bytes) -> str:
    """Return a file's text: by its byte order mark, as UTF-8, else as Windows' Western European code page."""
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if octets.startswith(mark):
            return _decoded(octets, name)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded(octets, "cp1252")


def _decoded(octets: bytes, name: str) -> str:
    try:
        return octets.decode(name)
    except UnicodeDecodeError as error:
        raise BadFile(
            marked("neither UTF-8 nor {name}: see octet {place}"), name=name, place=error.start
        ) from error


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows below the head, by column; `BadFile` where it is no table.

    Comma, semicolon or tab separates, whichever the head has most of. PowerShell's first line ``#TYPE`` is left out.
    """
    if text.startswith("#TYPE"):
        text = text.partition("\n")[2]
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    before = csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        read = list(reader)
    except csv.Error as error:
        raise BadFile(
            marked("no CSV: look at the quotation marks of line {line}"), line=reader.line_num
        ) from error
    finally:
        csv.field_size_limit(before)
    return list(_by_column(read))


def _by_column(read: Sequence[Sequence[str]]) -> Iterator[dict[str, str]]:
    names = [unguarded(cell).strip() for cell in read[0]] if read else []
    doubled = {name for name in names if name and names.count(name) > 1}
    if not any(names) or doubled:
        if doubled:
            raise BadFile(marked("column “{name}” is there twice"), name=doubled.pop())
        raise BadFile(marked("no columns"))
    for number, cells in enumerate(read[1:], 2):
        # Spreadsheets write a row that was emptied as separators alone.
        if not any(cells):
            continue
        if len(cells) > len(names):
            raise BadFile(
                marked("row {number} has {cells} cells under {columns} columns"),
                number=number, cells=len(cells), columns=len(names),
            )  # fmt: skip
        yield dict(zip(names, map(unguarded, cells), strict=False))


def table(columns: Sequence[str], content: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Yield a table as CSV, line by line, every cell guarded."""
    for cells in (columns, *([row.get(name, "") for name in columns] for row in content)):
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\r\n").writerow(list(map(guarded, cells)))
        yield line.getvalue()


def joined(values: Iterable[str]) -> str:
    """Return several values as one cell."""
    return "\n".join(values)


def parted(cell: str) -> tuple[str, ...]:
    """Return the values of one cell."""
    return tuple(filter(None, (value.strip() for value in cell.splitlines())))
