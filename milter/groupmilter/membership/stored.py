"""A group as the directory has it now, read without its members, who may be 100,000, as long as nobody asks about them.

Raises `NoSuchGroup`, and `ReadFailed` where the directory can't be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groupmilter.directory.change import Change
from groupmilter.directory.entry import Entry
from groupmilter.directory.profile import Profile
from groupmilter.directory.sparse import asked, sparse
from groupmilter.directory.writer_session import VERSION
from groupmilter.membership.address_book import AddressBook

_MOST_ASKED = 1000
"""So many values of a long list are found faster by reading all of it."""


class NoSuchGroup(Exception):
    """No group of the directory has this address."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A group as the directory has it now.

    :param whole: whether with all its members, or only with those that somebody asked about.
    """

    address: str
    entry: Entry
    whole: bool = True


def read(book: AddressBook, dn: str, address: str) -> Stored | None:
    """Return the group at a DN without its members; None where nothing stands there.

    On a server that keeps no version only the content itself tells whether anybody has changed anything, so there it is
    the whole entry.
    """
    entry = book.entry(dn, whole=False)
    if entry is None or VERSION in entry.attributes:
        return None if entry is None else Stored(address, entry, whole=False)
    entry = book.entry(dn)
    return None if entry is None else Stored(address, entry)


def whole(book: AddressBook, group: Stored) -> Stored:
    """Return a group with all its members; `NoSuchGroup` where it is gone."""
    entry = group.entry if group.whole else book.entry(group.entry.dn)
    if entry is None or entry.uuid != group.entry.uuid:
        raise NoSuchGroup(f"there is no group {group.entry.dn} any more")
    return Stored(group.address, entry)


def knowing(book: AddressBook, profile: Profile, group: Stored, about: Sequence[Change] | None) -> Stored:
    """Return a group with those of its members that some changes are about; with all of them for None."""
    wanted = {} if about is None else asked(profile, group.entry.dn, about)
    if about is None or sum(map(len, wanted.values())) > _MOST_ASKED:
        return whole(book, group)
    return replace(group, entry=sparse(group.entry, book.holding(group.entry.dn, wanted)))
