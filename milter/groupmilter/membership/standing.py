"""Where a person stands in the directory at this moment: the groups that hold him at any depth, asked of the server.

The mirror may be seconds old, and a right that was taken away a second ago is no right. Groups that hold somebody by
name are found by searches upwards; only where those don't lead far enough are the groups looked at that hold members by
a search of their own (``memberURL``). Answers are complete or the question fails (`ReadFailed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from groupmilter.directory.dn import normalise
from groupmilter.directory.dynamic import MemberUrl, UrlError, parse_url
from groupmilter.directory.filter import literal, needs_server
from groupmilter.directory.profile import Profile, Record
from groupmilter.directory.searching import Searching, read_entry
from groupmilter.directory.sparse import short_attributes

_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Dynamic:
    """A group with member URLs."""

    record: Record
    urls: tuple[MemberUrl, ...]
    excluded: frozenset[str]


class Ascent:
    """The way up from one person, as far as it has been asked for. For one thread, as long as the session is open."""

    def __init__(self, session: Searching, profile: Profile, base: str, person: Record) -> None:
        self._session = session
        self._profile = profile
        self._base = base
        self._reached: dict[str, Record] = {normalise(person.dn) or person.dn: person}
        self._waiting: list[Record] = [person]
        self._dynamic: tuple[_Dynamic, ...] | None = None

    def reaches(self, names: Iterable[str]) -> bool:
        """Tell whether one of these DNs is the person's own, or a group's that holds him at any depth."""
        wanted = {key for name in names if (key := normalise(name))}
        if not wanted:
            return False
        self._climb()
        while wanted.isdisjoint(self._reached) and self._leap():
            self._climb()
        return not wanted.isdisjoint(self._reached)

    def _climb(self) -> None:
        """Go up through all groups that hold what was reached by name."""
        while self._waiting:
            some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            for record in (*self._holding(some), *self._told(some)):
                self._reach(record)

    def _reach(self, record: Record) -> None:
        key = normalise(record.dn) or record.dn
        if record.group and key not in self._reached:
            self._reached[key] = record
            self._waiting.append(record)

    def _holding(self, some: Iterable[Record]) -> Iterator[Record]:
        places = [source.attribute for source in self._profile.mapped("members").sources]
        terms = "".join(f"({place}={literal(one.dn)})" for one in some for place in dict.fromkeys(places))
        yield from self._search(f"(|{terms})")

    def _told(self, some: Iterable[Record]) -> Iterator[Record]:
        """Yield the groups that entries themselves name, in directories where membership stands there too."""
        for name in dict.fromkeys(name for one in some for name in one.names.get("member_of", ())):
            entry = read_entry(self._session, name, self._attributes())
            record = None if entry is None else self._profile.read(entry)
            if record is not None:
                yield record

    def _leap(self) -> bool:
        """Reach the groups whose member URLs find what was reached; tell whether there were any."""
        if self._dynamic is None:
            self._dynamic = tuple(self._dynamic_groups())
        before = len(self._reached)
        for group in self._dynamic:
            if (normalise(group.record.dn) or group.record.dn) not in self._reached and self._holds(group):
                self._reach(group.record)
        return len(self._reached) > before

    def _dynamic_groups(self) -> Iterator[_Dynamic]:
        places = dict.fromkeys(source.attribute for source in self._profile.mapped("member_urls").sources)
        if not places:
            return
        for record in self._search(f"(|{''.join(f'({place}=*)' for place in places)})"):
            urls = tuple(_parsed(record.texts("member_urls")))
            excluded = frozenset(filter(None, map(normalise, record.names.get("excluded", ()))))
            if record.group and urls:
                yield _Dynamic(record, urls, excluded)

    def _holds(self, group: _Dynamic) -> bool:
        return any(
            self._found(url, dn, record)
            for dn, record in self._reached.items()
            if dn not in group.excluded
            for url in group.urls
        )

    def _found(self, url: MemberUrl, dn: str, record: Record) -> bool:
        if not url.covers(dn):
            return False
        if not needs_server(url.filter, self._profile.filter_attributes):
            return url.matches(dn, record.values)
        return any(True for _ in self._session.search(record.dn, "base", url.text, ("objectClass",)))

    def _search(self, query: str) -> Iterator[Record]:
        wanted = f"(&{self._profile.filter()}{query})"
        entries = self._session.search(self._base, "sub", wanted, self._attributes())
        yield from (record for each in entries if (record := self._profile.read(each)) is not None)

    def _attributes(self) -> tuple[str, ...]:
        """Return what is read of a group on the way; its members, who may be 100,000, are none of it."""
        return short_attributes(self._profile)


def _parsed(urls: Iterable[str]) -> Iterator[MemberUrl]:
    for url in urls:
        try:
            yield parse_url(url)
        except UrlError:
            # A finding of the mirror's; nobody is a member by it.
            continue
