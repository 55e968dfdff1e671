"""A mirror in memory for the tests of the synchroniser alone: the write side's promises, and a record of calls."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from groupmilter.directory.entry import Change, Entry, KeepOnly, Put, Remove
from groupmilter.directory.mirror import Search
from groupmilter.directory.side_store import signature, values_of


@dataclass(slots=True)
class MemoryMirror:
    """All or nothing, like the real one; `generation` grows only where something changed."""

    entries: dict[str, Entry] = field(default_factory=dict)
    cookie: bytes | None = None
    generation: int = 0
    synced_at: float | None = None
    dynamic: dict[str, frozenset[str]] = field(default_factory=dict)
    member_urls: tuple[Search, ...] = ()
    applied: list[tuple[type[Change], ...]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def group_uuids(self) -> frozenset[str]:
        """Every entry with the class distributionGroup."""
        return frozenset(uuid for uuid, entry in self.entries.items() if _is_group(entry))

    def apply(
        self, changes: Iterable[Change], *, now: float, cookie: bytes | None = None, complete: bool = True
    ) -> int:
        """Apply to a copy, and take the copy once the changes have ended."""
        entries, kinds = dict(self.entries), []
        for change in changes:
            kinds.append(type(change))
            _apply(entries, change)
        with self.changed:
            self.generation += entries != self.entries
            self.entries = entries
            self.applied.append(tuple(kinds))
            self.cookie = cookie or self.cookie
            self.synced_at = now if complete else self.synced_at
            self.changed.notify_all()
        return self.generation

    def touch(self, now: float, cookie: bytes | None = None) -> None:
        """Note the time and the cookie."""
        with self.changed:
            self.synced_at, self.cookie = now, cookie or self.cookie
            self.changed.notify_all()

    def forget_cookie(self) -> None:
        """Forget it."""
        self.cookie = None

    def searches(self) -> tuple[Search, ...]:
        """What the test has set."""
        return self.member_urls

    def sides(self) -> dict[str, bytes]:
        """The entries with values of the side store."""
        found = {uuid: signature(values_of(entry)) for uuid, entry in self.entries.items()}
        return {uuid: digest for uuid, digest in found.items() if digest}

    def set_dynamic(self, group_uuid: str, uuids: Iterable[str]) -> int:
        """Keep them."""
        with self.changed:
            found = frozenset(uuids)
            self.generation += found != self.dynamic.get(group_uuid)
            self.dynamic[group_uuid] = found
            self.changed.notify_all()
        return self.generation

    def dns(self) -> set[str]:
        """The DNs of all entries."""
        return {entry.dn for entry in self.entries.values()}

    def by_dn(self, dn: str) -> Entry:
        """The one entry with this DN."""
        (found,) = [entry for entry in self.entries.values() if entry.dn == dn]
        return found


def _is_group(entry: Entry) -> bool:
    return b"distributiongroup" in {value.lower() for value in entry.attributes.get("objectclass", ())}


def _apply(entries: dict[str, Entry], change: Change) -> None:
    if isinstance(change, Put):
        entries[change.entry.uuid] = change.entry
    elif isinstance(change, Remove):
        entries.pop(change.uuid, None)
    elif isinstance(change, KeepOnly):
        for uuid in entries.keys() - change.uuids:
            del entries[uuid]
