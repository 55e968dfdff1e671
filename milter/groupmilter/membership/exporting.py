"""Groups as a table, one to a row, that `importing` reads again: people by address, the rest in people's words.

An entry that is gone, or has no address, stands there by its DN. Raises as `service` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from groupmilter.directory.dn import normalise
from groupmilter.directory.modification import is_placeholder
from groupmilter.directory.profile_fields import GROUP, Form
from groupmilter.membership.service import Groups, NoSuchGroup, Stored, Tick
from groupmilter.membership.table import joined
from groupmilter.membership.vocabulary import ADDRESSES_OF, LISTS, SINGLES, written

_LANGUAGE = ";lang-"

_FIRST = ("address", "name", "aliases", "owners", "members")
COLUMNS = (*_FIRST, *(name for name in (*SINGLES, *LISTS) if name not in _FIRST))


def row(groups: Groups, group: Stored) -> dict[str, str]:
    """Return a group's cells by column; a field that nobody has set is an empty cell."""
    cells = {"address": str(groups.value(group, "address"))}
    for name in SINGLES[1:]:
        cells[name] = _single(groups, group, name)
    for language in _languages(groups, group):
        tip = groups.value(group, "mail_tip", language)
        cells[f"mail_tip.{language}"] = tip if isinstance(tip, str) else ""
    for name in LISTS:
        cells[name] = joined(listed(groups, group, name))
    return cells


def rows(groups: Groups, addresses: Sequence[str], tick: Tick = lambda _: None) -> Iterator[dict[str, str]]:
    """Yield the cells of some groups, as the directory has them now; what is gone meanwhile is left out.

    :param tick: is told of each group, so that somebody sees how far it is.
    """
    groups.book.having(addresses)
    for address in addresses:
        with suppress(NoSuchGroup):
            yield row(groups, groups.whole(groups.stored(address)))
        tick(1)


def columns(content: list[dict[str, str]]) -> tuple[str, ...]:
    """Return the columns of a table, with one for each language that a mail tip has."""
    more = sorted({name for cells in content for name in cells} - set(COLUMNS))
    return (*COLUMNS, *more)


def _single(groups: Groups, group: Stored, name: str) -> str:
    value = groups.value(group, name)
    mapped = groups.writer.profile.mapped(name)
    set_ = any(group.entry.attributes.get(source.attribute) for source in mapped.sources)
    return written(value) if set_ and isinstance(value, bool | int | str) else ""


def _languages(groups: Groups, group: Stored) -> Iterator[str]:
    attributes = {source.attribute for source in groups.writer.profile.mapped("mail_tip").sources}
    for name in group.entry.attributes:
        base, option, language = name.partition(_LANGUAGE)
        if option and base in attributes:
            yield language


def listed(groups: Groups, group: Stored, name: str, *, named: bool = True) -> Iterator[str]:
    """Yield the values of a list: who has an address by that, without placeholder; outsiders after them.

    :param named: whether addresses are looked up; else entries stand by their DNs.
    """
    values = groups.value(group, name)
    there = values if isinstance(values, tuple) else ()
    if GROUP[name].form is Form.NAMES:
        placeholder = normalise(groups.writer.placeholder) or ""
        names = [value for value in there if not is_placeholder(value.encode(), placeholder)]
        found = groups.book.named(names) if named else {}
        yield from (known.address if (known := found.get(each)) and known.address else each for each in names)
        if second := ADDRESSES_OF.get(name):
            more = groups.value(group, second)
            yield from more if isinstance(more, tuple) else ()
        return
    address = groups.book.key(group.address)
    yield from (value for value in there if name != "aliases" or groups.book.key(value) != address)
