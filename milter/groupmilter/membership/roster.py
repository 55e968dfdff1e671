"""The members of one group as a table, one to a row, for spreadsheets; and read again, or any list of addresses.

What is read is only taken apart here: who is meant, `pasted` finds out. Pure; `BadFile` for what can't be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from groupmilter.language.catalogue import marked
from groupmilter.membership import mailman
from groupmilter.membership.draft import BadFile
from groupmilter.membership.pasted import parted
from groupmilter.membership.table import parted as cell_parted
from groupmilter.membership.table import rows, table

COLUMNS = ("address", "name", "kind")
"""``kind`` says what a member is; whom a rule finds, and what is in no directory, comes into no list by reading it."""

_ADDRESS = (
    *(
        "address",
        "email",
        "e-mail",
        "e-mail address",
        "email address",
        "mail",
        "member",
        "primarysmtpaddress",
    ),
    *("adresse", "adresse e-mail", "adresse de messagerie", "courriel", "membre", "windowsemailaddress"),
)
_NAME = (
    "name",
    "displayname",
    "display name",
    "nom",
    "nom complet",
    "login",
    "uid",
    "samaccountname",
    "alias",
)
_LIST = "members"
_RULED, _LEFT_OUT = "dynamic", "left-out"


def lines(members: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Yield the table, line by line; members without an address stand there by their DN, as ``address``."""
    return table(COLUMNS, members)


def named(text: str, group: str) -> tuple[str, ...]:
    """Return whom a file names, each once, as it names them.

    :param text: a table with a column of addresses or names, a table of whole groups that has this one, a roster of
        Mailman, or addresses and names line by line.
    :param group: the group's own address.
    """
    if text.lstrip()[:1] in {"{", "["}:
        drafts = mailman.roster(text, group).drafts
        return tuple(dict.fromkeys(value for draft in drafts for value in draft.lists.get(_LIST, ())))
    head = text.lstrip("\ufeff\n ").partition("\n")[0]
    columns = {name.strip(" \"'").lower() for part in (",", ";", "\t") for name in head.split(part)}
    if "@" in head or not columns & {*_ADDRESS, *_NAME, _LIST}:
        return parted(text)
    return tuple(dict.fromkeys(_cells(rows(text.lstrip("\ufeff\n ")), group)))


def _cells(content: Iterable[Mapping[str, str]], group: str) -> Iterator[str]:
    for number, row in enumerate(content, 2):
        cells = {name.lower(): cell.strip() for name, cell in row.items()}
        if _LIST in cells:
            if cells.get("address", "").casefold() == group.casefold():
                yield from cell_parted(row.get(_LIST, cells[_LIST]))
            continue
        kind = cells.get("kind", "")
        if kind == _RULED or (kind == _LEFT_OUT and "@" not in cells.get("address", "")):
            continue
        found = next((cells[name] for name in (*_ADDRESS, *_NAME) if cells.get(name)), "")
        if not found:
            raise BadFile(marked("row {number} names nobody"), number=number)
        yield found
