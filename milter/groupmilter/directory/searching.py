"""An open directory that can be searched, whatever stands behind it, and one entry of it.

Answers are complete or the question fails (`ldap_settings.ReadFailed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self

from groupmilter.directory.entry import Entry
from groupmilter.directory.ldap_messages import Attributes
from groupmilter.directory.ldap_settings import NO_SUCH_OBJECT, Refused
from groupmilter.directory.sparse import Asked


class Searching(Protocol):
    """An open directory: a server's, that of a file, or one with the side store."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def search(self, base: str, scope: str, query: str, attributes: tuple[str, ...]) -> Iterator[Entry]:
        """Yield all entries that a filter finds, as `reader.LdapSession.search` does."""

    def holding(self, name: str, wanted: Asked) -> Attributes:
        """Return which of some values an entry holds, as `reader.LdapSession.holding` does."""

    def close(self) -> None:
        """End it."""


def read_entry(session: Searching, dn: str, attributes: Iterable[str]) -> Entry | None:
    """Return an entry as the server has it now, None where it has none."""
    try:
        return next(session.search(dn, "base", "(objectClass=*)", tuple(attributes)), None)
    except Refused as error:
        if error.code == NO_SUCH_OBJECT:
            return None
        raise
