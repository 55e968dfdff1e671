"""Reading an LDAP directory: searches that are complete or fail, and the stream of changes of RFC 4533.

A search counts only if the result code is 0, all pages came (RFC 2696) and every ranged attribute
(``member;range=0-1499``) was read to its end; else it raises a `ReadFailed`, also after entries have been
handed out, so a consumer must keep nothing until the iterator has ended. Bounds of time, octets, values and
entries are in `LdapSettings`. Referrals are never followed; continuation references are counted
(`LdapSession.references`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from groupmilter.directory.entry import Entry
from groupmilter.directory.filter import literal
from groupmilter.directory.ldap_connection import Clock, LdapConnection, monotonic
from groupmilter.directory.ldap_matching import MATCHED_VALUES, is_value, matched_values
from groupmilter.directory.ldap_messages import (
    DONE,
    ENTRY,
    PAGED_RESULTS,
    REFERENCE,
    Attributes,
    Message,
    Search,
    SearchControl,
    entry,
    paged_control,
    paged_cookie,
    result,
    search_request,
)
from groupmilter.directory.ldap_ranges import Read, completed, is_ranged
from groupmilter.directory.ldap_settings import (
    NO_SUCH_OBJECT,
    Incomplete,
    LdapSettings,
    ReadFailed,
    Refused,
    Unreachable,
)
from groupmilter.directory.ldap_syncrepl import SYNC_REQUEST, Changed, Event, Mode, event, sync_request

_EVERYTHING = "(objectClass=*)"
_SCOPES = {"base": "BASE", "one": "LEVEL", "sub": "SUBTREE"}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the root DSE says: the OIDs of the server's controls, lower-case as they come."""

    controls: frozenset[str]

    @property
    def synchronises(self) -> bool:
        """Whether the server speaks RFC 4533."""
        return SYNC_REQUEST in self.controls


class Reader:
    """The servers of one directory."""

    def __init__(self, settings: LdapSettings, clock: Clock = monotonic) -> None:
        self.settings = settings
        self._clock = clock

    def connect(self) -> LdapSession:
        """Return a session with the first server that takes us; `Unreachable` names why each did not."""
        failures: list[str] = []
        for url in self.settings.urls:
            try:
                connection = LdapConnection.open(url, self.settings, self._clock)
            except ReadFailed as error:
                failures.append(str(error))
            else:
                return LdapSession(connection, self.settings, self._clock)
        raise Unreachable("; ".join(failures) or "no LDAP server is configured")


class LdapSession:
    """One connection with one operation at a time. Close it after any failure."""

    def __init__(self, connection: LdapConnection, settings: LdapSettings, clock: Clock) -> None:
        self.references = 0
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._matches: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._connection.url

    def close(self) -> None:
        """End the session and whatever runs in it."""
        self._connection.close()

    def capabilities(self) -> Capabilities:
        """Read the root DSE, on purpose and once."""
        root = self.read("", ("supportedControl",))
        if root is None:
            raise Incomplete(f"{self.url}: the root DSE can't be read")
        controls = root.get("supportedcontrol", ())
        return Capabilities(frozenset(control.decode("ascii", "replace") for control in controls))

    def read(
        self, name: str, attributes: tuple[str, ...], *controls: SearchControl, query: str = _EVERYTHING
    ) -> Attributes | None:
        """Return attributes of one entry, None where there is none; ranges are as the server cuts them.

        :param query: what it has to be besides (RFC 4515), as for `search`.
        """
        until = self._clock() + self._settings.operation_timeout
        number = self._send(Search(name, "BASE", query, attributes), *controls)
        found: Attributes | None = None
        while (received := self._connection.expect(number, until, "read")).tag != DONE:
            if received.tag == ENTRY:
                found = entry(received.body)[1]
        final = result(received.body)
        if final.code == NO_SUCH_OBJECT:
            return None
        if final.code != 0:
            raise Refused(f"{self.url}: read of {name!r}", final.code, final.text)
        return found

    def holding(self, name: str, wanted: Mapping[str, Sequence[bytes]]) -> Attributes:
        """Return which of some values an entry holds, as it spells them where the server can tell (RFC 3876).

        :param wanted: values by lower-case attribute; whatever else stands there, 100,000 values too, is not read.
        """
        if not any(wanted.values()):
            return {}
        if self._matches is None:
            self._matches = MATCHED_VALUES in self.capabilities().controls
        if self._matches:
            found = self.read(name, tuple(wanted), matched_values(wanted)) or {}
            return {attribute: found[attribute] for attribute in wanted if found.get(attribute)}
        return {
            attribute: tuple(
                value
                for value in values
                if self.read(name, ("1.1",), query=is_value(attribute, value)) is not None
            )
            for attribute, values in wanted.items()
        }

    def search(self, base: str, scope: str, query: str, attributes: tuple[str, ...]) -> Iterator[Entry]:
        """Yield all entries that a filter finds, page by page.

        :param scope: ``base``, ``one`` or ``sub``; below `base`, which may be another than the settings'.
        :param query: a filter as in RFC 4515, its values escaped by whoever wrote it.
        """
        asked = (*attributes, *self._settings.uuid_attributes)
        pages = self._pages(Search(base, _SCOPES[scope], query, asked))
        # Whoever takes the one entry and no more must not begin a search while this one hasn't ended: slapd keeps the
        # place of one paged search for each connection.
        for count, found in enumerate(list(pages) if scope == "base" else pages, 1):
            if count > self._settings.max_entries:
                raise Incomplete(f"{self.url}: more than {self._settings.max_entries} entries")
            yield self._entry(*found)

    def _pages(self, search: Search) -> Iterator[Read]:
        until = self._clock() + self._settings.load_timeout
        cookie = yield from self._page(search, b"", until)
        while cookie:
            cookie = yield from self._page(search, cookie, until)

    def _page(self, search: Search, cookie: bytes, until: float) -> Generator[Read, None, bytes]:
        """Yield DN and attributes of one page's entries; return the cookie for the next page."""
        control = paged_control(self._settings.page_size, cookie)
        number = self._send(search, control)
        ranged: list[Read] = []
        while (received := self._awaited(number, until)).tag != DONE:
            if received.tag == ENTRY:
                found = entry(received.body)
                if is_ranged(found[1]):
                    ranged.append(found)
                else:
                    yield found
            elif received.tag == REFERENCE:
                self.references += 1
        after = self._next_page(received)
        # Only now: the rest of a range is a search of its own on this connection.
        for name, attributes in ranged:
            yield name, completed(name, attributes, self.read, self._settings.max_values)
        return after

    def _awaited(self, number: int, until: float) -> Message:
        """Return the next message of a search: soon (`operation_timeout`), and before the whole load's
        end.
        """
        soon = self._clock() + self._settings.operation_timeout
        return self._connection.expect(number, min(soon, until), "search")

    def _next_page(self, received: Message) -> bytes:
        final = result(received.body)
        if final.code != 0:
            raise Refused(f"{self.url}: search", final.code, final.text)
        control = received.controls.get(PAGED_RESULTS)
        if control is None:
            raise Incomplete(f"{self.url}: the server ignored the paging control")
        return paged_cookie(control)

    def _entry(self, name: str, attributes: Attributes) -> Entry:
        _bounded(name, attributes, self._settings.max_values)
        for attribute in self._settings.uuid_attributes:
            values = attributes.get(attribute.lower())
            if values:
                return Entry(uuid_text(attribute, values[0]), name, attributes)
        raise Incomplete(f"{self.url}: {name} shows none of {', '.join(self._settings.uuid_attributes)}")

    def _send(self, search: Search, *controls: SearchControl) -> int:
        number = self._connection.number()
        self._connection.send(search_request(number, search, controls))
        return number

    def synchronise(
        self, mode: Mode, query: str, attributes: tuple[str, ...], cookie: bytes | None
    ) -> SyncStream:
        """Begin RFC 4533 below the settings' base; all else on this session has to wait until it has
        ended.
        """
        search = Search(self._settings.base, "SUBTREE", query, attributes)
        number = self._send(search, sync_request(mode, cookie))
        return SyncStream(self._connection, self._settings, number)


class SyncStream:
    """A running RFC 4533 search, and the keep-alive beside it on the same connection."""

    def __init__(self, connection: LdapConnection, settings: LdapSettings, number: int) -> None:
        self.answered = 0
        self.asked = 0
        self._connection = connection
        self._settings = settings
        self._number = number
        self._ping = 0

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._connection.url

    def receive(self, seconds: float) -> Event | None:
        """Return the next event, None where none came within the seconds or what came says nothing of
        content.
        """
        received = self._connection.receive(seconds)
        if received is None:
            return None
        if received.number == self._number:
            return self._bounded(event(received))
        if received.number == self._ping and received.tag == DONE:
            # Any result will do: it shows that somebody is there.
            self.answered += 1
        return None

    def ping(self) -> None:
        """Ask for the root DSE; `answered` catches up with `asked` when the server answers."""
        self.asked += 1
        self._ping = self._connection.number()
        self._connection.send(search_request(self._ping, Search("", "BASE", _EVERYTHING, ("1.1",))))

    def _bounded(self, read: Event | None) -> Event | None:
        if isinstance(read, Changed):
            attributes = read.entry.attributes
            if is_ranged(attributes):
                raise Incomplete(f"{self.url}: {read.entry.dn} came in ranges within a synchronisation")
            _bounded(read.entry.dn, attributes, self._settings.max_values)
        return read


def _bounded(name: str, attributes: Mapping[str, tuple[bytes, ...]], most: int) -> None:
    if any(len(found) > most for found in attributes.values()):
        raise Incomplete(f"{name} has an attribute with more than {most} values")


def uuid_text(attribute: str, value: bytes) -> str:
    """Return an entry's UUID as lower-case text, the same that the sync controls give.

    Active Directory's objectGUID is 16 octets in Windows' order; 389 Directory Server's nsUniqueId is the
    UUID's digits with the dashes elsewhere.
    """
    try:
        if attribute.lower() == "objectguid":
            return str(UUID(bytes_le=value))
        return str(UUID(value.decode("ascii").replace("-", "")))
    except ValueError as error:
        raise Incomplete(f"{attribute} {value!r} is no UUID") from error


def uuid_asserted(attribute: str, uuid: str) -> str:
    """Return a UUID as a filter compares it (`uuid_text` the other way round)."""
    if attribute.lower() == "objectguid":
        return "".join(f"\\{octet:02x}" for octet in UUID(uuid).bytes_le)
    if attribute.lower() == "nsuniqueid":
        digits = uuid.replace("-", "")
        return "-".join(digits[start : start + 8] for start in range(0, 32, 8))
    return literal(uuid)
