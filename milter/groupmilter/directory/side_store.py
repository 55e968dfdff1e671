"""The side store as the directory sees it: canonical fields of groups that the schema has no attribute for.

Its values are part of an entry under attribute names that no directory can have, so the profile reads them and the
writer changes them like any others. Where they are kept is for whoever brings a `SideStore`. What can't be read or
written there is `SideStoreUnavailable`, never an empty field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from groupmilter.directory.dn import normalise
from groupmilter.directory.entry import Entry
from groupmilter.directory.profile_fields import GROUP, Form
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.mail.address import canonical, pattern

# RFC 4512 section 1.4: no attribute description holds a colon.
PREFIX = "side:"
SEVERAL = frozenset({Form.ADDRESSES, Form.PATTERNS, Form.NAMES, Form.URLS, Form.TEXTS})
NEVER_BESIDE = frozenset({"member_of"})
"""Fields that other entries hold."""

SideValues = Mapping[str, tuple[str, ...]]
"""Values by label: a canonical field, with the language where it has one (``mail_tip;lang-fr``)."""

NOTHING: SideValues = {}


class SideStoreUnavailable(DirectoryUnknown):
    """The side store can't be read or written now; nothing was changed in it."""


@dataclass(frozen=True, slots=True)
class SideChange:
    """Values that leave a field and values that come, as they are spelt.

    :param label: see `SideValues`. ``stay``: values of which one has to be there still, where there are any.
    """

    label: str
    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    stay: tuple[str, ...] = ()


class SideStore(Protocol):
    """What the writer and whoever reads groups need; raises `SideStoreUnavailable`."""

    def of(self, uuids: Iterable[str]) -> Mapping[str, SideValues]:
        """Return what is kept for entries, by UUID; only those for which there is something."""

    def holding(self, fields: Sequence[str], values: Iterable[str]) -> frozenset[str]:
        """Return the UUIDs of the entries that have one of some values in one of some fields."""

    def having(self, fields: Sequence[str]) -> frozenset[str]:
        """Return the UUIDs of the entries that have any value in one of some fields."""

    def change(self, uuid: str, dn: str, changes: Sequence[SideChange]) -> bool:
        """Make all changes or none.

        None, and False, where a value to go isn't there, one to come is, or none is there of those that are to stay.
        """

    def forget(self, uuid: str) -> None:
        """Take away everything that is kept for an entry that was deleted."""


class SideFeed(Protocol):
    """What the synchroniser follows; raises `SideStoreUnavailable`."""

    def stirred(self) -> bool:
        """Tell whether anything may have changed since the last call; costs next to nothing."""

    def serial(self) -> int:
        """Return the number of the last change."""

    def everything(self) -> Mapping[str, SideValues]:
        """Return all values, by UUID; also the entries of which only a trace is left, with no values."""

    def since(self, serial: int) -> Mapping[str, SideValues]:
        """Return the same for entries changed after a number."""


class NoSideStore:
    """Stands for the side store where none is used: nothing is kept, and nothing can be."""

    def of(self, uuids: Iterable[str]) -> Mapping[str, SideValues]:  # noqa: ARG002 - the protocol's
        """Return nothing."""
        return {}

    def holding(self, fields: Sequence[str], values: Iterable[str]) -> frozenset[str]:  # noqa: ARG002
        """Return nobody."""
        return frozenset()

    def having(self, fields: Sequence[str]) -> frozenset[str]:  # noqa: ARG002
        """Return nobody."""
        return frozenset()

    def change(self, uuid: str, dn: str, changes: Sequence[SideChange]) -> bool:  # noqa: ARG002
        """Refuse: no profile that knows of no side store plans such a change."""
        raise SideStoreUnavailable(f"{dn}: there is no side store")

    def forget(self, uuid: str) -> None:
        """Forget nothing."""


def attribute_of(field: str) -> str:
    """Return the name under which a field of the side store is part of an entry."""
    return f"{PREFIX}{field}"


def is_beside(attribute: str) -> bool:
    """Tell whether an attribute is one of the side store."""
    return attribute.startswith(PREFIX)


def label_of(attribute: str) -> str:
    """Return what `SideValues` call an attribute of the side store."""
    return attribute.removeprefix(PREFIX)


def is_single(label: str) -> bool:
    """Tell whether a field has one value at most; the address is one, whatever its form."""
    field = label.partition(";")[0]
    return field == "address" or GROUP[field].form not in SEVERAL


def key_by(form: Form, text: str) -> str:
    """Return what two spellings of one value have in common."""
    if form is Form.NAMES:
        return normalise(text) or text.casefold()
    if form is Form.ADDRESSES:
        return (canonical(text) or text).casefold()
    if form is Form.PATTERNS:
        return str(pattern(text) or text.casefold())
    return text


def digest_of(label: str, text: str) -> str:
    """Return by what a value is found in a field: the same for each spelling of it."""
    field = label.partition(";")[0]
    return hashlib.sha256(f"{field}\0{key_by(GROUP[field].form, text)}".encode()).hexdigest()[:32]


def merged(entry: Entry, values: SideValues) -> Entry:
    """Return an entry together with what the side store has for it, in place of what it had of that before."""
    beside = {attribute_of(label): tuple(map(str.encode, texts)) for label, texts in values.items() if texts}
    own = entry.attributes
    if not beside and not any(map(is_beside, own)):
        return entry
    return replace(entry, attributes={n: raws for n, raws in own.items() if not is_beside(n)} | beside)


def signature(values: SideValues) -> bytes:
    """Return a digest of what is kept for an entry, whatever the order; empty for nothing."""
    kept = sorted((label, sorted(texts)) for label, texts in values.items() if texts)
    return (
        hashlib.blake2b(repr(kept).encode("utf-8", "surrogatepass"), digest_size=16).digest() if kept else b""
    )


def values_of(entry: Entry) -> SideValues:
    """Return what of an entry came from the side store."""
    return {
        label_of(name): tuple(raw.decode("utf-8", "replace") for raw in raws)
        for name, raws in entry.attributes.items()
        if is_beside(name)
    }
