"""The mirror's write side: one SQLite file in WAL mode, written by the synchroniser alone (specification 1.3).

Every batch is one transaction and one generation. It can be deleted at any time and comes back with the next full
load; what can't be opened or written is `MirrorError`, and readers go on with the last generation until it is too
old. `snapshot` is the read side.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from groupmilter.directory.entry import Change
from groupmilter.directory.findings import Finding
from groupmilter.directory.mirror_dynamic import DynamicMembers, Search
from groupmilter.directory.mirror_findings import Findings
from groupmilter.directory.mirror_refusals import Limits
from groupmilter.directory.mirror_rows import row
from groupmilter.directory.mirror_schema import MEMBERSHIP, SCHEMA, SEARCHED, open_for_writing
from groupmilter.directory.mirror_writer import Changed, Writer
from groupmilter.directory.profile import Profile

__all__ = ["Mirror", "MirrorError", "MirrorSettings", "Search"]


class MirrorError(Exception):
    """The mirror can't be opened or written (disk full, no permission, another writer holds it)."""


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """What a mirror is made from; another value of any of them makes it start empty.

    :param base: the suffix that the source searches.
    :param own_domains: canonical domains in which local parts are case-folded.
    :param placeholder: DN (or its first RDNs) of the member that a groupOfNames keeps when it is empty.
    :param limits: past what something is a finding.
    :param login_realms: canonical domains behind a login that make no difference.
    """

    profile: Profile
    base: str
    own_domains: frozenset[str] = frozenset()
    placeholder: str = "cn=placeholder"
    limits: Limits = Limits()
    login_realms: frozenset[str] = frozenset()

    @property
    def fingerprint(self) -> str:
        """A digest of the mirror's layout and of what its content depends on; limits are for findings only."""
        domains = (sorted(self.own_domains), sorted(self.login_realms))
        parts = (SCHEMA, self.profile.fingerprint, self.base, *domains, self.placeholder)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


class Mirror:
    """The one writer. Not for several threads at once; any thread may use it in turn."""

    def __init__(
        self, connection: sqlite3.Connection, lock: int, settings: MirrorSettings, moved_aside: Path | None
    ) -> None:
        self._connection = connection
        self._lock = lock
        self._settings = settings
        self._moved_aside = moved_aside
        self._dynamic = DynamicMembers(connection, settings.profile.filter_attributes)
        self._findings = Findings(connection, settings.limits, settings.own_domains)

    @classmethod
    def open(cls, path: Path, settings: MirrorSettings) -> Mirror:
        """Open or create the mirror.

        A file made from other settings starts empty; one that is corrupt or not ours is moved aside
        (`moved_aside`). Raises `MirrorError`.
        """
        lock = _locked(path)
        try:
            opened = open_for_writing(path, settings.fingerprint)
            mirror = cls(opened.connection, lock, settings, opened.moved_aside)
            mirror._dynamic.load()
        except (sqlite3.Error, OSError) as error:
            os.close(lock)
            raise MirrorError(f"{path}: {error}") from error
        return mirror

    def close(self) -> None:
        """Release the file. Readers can go on."""
        self._connection.close()
        os.close(self._lock)

    @property
    def moved_aside(self) -> Path | None:
        """Where `open` put an unusable file, None where it found none."""
        return self._moved_aside

    @property
    def cookie(self) -> bytes | None:
        """The RFC 4533 cookie to go on from; None: load everything."""
        return self._state()[2]

    @property
    def synced_at(self) -> float | None:
        """Wall clock (seconds) at which the mirror last equalled the directory; None: never yet."""
        return self._state()[1]

    @property
    def generation(self) -> int:
        """The number of the last batch."""
        return self._state()[0]

    def age(self, now: float) -> float | None:
        """Return the seconds since `synced_at`, None where it was never complete."""
        synced_at = self.synced_at
        return None if synced_at is None else now - synced_at

    def apply(
        self, changes: Iterable[Change], *, now: float, cookie: bytes | None = None, complete: bool = True
    ) -> int:
        """Bring changes into force as one transaction and return the generation; all or nothing.

        :param changes: consumed as a stream, so a first load of any size takes bounded memory; an exception
            raised by the iterator rolls everything back and comes through.
        :param now: wall clock, seconds.
        :param cookie: to remember with them; None keeps the one there.
        :param complete: whether the mirror then equals the directory; False leaves age and readiness alone.

        Unchanged entries change nothing; with no change at all the generation stays.
        """
        with self._transaction():
            generation = self._state()[0] + 1
            writer = self._writer(generation)
            for change in changes:
                writer.perform(change)
            changed = writer.finish()
            reached = self._settle(changed, generation) if changed.any else generation - 1
            self._remember(reached, now if complete else None, cookie)
        if changed.everything:
            self._shrink_log()
        return reached

    def _writer(self, generation: int) -> Writer:
        settings = self._settings
        rows = partial(row, own_domains=settings.own_domains, realms=settings.login_realms)
        return Writer(self._connection, settings.profile, rows, settings.placeholder, generation)

    def _settle(self, changed: Changed, generation: int) -> int:
        """Let everything follow that depends on the changed entries."""
        moved = self._dynamic.follow(changed)
        self._raise_versions(changed, moved, generation)
        self._findings.follow(changed, moved)
        return generation

    def _raise_versions(self, changed: Changed, moved: set[int], generation: int) -> None:
        """Mark the groups whose members changed, or whose members' addresses, locks or existence did."""
        execute = self._connection.execute
        if changed.everything:
            execute("UPDATE entry SET version = ? WHERE kind = 1", (generation,))
            return
        self._connection.executemany(
            "UPDATE entry SET version = ? WHERE node = ? AND kind = 1",
            ((generation, node) for node in moved | changed.groups),
        )
        self._connection.executemany(
            "UPDATE entry SET version = ? WHERE kind = 1 AND node IN"
            " (SELECT source FROM link WHERE target = ? AND field < ?)",
            ((generation, node, MEMBERSHIP) for node in changed.delivery),
        )

    def touch(self, now: float, cookie: bytes | None = None) -> None:
        """Note that mirror and directory are equal now, without any change. Needs a complete load before."""
        if self.synced_at is None:
            raise MirrorError("a mirror that was never loaded can't be in step")
        with self._transaction():
            self._remember(self._state()[0], now, cookie)

    def forget_cookie(self) -> None:
        """Forget the cookie (the server refused it): the next load is a full one."""
        with self._transaction():
            self._connection.execute("UPDATE state SET cookie = NULL")

    def searches(self) -> tuple[Search, ...]:
        """Return the member URLs that the mirror can't evaluate itself."""
        with _as_mirror_errors():
            return self._dynamic.searches()

    def sides(self) -> dict[str, bytes]:
        """Return the groups that have values of the side store, and the digests of these (`side_store.signature`)."""
        with _as_mirror_errors():
            return dict(self._connection.execute("SELECT uuid, digest FROM side").fetchall())

    def set_dynamic(self, group_uuid: str, uuids: Iterable[str]) -> int:
        """Replace the searched dynamic members of a group; return the generation. Unknown UUIDs are ignored."""
        with self._transaction():
            generation = self._state()[0] + 1
            group = self._nodes([group_uuid])
            if not group or not self._dynamic.replace(group[0], self._nodes(uuids), SEARCHED):
                return generation - 1
            changed = Changed(any=True, groups=set(group))
            self._raise_versions(changed, set(group), generation)
            self._findings.follow(changed, set(group))
            self._connection.execute("UPDATE state SET generation = ?", (generation,))
            return generation

    def _nodes(self, uuids: Iterable[str]) -> list[int]:
        select = "SELECT node FROM detail WHERE uuid = ?"
        found = (self._connection.execute(select, (uuid,)).fetchone() for uuid in uuids)
        return [row[0] for row in found if row is not None]

    def findings(self) -> tuple[Finding, ...]:
        """Return what is wrong with the directory as of this generation."""
        with _as_mirror_errors():
            return self._findings.read()

    def group_uuids(self) -> frozenset[str]:
        """Return the UUIDs of all groups."""
        with _as_mirror_errors():
            rows = self._connection.execute(
                "SELECT d.uuid FROM entry e JOIN detail d USING (node) WHERE e.kind = 1"
            )
            return frozenset(uuid for (uuid,) in rows)

    def group_addresses(self) -> tuple[str, ...]:
        """Return every address and alias of the groups, sorted: the content of the MTA's generated map."""
        with _as_mirror_errors():
            rows = self._connection.execute(
                "SELECT DISTINCT a.canonical FROM address a JOIN entry e ON e.node = a.node AND e.kind = 1"
                " ORDER BY a.canonical"
            )
            return tuple(address for (address,) in rows)

    def extended_addresses(self) -> frozenset[str]:
        """Return the addresses of people that look like a group's further ones: an extension of `FURTHER` in them."""
        with _as_mirror_errors():
            rows = self._connection.execute(
                "SELECT a.canonical FROM address a JOIN entry e ON e.node = a.node AND e.kind = 0 WHERE"
                " a.canonical LIKE '%join@%' OR a.canonical LIKE '%leave@%' OR a.canonical LIKE '%owner@%'"
            )
            return frozenset(address for (address,) in rows)

    def _state(self) -> tuple[int, float | None, bytes | None]:
        with _as_mirror_errors():
            row = self._connection.execute("SELECT generation, synced_at, cookie FROM state").fetchone()
            return row[0], row[1], row[2]

    def _remember(self, generation: int, now: float | None, cookie: bytes | None) -> None:
        self._connection.execute(
            "UPDATE state SET generation = ?, synced_at = coalesce(?, synced_at), cookie = coalesce(?, cookie)",
            (generation, now, cookie),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what the body writes, or roll all of it back and read the URLs again."""
        with _as_mirror_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._dynamic.load()
                self._findings.forget()
                raise

    def _shrink_log(self) -> None:
        """Write a large batch's log back and cut it; readers that are busy only put this off."""
        with _as_mirror_errors():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


@contextmanager
def _as_mirror_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise MirrorError(str(error)) from error


def _locked(path: Path) -> int:
    """Take the writer's lock, a file beside the mirror, and return its descriptor; `MirrorError` if it's held."""
    beside = path.with_name(f"{path.name}.lock")
    try:
        lock = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise MirrorError(f"{beside}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise MirrorError(f"{path}: another process writes it") from error
    return lock
