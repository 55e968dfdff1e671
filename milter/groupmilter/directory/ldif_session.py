"""An LDIF file where a server's session is wanted: it is searched and read, and takes no change.

What groups are to have beyond the file goes to the side store. Fails with `LdifError` for what is no usable LDIF, and
with `WriteRefused` for whatever would change the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self, TypeVar

from groupmilter.directory.change import READ_ONLY, WriteRefused
from groupmilter.directory.dn import normalise
from groupmilter.directory.entry import Entry
from groupmilter.directory.filter import matches, parse, prepared
from groupmilter.directory.ldap_messages import Attributes
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.directory.ldif import LdifError, read_file
from groupmilter.directory.profile import Profile
from groupmilter.directory.side_store import SideStore
from groupmilter.directory.sparse import Asked
from groupmilter.directory.writer import DirectoryUnavailable, Writer
from groupmilter.directory.writer_messages import Alternatives, Modification
from groupmilter.directory.writer_session import Answer, Lost, Session

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class LdifSession:
    """A file, read anew for each question.

    :param base: the suffix below which entries are seen.
    """

    path: Path
    base: str

    @property
    def url(self) -> str:
        """Where this is."""
        return f"ldif:{self.path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """End nothing: each question opens the file for itself."""

    def search(self, base: str, scope: str, query: str, attributes: tuple[str, ...]) -> Iterator[Entry]:  # noqa: ARG002
        """Yield the entries that a filter finds, whole.

        :param scope: ``base``: the entry of that name; else all below it.
        """
        wanted, name = parse(query), normalise(base)
        for entry in read_file(self.path, base):
            if scope == "base" and normalise(entry.dn) != name:
                continue
            values = {
                each: tuple(prepared(raw.decode("utf-8", "replace")) for raw in raws)
                for each, raws in entry.attributes.items()
            }
            if matches(wanted, values | {"entryuuid": (entry.uuid,)}):
                yield entry

    def holding(self, name: str, wanted: Asked) -> Attributes:
        """Return which attributes of an entry are asked about, whole: a file is read as a whole anyway."""
        entry = self.entry(name, ())
        return (
            {}
            if entry is None
            else {each: entry.attributes[each] for each in wanted if each in entry.attributes}
        )

    def entry(self, dn: str, attributes: Sequence[str], wanted: Asked | None = None) -> Entry | None:  # noqa: ARG002
        """Return an entry, whole; None where there is none."""
        return next(self.search(dn, "base", "(objectClass=*)", ()), None)

    @property
    def asserts(self) -> bool:
        """Nothing is changed here."""
        return False

    def modify(
        self,
        dn: str,  # noqa: ARG002
        modifications: Sequence[Modification],  # noqa: ARG002
        version: bytes = b"",  # noqa: ARG002
        staying: Sequence[Alternatives] = (),  # noqa: ARG002
    ) -> Answer:
        """Refuse."""
        self._refuse()

    def add(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> Answer:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def delete(self, dn: str, version: bytes = b"") -> Answer:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def classes(self, dn: str, attribute: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return none: nothing is added to a file."""
        return ()

    def _refuse(self) -> NoReturn:
        raise WriteRefused(READ_ONLY, file=self.url)


class LdifWriter(Writer):
    """Writes what the side store takes, beside the groups of a file."""

    def __init__(self, session: LdifSession, profile: Profile, placeholder: str, side: SideStore) -> None:
        super().__init__(LdapSettings((), session.base), profile, placeholder, side=side)
        self._file = session

    def _somewhere(
        self,
        once: Callable[[Session], Found],
        afterwards: Callable[[Lost], Found],  # noqa: ARG002 - nothing is lost
    ) -> Found:
        try:
            return once(self._file)
        except LdifError as error:
            raise DirectoryUnavailable(str(error)) from error
