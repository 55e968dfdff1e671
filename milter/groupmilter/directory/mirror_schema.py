"""The mirror's file: its tables, how one is opened for writing or reading, and what makes it ours.

One SQLite file in WAL mode. A file of other settings is emptied in place; one that isn't ours or is damaged is
moved aside and a new one begun. What can't be opened for another reason (permission, disk) raises `sqlite3.Error`
or `OSError`: callers say what it means for them.
"""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from groupmilter.directory.profile_fields import NAME_FIELDS

# "gmmi" in ASCII: file(1) and `PRAGMA application_id` tell a mirror from any other database.
APPLICATION = 0x676D6D69
SCHEMA = 5

# Kinds of links. Up to SEARCHED they make members; the rest are rights.
MEMBER, REVERSE, DYNAMIC, SEARCHED = 1, 2, 3, 4
MEMBERSHIP = 9
RIGHTS = {name: 10 + at for at, name in enumerate(NAME_FIELDS) if name not in ("members", "member_of")}
LINKS = {"members": MEMBER, **RIGHTS}

# Flags of an entry's row. RULED: who may send is not left to the defaults (`groups.group`). EXTERNAL: some who aren't
# authenticated may write; JOINABLE: whoever wants may join or ask to; the rest are what `Group`'s fields say.
DISABLED, OPEN, MODERATED, OUTSIDERS, RULED = 1, 2, 4, 8, 16
EXTERNAL, HIDDEN, STOPPED, JOINABLE = 32, 64, 128, 256

# Forms of what is listed for people. MUTE: a person who gets no mail, being locked or without a usable address.
A_PERSON, A_GROUP, MUTE = 0, 1, 2

_TABLES = """
CREATE TABLE state(
    one INTEGER PRIMARY KEY CHECK(one = 1), schema INTEGER, fingerprint TEXT, generation INTEGER,
    synced_at REAL, cookie BLOB);
CREATE TABLE node(id INTEGER PRIMARY KEY, dn TEXT NOT NULL UNIQUE);
CREATE TABLE entry(
    node INTEGER PRIMARY KEY, kind INTEGER NOT NULL, flags INTEGER NOT NULL, version INTEGER NOT NULL,
    address TEXT NOT NULL);
CREATE TABLE detail(
    node INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, short INTEGER NOT NULL, digest BLOB NOT NULL,
    dn TEXT NOT NULL, body TEXT NOT NULL, outside TEXT, urls TEXT, search_values TEXT NOT NULL);
CREATE TABLE address(canonical TEXT, node INTEGER, rank INTEGER, PRIMARY KEY(canonical, node)) WITHOUT ROWID;
CREATE TABLE login(login TEXT, node INTEGER, PRIMARY KEY(login, node)) WITHOUT ROWID;
CREATE TABLE link(
    source INTEGER, field INTEGER, target INTEGER, PRIMARY KEY(source, field, target)) WITHOUT ROWID;
CREATE TABLE listed(node INTEGER PRIMARY KEY, form INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE side(uuid TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE finding(node INTEGER, kind TEXT, target INTEGER, details TEXT);
CREATE INDEX finding_node ON finding(node);
CREATE INDEX finding_target ON finding(target);
"""

# Made again after the first load of an empty mirror: sorting once is cheaper than keeping them in order.
INDEXES = {
    "entry_group": "CREATE INDEX entry_group ON entry(node) WHERE kind = 1",
    "detail_short": "CREATE INDEX detail_short ON detail(short)",
    "detail_urls": "CREATE INDEX detail_urls ON detail(node) WHERE urls IS NOT NULL",
    "link_target": "CREATE INDEX link_target ON link(target, field)",
}


class NotOurs(Exception):
    """The file is damaged, or no mirror."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection for the writer, and where an unusable file went."""

    connection: sqlite3.Connection
    moved_aside: Path | None


def open_for_writing(path: Path, fingerprint: str) -> Opened:
    """Open or create a mirror whose content was made from `fingerprint`; another one's is emptied."""
    moved = None
    try:
        connection = _connected(path)
    except NotOurs:
        moved = _moved_aside(path)
        connection = _connected(path)
    try:
        _prepare(connection, fingerprint)
    except BaseException:
        connection.close()
        raise
    return Opened(connection, moved)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        _require_ours(connection)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        for pragma in ("synchronous = NORMAL", "temp_store = MEMORY", "cache_size = -65536"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA journal_size_limit = 33554432").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        raise
    except (sqlite3.DatabaseError, NotOurs) as error:
        connection.close()
        raise NotOurs(str(error)) from error
    return connection


def _require_ours(connection: sqlite3.Connection) -> None:
    """Look before anything is changed: another program's database must stay as it is."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION:
        raise NotOurs("another program's database")
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise NotOurs("damaged")


def _moved_aside(path: Path) -> Path:
    """Rename a file, its log and its index out of the way, keeping earlier ones."""
    aside = next(
        candidate
        for candidate in (path.with_name(f"{path.name}.unusable-{number}") for number in range(1, 10_000))
        if not candidate.exists()
    )
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def _prepare(connection: sqlite3.Connection, fingerprint: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            held = _state(connection)
            if held[:2] != (SCHEMA, fingerprint):
                _recreate(connection, fingerprint, held[2] + 1)
        else:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            # Never a number that a mirror at this path had before: readers keep what they read by generation.
            _recreate(connection, fingerprint, time.time_ns() // 1000)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _state(connection: sqlite3.Connection) -> tuple[int, str, int]:
    """Return schema, fingerprint and generation; of an older layout only the generation, if any."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(state)")}
    if not {"schema", "fingerprint", "generation"} <= columns:
        return (0, "", time.time_ns() // 1000)
    row = connection.execute("SELECT schema, fingerprint, generation FROM state").fetchone()
    return (0, "", time.time_ns() // 1000) if row is None else (row[0], row[1], row[2])


def _recreate(connection: sqlite3.Connection, fingerprint: str, generation: int) -> None:
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (name,) in tables:
        connection.execute(f'DROP TABLE "{name}"')
    for statement in (*_TABLES.split(";"), *INDEXES.values()):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT INTO state VALUES(1, ?, ?, ?, NULL, NULL)", (SCHEMA, fingerprint, generation))


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a mirror that a writer made, for any thread in turn; never creates one."""
    uri = f"file:{_quoted(path)}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=2.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA query_only = ON")
        # What is sorted for a list (`catalogue`) is small, and a reader may have nowhere to write.
        for pragma in ("cache_size = -4096", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def identity(path: Path) -> tuple[int, int]:
    """Return device and inode of the file at a path: a replaced mirror is another mirror."""
    status = os.stat(path)  # noqa: PTH116  a third of Path.stat's time, and asked at every recipient
    return status.st_dev, status.st_ino
