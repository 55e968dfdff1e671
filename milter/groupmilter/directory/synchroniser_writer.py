"""Applying what was read to the mirror: the guard against a directory that suddenly is half empty, and the
counts.

Fails with `LostTooMuch` (the mirror keeps what it has), and with the mirror's `MirrorError`. A generator of
changes that fails leaves the mirror as it was, and its own exception comes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from groupmilter.directory.entry import Change, Entry, KeepOnly, Put
from groupmilter.directory.synchroniser_settings import Log, LostTooMuch, MirrorWriter
from groupmilter.directory.synchroniser_side import Beside

Clock = Callable[[], float]
Applied = Callable[[int], None]


@dataclass(slots=True)
class Writer:
    """The one way into the mirror.

    :param wall: the time of day in seconds, for the mirror's age.
    :param on_applied: is told the generation after each batch that changed something, and after the first
        load.
    :param beside: puts what the side store holds into the entries on their way.
    :param forced: the next full load is applied whatever it lacks.
    """

    mirror: MirrorWriter
    wall: Clock
    on_applied: Applied
    log: Log
    most_lost: float
    beside: Beside
    forced: bool = False
    loads: int = 0
    batches: int = 0
    changed: bool = False
    generation: int = 0
    synced_at: float | None = None

    def load(self, changes: Iterable[Change], frame: Callable[[], bytes | None]) -> None:
        """Apply a full load or a refresh as one transaction.

        :param frame: is asked for the cookie when the changes have ended.
        """
        began = self.wall()
        generation = self.mirror.generation
        self.beside.forced = self.forced
        self.mirror.apply(self._guarded(self.beside.through(changes)), now=began)
        self.beside.arrived()
        self.forced = self.beside.forced = False
        # A crash before this leaves the older cookie: the same changes come again, and change nothing.
        self._equal(began, frame())
        self.loads += 1
        self._tell(generation, always=self.loads == 1)
        self.log.info("directory_loaded", generation=self.mirror.generation, seconds=self.wall() - began)

    def batch(self, changes: Iterable[Change], cookie: bytes | None) -> None:
        """Apply changes that came one by one."""
        generation = self.mirror.generation
        now = self.wall()
        self.mirror.apply(self.beside.through(changes), now=now, cookie=cookie)
        self.beside.arrived()
        self.synced_at = now
        self.batches += 1
        if self._tell(generation):
            self.log.info("directory_changed", generation=self.mirror.generation)

    def again(self, wanted: Iterable[str], entries: Iterable[Entry]) -> None:
        """Put entries anew whose values in the side store have changed; that says nothing of the mirror's age.

        :param wanted: their UUIDs; what is not among the entries the directory doesn't have.
        """
        generation = self.mirror.generation
        changes = self.beside.through(map(Put, entries))
        self.mirror.apply(changes, now=self.wall(), complete=False)
        self.beside.arrived(wanted)
        if self._tell(generation):
            self.log.info("side_store_changed", generation=self.mirror.generation)

    def equal(self, cookie: bytes | None = None) -> None:
        """Note that the directory has nothing that the mirror has not."""
        self._equal(self.wall(), cookie)

    def dynamic(self, group_uuid: str, uuids: Iterable[str]) -> None:
        """Replace the members that a search found for a group."""
        generation = self.mirror.generation
        self.mirror.set_dynamic(group_uuid, uuids)
        self._tell(generation)

    def _equal(self, now: float, cookie: bytes | None) -> None:
        self.mirror.touch(now, cookie)
        self.synced_at = now

    def _tell(self, before: int, *, always: bool = False) -> bool:
        now = self.generation = self.mirror.generation
        if now != before:
            self.changed = True
        if now != before or always:
            self.on_applied(now)
        return now != before

    def _guarded(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Pass changes on; fail before a `KeepOnly` that would remove too many groups."""
        known = self.mirror.group_uuids()
        for change in changes:
            if isinstance(change, KeepOnly) and not self.forced:
                lost = len(known - change.uuids)
                if lost > self.most_lost * len(known):
                    raise LostTooMuch(f"{lost} of {len(known)} groups are gone; not applied without force")
            yield change
