"""One connection to a server that takes changes: reading an entry as it is now, and writing with the answer kept.

A request that was sent and not answered raises `Lost`: it may have happened. Answers by which another server should be
tried (busy, unavailable, a referral, which is never followed) are `Refused`; all others are returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from groupmilter.directory.change import WriteRefused
from groupmilter.directory.entry import Entry
from groupmilter.directory.ldap_connection import Clock, LdapConnection
from groupmilter.directory.ldap_messages import SearchControl, result
from groupmilter.directory.ldap_settings import Incomplete, LdapSettings, ReadFailed, Refused
from groupmilter.directory.reader import LdapSession
from groupmilter.directory.searching import read_entry
from groupmilter.directory.sparse import Asked, sparse
from groupmilter.directory.writer_messages import (
    ADDED,
    ASSERTION,
    DELETED,
    MODIFIED,
    PROXIED_AUTHORIZATION,
    Alternatives,
    Modification,
    acting_for,
    add_request,
    assertion,
    classes_with,
    delete_request,
    modify_request,
    referral,
)
from groupmilter.language.catalogue import marked

SUCCESS = 0
REFERRAL = 10
BUSY, UNAVAILABLE = 51, 52
VERSION = "entrycsn"


_ALL: Asked = MappingProxyType({})


class Lost(Exception):
    """A change was sent and no answer came: whether it happened is not known. The message says what came instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer to a change: result code (RFC 4511 appendix A) and its words."""

    code: int
    text: str


class Session(Protocol):
    """What writes, and reads what is there: a server, or a file that takes nothing."""

    @property
    def url(self) -> str:
        """Where this is."""

    def entry(self, dn: str, attributes: Sequence[str], wanted: Asked = _ALL) -> Entry | None:
        """Return an entry with its version; None where there is none.

        :param wanted: attributes of which only these values are of interest.
        """

    @property
    def asserts(self) -> bool:
        """Whether conditions of a change can be checked here."""

    def modify(
        self,
        dn: str,
        modifications: Sequence[Modification],
        version: bytes = b"",
        staying: Sequence[Alternatives] = (),
    ) -> Answer:
        """Change an entry."""

    def add(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> Answer:
        """Make an entry."""

    def delete(self, dn: str, version: bytes = b"") -> Answer:
        """Remove an entry."""

    def classes(self, dn: str, attribute: str) -> tuple[str, ...]:
        """Return the auxiliary classes that may hold an attribute."""


class WriterSession:
    """One open connection. For one operation at a time; of no use after a failure."""

    def __init__(self, connection: LdapConnection, settings: LdapSettings, clock: Clock) -> None:
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._reading = LdapSession(connection, settings, clock)
        self._offered: frozenset[str] | None = None

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._connection.url

    def entry(self, dn: str, attributes: Sequence[str], wanted: Asked = _ALL) -> Entry | None:
        """Return an entry as this server has it, with its version; None where there is none.

        :param wanted: attributes, not among the others, of which only these values are read.
        """
        asked = tuple(dict.fromkeys((*attributes, "objectClass", VERSION)))
        entry = read_entry(self._reading, dn, asked)
        return entry if entry is None or not wanted else sparse(entry, self._reading.holding(dn, wanted))

    @property
    def asserts(self) -> bool:
        """Whether the server can make a change depend on what is there (RFC 4528)."""
        return self._offers(ASSERTION)

    def modify(
        self,
        dn: str,
        modifications: Sequence[Modification],
        version: bytes = b"",
        staying: Sequence[Alternatives] = (),
    ) -> Answer:
        """Change an entry, where the server can tell (RFC 4528) only while conditions hold.

        :param version: that it still has. ``staying``: of each of these, one value is there.
        """
        controls = self._controls(version, staying)
        return self._written(
            "modify", MODIFIED, lambda number: modify_request(number, dn, modifications, controls)
        )

    def add(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> Answer:
        """Make an entry."""
        controls = self._controls(b"")
        return self._written("add", ADDED, lambda number: add_request(number, dn, attributes, controls))

    def delete(self, dn: str, version: bytes = b"") -> Answer:
        """Remove an entry; ``version`` as for `modify`."""
        controls = self._controls(version)
        return self._written("delete", DELETED, lambda number: delete_request(number, dn, controls))

    def classes(self, dn: str, attribute: str) -> tuple[str, ...]:
        """Return the auxiliary classes that may hold an attribute, as the schema that governs an entry says."""
        found = (self._reading.read(dn, ("subschemaSubentry",)) or {}).get("subschemasubentry", ())
        if not found:
            return ()
        schema = self._reading.read(found[0].decode("utf-8", "replace"), ("objectClasses",)) or {}
        return classes_with(
            attribute, (raw.decode("utf-8", "replace") for raw in schema.get("objectclasses", ()))
        )

    def _controls(self, version: bytes, staying: Sequence[Alternatives] = ()) -> tuple[SearchControl, ...]:
        """Return what goes along with a change: while what the entry has it happens, and on whose behalf."""
        controls: list[SearchControl] = []
        conditions = [*([((VERSION, version),)] if version else []), *staying]
        if conditions and self.asserts:
            controls.append(assertion(conditions))
        if self._settings.acting_for:
            if not self._offers(PROXIED_AUTHORIZATION):
                lacks = marked(
                    "{server} has no proxied authorization (RFC 4370), which directory.write.as_person wants"
                )
                raise WriteRefused(lacks, server=self.url)
            controls.append(acting_for(self._settings.acting_for))
        return tuple(controls)

    def _offers(self, control: str) -> bool:
        if self._offered is None:
            self._offered = self._reading.capabilities().controls
        return control in self._offered

    def _written(self, what: str, tag: int, request: Callable[[int], bytes]) -> Answer:
        number = self._connection.number()
        until = self._clock() + self._settings.operation_timeout
        try:
            self._connection.send(request(number))
            received = self._connection.expect(number, until, what)
            if received.tag != tag:
                raise Incomplete(f"{self.url}: a wrong answer to {what}")
            final = result(received.body)
            elsewhere = referral(received.body)
        except ReadFailed as error:
            raise Lost(str(error)) from error
        if final.code == REFERRAL:
            words = f"{final.text} (a read-only replica; it refers to {elsewhere or 'nobody'}, which is not followed:"
            raise Refused(
                f"{self.url}: {what}", REFERRAL, f"{words} directory.write.url names who takes changes)"
            )
        if final.code in (BUSY, UNAVAILABLE):
            raise Refused(f"{self.url}: {what}", final.code, final.text)
        return Answer(final.code, final.text)
