"""Who has an address, asked of the directory itself and not of the mirror: what is written hangs on it.

Answers are complete or the question fails (`ReadFailed`); what was found is kept as long as the book is open, so that
thousands of members cost one search.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

from groupmilter.directory.dn import normalise, within
from groupmilter.directory.dynamic import MemberUrl
from groupmilter.directory.entry import Entry
from groupmilter.directory.filter import literal
from groupmilter.directory.ldap_messages import Attributes
from groupmilter.directory.ldap_settings import NO_SUCH_OBJECT, Refused
from groupmilter.directory.profile import Profile, Record
from groupmilter.directory.profile_source import Source
from groupmilter.directory.reader import uuid_asserted
from groupmilter.directory.searching import Searching, read_entry
from groupmilter.directory.sparse import Asked, short_attributes
from groupmilter.directory.writer_session import VERSION
from groupmilter.mail.address import canonical

_AT_ONCE = 50
_MANY = 1000
"""So many addresses are found faster by reading everybody's once than by asking for them."""

_NOWHERE = frozenset({10, NO_SUCH_OBJECT, 34})
"""Result codes for a DN below which this server finds nothing: a referral, no such object, no name at all."""
_NAMED = ((True, ("name",)), (False, ("name", "logins")))
_ADDRESSED = ((True, ("address", "aliases")), (False, ("addresses", "target")))


@dataclass(frozen=True, slots=True)
class Known:
    """One entry of the directory that has an address.

    :param addresses: canonical, the first one first.
    """

    dn: str
    group: bool
    name: str
    addresses: tuple[str, ...]

    @property
    def address(self) -> str:
        """The first address, empty where there is none."""
        return self.addresses[0] if self.addresses else ""

    def __str__(self) -> str:
        """Return the entry for people: name and DN."""
        return f"{'the group ' if self.group else ''}{self.name or self.address} ({self.dn})"


class AddressBook:
    """The entries of one directory by address and by DN. For one thread; `with` closes its connection.

    :param connect: opens a session, as the account that reads.
    :param own_domains: where the local part is compared without case.
    """

    def __init__(
        self, connect: Callable[[], Searching], profile: Profile, base: str, own_domains: frozenset[str]
    ) -> None:
        self._connect = connect
        self._profile = profile
        self._base = base
        self._own = own_domains
        self._session: Searching | None = None
        self._by_address: dict[str, tuple[Known, ...]] = {}
        self._by_dn: dict[str, Known | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _open(self) -> Searching:
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def key(self, address: str) -> str:
        """Return what two spellings of an address have in common."""
        return canonical(address, self._own) or address.casefold()

    def expect(self, entry: Known) -> None:
        """Know of an entry that is about to be made, before the directory does."""
        for address in entry.addresses:
            self._by_address[address] = (entry, *self._by_address.get(address, ()))
        self._by_dn[normalise(entry.dn) or entry.dn] = entry

    def forget(self) -> None:
        """Ask anew from here on."""
        self._by_address.clear()
        self._by_dn.clear()

    def having(self, addresses: Iterable[str]) -> dict[str, tuple[Known, ...]]:
        """Return who has each of some addresses, by the address as given; nobody: an empty tuple."""
        given = {address: self.key(address) for address in addresses}
        unknown = {key: address for address, key in given.items() if key not in self._by_address}
        at_once = len(unknown) if len(unknown) > _MANY else _AT_ONCE
        waiting = iter(unknown.items())
        while some := list(islice(waiting, at_once)):
            every = self._profile.filter()
            spelt = sorted({spelling for pair in some for spelling in pair})
            found: dict[str, dict[str, Known]] = defaultdict(dict)
            for entry in self._search(every if len(some) > _MANY else self._addressed(spelt)):
                self._by_dn[normalise(entry.dn) or entry.dn] = entry
                for address in entry.addresses:
                    found[address][entry.dn] = entry
            for key, _ in some:
                self._by_address[key] = tuple(found.get(key, {}).values())
        return {address: self._by_address[key] for address, key in given.items()}

    def named(self, names: Iterable[str]) -> dict[str, Known | None]:
        """Return the entries at some DNs, by the DN as given; None where none stands there."""
        given = {name: normalise(name) or name for name in names}
        for name, key in given.items():
            if key not in self._by_dn:
                self._by_dn[key] = self._at(name)
        return {name: self._by_dn[key] for name, key in given.items()}

    def entry(self, dn: str, *, whole: bool = True) -> Entry | None:
        """Return an entry as the server has it now; None where it has none.

        :param whole: whether with the lists that may be long (`sparse.LONG`).
        """
        attributes = self._profile.attributes() if whole else short_attributes(self._profile)
        return read_entry(self._open(), dn, (*attributes, VERSION))

    def holding(self, dn: str, wanted: Asked) -> Attributes:
        """Return which of some values an entry holds, as the server has it now."""
        return self._open().holding(dn, wanted)

    def bearing(self, uuid: str) -> tuple[Known, ...]:
        """Return the entries with a UUID, as the server has them now: one or none."""
        attribute = self._profile.uuid_attribute
        try:
            asserted = uuid_asserted(attribute, uuid)
        except ValueError:
            # No UUID at all.
            return ()
        return tuple(self._search(f"(&{self._profile.filter()}({attribute}={asserted}))"))

    def called(self, names: Sequence[str]) -> dict[str, tuple[Known, ...]]:
        """Return who bears each of some names: display name, ``cn`` or log-in, without case."""
        found: dict[str, dict[str, Known]] = {name: {} for name in names}
        attributes = self._naming()
        for name in names:
            terms = "".join(f"({attribute}={literal(name)})" for attribute in attributes)
            for entry in self._search(f"(&{self._profile.filter()}(|{terms}))"):
                found[name][entry.dn] = entry
        return {name: tuple(entries.values()) for name, entries in found.items()}

    def searchable(self, dn: str) -> bool:
        """Tell whether members may be searched for at a DN: within this directory's base, where something stands."""
        below, base = normalise(dn), normalise(self._base)
        if below is None or base is None or not within(below, base):
            return False
        try:
            next(self._open().search(dn, "base", "(objectClass=*)", ("objectClass",)), None)
        except Refused as error:
            if error.code in _NOWHERE:
                return False
            raise
        return True

    def matching(self, url: MemberUrl, most: int) -> tuple[Known, ...]:
        """Return the persons and groups that a member URL finds now, at most so many; its base is `searchable`."""
        wanted = f"(&{self._profile.filter()}{url.text})"
        found = list(islice(self._search(wanted, url.base, url.scope), most))
        if len(found) == most:
            # What the server still sends of this search must not meet the next one.
            self._close()
        return tuple(found)

    def _attributes(self) -> tuple[str, ...]:
        """Return the attributes that tell who an entry is; its members are none of them."""
        sources = (*self._sources(_ADDRESSED), *self._sources(_NAMED))
        return tuple(dict.fromkeys(("objectClass", *(source.attribute for source in sources))))

    def _sources(self, parts: Iterable[tuple[bool, Sequence[str]]]) -> list[Source]:
        mapped = (self._profile.mapped(field, group=group) for group, fields in parts for field in fields)
        return [source for each in mapped for source in each.sources]

    def _naming(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(source.attribute for source in self._sources(_NAMED)))

    def _addressed(self, addresses: Iterable[str]) -> str:
        sources = self._sources(_ADDRESSED)
        places = dict.fromkeys((source.attribute, (source.prefix or "").lower()) for source in sources)
        terms = (f"({name}={literal(prefix + each)})" for each in addresses for name, prefix in places)
        return f"(|{''.join(terms)})"

    def _search(self, query: str, base: str | None = None, scope: str = "sub") -> Iterator[Known]:
        below = self._base if base is None else base
        for entry in self._open().search(below, scope, query, self._attributes()):
            record = self._profile.read(entry)
            if record is not None:
                yield self._known(record)

    def _at(self, name: str) -> Known | None:
        entry = read_entry(self._open(), name, self._attributes()) if normalise(name) else None
        record = None if entry is None else self._profile.read(entry)
        return None if record is None else self._known(record)

    def _known(self, record: Record) -> Known:
        fields = _ADDRESSED[0][1] if record.group else ("target", "addresses")
        written = [address for field in fields for address in record.texts(field)]
        return Known(
            record.dn,
            record.group,
            str(record.fields.get("name") or ""),
            tuple(dict.fromkeys(map(self.key, written))),
        )
