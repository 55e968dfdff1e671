"""A session whose entries come together with what the side store has for them.

A filter may ask for a field of the side store under its attribute's name, by equality or presence; the server is then
asked for the entries that have it. So nobody who reads groups needs to know which field stands where. Fails as the
session below does, or with `SideStoreUnavailable`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

from groupmilter.directory.entry import Entry
from groupmilter.directory.ldap_messages import Attributes
from groupmilter.directory.searching import Searching
from groupmilter.directory.side_store import NOTHING, PREFIX, SideStore, is_beside, merged
from groupmilter.directory.sparse import Asked
from groupmilter.directory.synchroniser_side import queries

_AT_ONCE = 300
_TERM = re.compile(rf"\({re.escape(PREFIX)}([a-z_]+)=([^()]*)\)")
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2})")
_NOBODY = "(!(objectClass=*))"


@dataclass(frozen=True, slots=True)
class SideSession:
    """The directory and the side store as one.

    :param uuid: the attribute with an entry's UUID.
    """

    session: Searching
    side: SideStore
    uuid: str

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; the side store stays open."""
        self.session.close()

    def holding(self, name: str, wanted: Asked) -> Attributes:
        """Return which of some values an entry holds in the directory."""
        return self.session.holding(name, wanted)

    def search(self, base: str, scope: str, query: str, attributes: tuple[str, ...]) -> Iterator[Entry]:
        """Yield all entries that a filter finds, whole or by the attributes asked for, and what stands beside them."""
        asked = tuple(name for name in attributes if not is_beside(name))
        entries = iter(self.session.search(base, scope, self._translated(query), asked))
        while some := list(islice(entries, _AT_ONCE)):
            values = self.side.of(entry.uuid for entry in some)
            yield from (merged(entry, values.get(entry.uuid, NOTHING)) for entry in some)

    def _translated(self, query: str) -> str:
        """Return a filter that the server understands, with entries in place of what it has no attribute for."""
        if f"({PREFIX}" not in query:
            return query
        wanted: dict[str, set[str]] = {}
        for field, value in _TERM.findall(query):
            wanted.setdefault(field, set()).add(_unescaped(value))
        found = {
            (field, value): self._entries(field, value)
            for field, values in wanted.items()
            for value in values
        }
        return _TERM.sub(lambda term: found[term[1], _unescaped(term[2])], query)

    def _entries(self, field: str, value: str) -> str:
        held = self.side.having((field,)) if value == "*" else self.side.holding((field,), (value,))
        terms = "".join(query for _, query in queries(held, self.uuid))
        return f"(|{terms})" if terms else _NOBODY


def _unescaped(value: str) -> str:
    """Return a value as it was before RFC 4515 section 3 made it part of a filter."""
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), value.encode()).decode(
        "utf-8", "replace"
    )
