"""Dynamic members: LDAP URLs (RFC 4516) evaluated against what the mirror keeps of each entry. Pure.

An index over the URLs asks, of one entry, only the URLs that could match it, so that one person's change
costs the same with ten dynamic groups as with ten thousand. A URL that isn't usable is `UrlError`, with the
reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from groupmilter.directory import filter as filters
from groupmilter.directory.dn import normalise, parent, within
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Spoken

_SCOPES = ("base", "one", "sub")
_NONE: frozenset[int] = frozenset()
_SCHEME = "ldap:///"
_EVERYTHING = "(objectClass=*)"


class UrlError(Spoken):
    """The member URL can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class MemberUrl:
    """One parsed member URL.

    :param base: as written, unescaped; ``below`` is its normalised form.
    :param text: the filter as written, for a search.
    """

    base: str
    below: str
    scope: str
    text: str
    filter: filters.Filter

    def covers(self, dn: str) -> bool:
        """Tell whether a normalised DN is within base and scope."""
        if self.scope == "sub":
            return within(dn, self.below)
        return dn == self.below if self.scope == "base" else parent(dn) == self.below

    def matches(self, dn: str, values: filters.Values) -> bool:
        """Tell whether the entry at a normalised DN, with these prepared values, is a member."""
        return self.covers(dn) and filters.matches(self.filter, values)


def parse_url(url: str) -> MemberUrl:
    """Parse ``ldap:///base?attributes?scope?filter`` (RFC 4516); raise `UrlError`.

    A host is refused: members come from this directory. The default scope is ``base``, as the RFC has it.
    """
    scheme, _, rest = url.strip().partition("://")
    if scheme.lower() not in ("ldap", "ldaps", "ldapi"):
        raise UrlError(marked("it doesn't begin with {scheme}"), scheme=_SCHEME)
    host, slash, rest = rest.partition("/")
    if host or not slash:
        raise UrlError(
            marked("it names a host; members come from this directory only ({scheme})"), scheme=_SCHEME
        )
    parts = [_unquoted(part) for part in rest.split("?")]
    if len(parts) > 5 or (len(parts) == 5 and "!" in parts[4]):
        raise UrlError(marked("it asks for an extension"))
    base, _, scope, text = [*parts, "", "", ""][:4]
    return _checked(base, scope.strip().lower() or "base", text.strip() or _EVERYTHING)


def _checked(base: str, scope: str, text: str) -> MemberUrl:
    below = normalise(base)
    if below is None:
        raise UrlError(marked("“{base}” is no distinguished name"), base=base)
    if scope not in _SCOPES:
        raise UrlError(marked("“{scope}” is no scope (base, one, sub)"), scope=scope)
    try:
        wanted = filters.parse(text if text.startswith("(") else f"({text})")
    except filters.FilterError as error:
        raise UrlError(marked("its filter is malformed: {why}"), why=error) from error
    return MemberUrl(base, below, scope, text if text.startswith("(") else f"({text})", wanted)


def _unquoted(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UrlError(marked("its percent escapes are no UTF-8")) from error


class UrlIndex:
    """The URLs of all groups, by number of the group; finds the groups that one entry belongs to."""

    def __init__(self) -> None:
        self._urls: dict[int, tuple[MemberUrl, ...]] = {}
        self._keyed: dict[filters.Key, set[int]] = {}
        self._always: set[int] = set()
        self._attributes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._urls)

    def __iter__(self) -> Iterator[int]:
        return iter(self._urls)

    def __contains__(self, group: int) -> bool:
        return group in self._urls

    def urls(self, group: int) -> tuple[MemberUrl, ...]:
        """Return the URLs of a group."""
        return self._urls.get(group, ())

    def replace(self, group: int, urls: Iterable[MemberUrl]) -> None:
        """Set the URLs of a group; none takes it out."""
        self._forget(group)
        kept = tuple(urls)
        if not kept:
            return
        self._urls[group] = kept
        for key in self._keys(kept):
            if key is None:
                self._always.add(group)
            else:
                self._keyed.setdefault(key, set()).add(group)
                self._attributes[key[0]] = self._attributes.get(key[0], 0) + 1

    def _forget(self, group: int) -> None:
        for key in self._keys(self._urls.pop(group, ())):
            if key is None:
                self._always.discard(group)
                continue
            self._keyed[key].discard(group)
            if not self._keyed[key]:
                del self._keyed[key]
            self._attributes[key[0]] -= 1
            if not self._attributes[key[0]]:
                del self._attributes[key[0]]

    @staticmethod
    def _keys(urls: tuple[MemberUrl, ...]) -> set[filters.Key | None]:
        found: set[filters.Key | None] = set()
        for url in urls:
            found.update(filters.keys(url.filter) or (None,))
        return found

    def groups_of(self, dn: str, values: filters.Values) -> set[int]:
        """Return the groups one of whose URLs matches the entry, save the entry's own number."""
        candidates = self._always
        for attribute in self._attributes:
            for value in values.get(attribute, ()):
                candidates = candidates | self._keyed.get((attribute, value), _NONE)
        return {group for group in candidates if any(url.matches(dn, values) for url in self._urls[group])}
