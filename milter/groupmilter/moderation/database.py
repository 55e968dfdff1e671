"""The database under the ledger: one engine, transactions, and one kind of failure.

A file of SQLite that is deleted or replaced while it is open is noticed before the next transaction: nothing is ever
written into a file that nobody will find again. Raises `LedgerUnavailable` for whatever goes wrong below; nothing is
half done then.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError

from groupmilter.moderation.migrations.apply import HEAD, NewerLedger, revision, upgrade

_TICK_NS = 50_000_000
"""Far more than the tick of any file system's clock, nanoseconds."""

_SOON = 0.01
"""Between two attempts at what SQLite doesn't wait for, seconds."""

_AT_ONCE = 500
"""Values of one statement."""

Value = TypeVar("Value")


class LedgerUnavailable(Exception):
    """The ledger can't be read or written now; nothing was changed."""


def parts(whole: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Cut what a statement is asked about: a database takes so many values and no more."""
    for start in range(0, len(whole), _AT_ONCE):
        yield whole[start : start + _AT_ONCE]


class Database:
    """The tables of a ledger; may be used by several threads, but not be carried over a fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._whole = _Whole()
        self._stamp: tuple[int, int] | None = None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for questions."""
        if self._whole.connection is not None:
            with self._whole.part():
                yield self._whole.connection
            return
        with _foreseen(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are on disk once the block has ended, or never happen."""
        if self._whole.connection is not None:
            with self._whole.part(), self._whole.connection.begin_nested():
                yield self._whole.connection
            return
        with _foreseen(), self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                # Taken at once: two writers that have both read can't both go on.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of all that this thread reads and writes in the block: written to disk once, or never.

        What fails in it for a reason of its own undoes its own part only. Others wait meanwhile: for reckoning, not
        for files or the network.

        :raises LedgerUnavailable: at the end, too, and nothing in it has happened then.
        """
        if self._whole.connection is not None:
            yield
            return
        with self.writing() as connection:
            self._whole.connection = connection
            try:
                yield
            finally:
                self._whole.connection = None
                failure, self._whole.failure = self._whole.failure, None
            if failure is not None:
                # The database may have given up the whole of it already.
                raise failure

    def stirred(self) -> bool:
        """Tell whether anybody may have written since the last call; for one caller. Costs next to nothing.

        Every commit is appended to SQLite's log (WAL), so size and time of that file tell. Another one within the
        same tick of the file system's clock could look the same: a log that was written to just now is looked at
        again.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        try:
            status = os.stat(f"{self.file}-wal")  # noqa: PTH116 - a third of Path.stat's time, ten times a second
        except OSError:
            return True
        before, stamp = self._stamp, (status.st_mtime_ns, status.st_size)
        settled = time.time_ns() - status.st_mtime_ns > _TICK_NS
        self._stamp = stamp if settled else None
        return stamp != before

    @property
    def file(self) -> Path:
        """The file in which SQLite keeps it."""
        name = self._engine.url.database or ""
        return Path(unquote(name.removeprefix("file:")))

    def revision(self) -> str:
        """Return which version of the tables it has."""
        with self.reading() as connection:
            return revision(connection)

    def copy_to(self, path: Path) -> None:
        """Write what it holds at one moment into a new file, while others go on reading and writing.

        Source: SQLite, VACUUM INTO.
        """
        with self.reading() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(path),))

    def check(self) -> None:
        """Raise `LedgerUnavailable` where the file is damaged. Source: SQLite, PRAGMA quick_check."""
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise LedgerUnavailable(f"{self.file}: damaged: {found}")

    def migrate(self) -> None:
        """Bring the tables up to this version; several programs may do so at once.

        :raises LedgerUnavailable: also where a later version made them.
        """
        with self.reading() as connection:
            if revision(connection) == HEAD:
                return
        try:
            with self.writing() as connection:
                upgrade(connection)
        except NewerLedger as newer:
            raise LedgerUnavailable(str(newer)) from newer


class _Whole(threading.local):
    """The transaction that a thread has under way, of several parts."""

    connection: Connection | None = None
    failure: LedgerUnavailable | None = None

    @contextlib.contextmanager
    def part(self) -> Iterator[None]:
        """Remember what fails at the database, even if nobody else does."""
        try:
            with _foreseen():
                yield
        except LedgerUnavailable as failure:
            self.failure = failure
            raise


def open_database(url: str, *, timeout: float) -> Database:
    """Return the database at a URL, with its tables.

    :param timeout: seconds to wait for another writer.
    :raises LedgerUnavailable: where it can't be opened, or a later version made it.
    """
    parsed = make_url(url)
    name = parsed.database or ""
    database = Database(
        _file(Path(name), timeout) if parsed.get_backend_name() == "sqlite" else _server(parsed)
    )
    try:
        database.migrate()
    except LedgerUnavailable as error:
        database.close()
        raise LedgerUnavailable(f"{name}: {error}") from error
    return database


def fold_log(path: Path) -> None:
    """Bring SQLite's log into the file itself, which then says everything alone. Source: SQLite, wal_checkpoint.

    :raises LedgerUnavailable: where that can't be.
    """
    engine = _file(path, 5.0)
    try:
        with _foreseen(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        engine.dispose()


def _file(path: Path, timeout: float) -> Engine:
    """Return the engine of a file; `mode=rw`, for SQLite would make a file that is gone anew, for everybody to read."""
    _private(path)
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(
        url, connect_args={"timeout": timeout, "check_same_thread": False}, pool_timeout=timeout
    )

    def connected(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's and the pool's own
        _settle(connection, timeout)
        record.info["file"] = _identity(path)

    def lent(_connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401 - the pool's own
        if record.info["file"] != _identity(path):
            raise DisconnectionError(f"{path} was replaced")

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", lent)
    return engine


def _server(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True)


def _private(path: Path) -> None:
    """Make the file for its owner alone; made by root it belongs to whom the directory does."""
    try:
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise LedgerUnavailable(f"{path}: {error.strerror}") from error
    try:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(made, owner.st_uid, owner.st_gid)
    finally:
        os.close(made)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of Path.stat's time, and asked at every transaction
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _settle(connection: Any, timeout: float) -> None:  # noqa: ANN401 - the driver's own connection
    # The driver begins no transaction by itself: `writing` does, so that DDL is part of one too.
    connection.isolation_level = None
    _log_ahead(connection, time.monotonic() + timeout)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _log_ahead(connection: Any, until: float) -> None:  # noqa: ANN401 - the driver's own connection
    """Switch to the log; SQLite itself doesn't wait for others that do so with a new file in the same moment.

    :param until: when to give up, by the monotonic clock, seconds.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_SOON)
        else:
            return


@contextlib.contextmanager
def _foreseen() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise LedgerUnavailable(f"the ledger: {cause}") from error
