"""Who is meant by a part of a name in a field for people: by the words that find him among the suggestions, too.

Asked of the mirror, for what is shown; whoever is meant is looked up in the directory. Raises `DirectoryUnknown`.
"""

from __future__ import annotations

from functools import partial

from groupmilter.directory.catalogue import Window
from groupmilter.directory.folding import folded
from groupmilter.membership.address_book import Known
from groupmilter.membership.pasted import Recognise
from groupmilter.membership.service import Groups
from groupmilter.panel.look import looked
from groupmilter.panel.sight import knows
from groupmilter.panel.visit import Visit
from groupmilter.panel.wishing import Reading

_LOOKED_AT = Window(limit=200)
_SHORTEST = 2


def recognising(visit: Visit) -> Recognise:
    """Return what finds those of whose name some words are a part, whole words, of whom the visitor may know."""

    def found(text: str) -> tuple[Known, ...]:
        plain = text.replace(",", " ")
        if len(plain.strip()) < _SHORTEST:
            return ()
        page = looked(visit, lambda look: look.lists.choices(plain, _LOOKED_AT))
        if page.total > _LOOKED_AT.limit:
            # Who isn't looked at could be one more.
            return ()
        wanted = _words(plain)
        return tuple(
            Known(each.dn, each.group, each.name, (each.address,) if each.address else ())
            for each in page.rows
            if wanted <= _words(each.name)
        )

    return found


def reading(visit: Visit, groups: Groups) -> Reading:
    """Return what reads the names in a form on behalf of its visitor."""
    return Reading(groups, partial(knows, visit), recognising(visit))


def _words(text: str) -> frozenset[str]:
    return frozenset(folded(text.replace(",", " ")).split())
