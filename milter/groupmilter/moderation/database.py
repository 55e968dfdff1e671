"""The database under the ledger: one engine, transactions, and one kind of failure.

Raises `LedgerUnavailable` for whatever goes wrong below; nothing is half done then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from groupmilter.moderation.migrations.apply import NewerLedger, upgrade


class LedgerUnavailable(Exception):
    """The ledger can't be read or written now; nothing was changed."""


class Database:
    """The tables of a ledger; may be used by several threads, but not be carried over a fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for questions."""
        with _foreseen(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are on disk once the block has ended, or never happen."""
        with _foreseen(), self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                # Taken at once: two writers that have both read can't both go on.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


def open_database(url: str, *, migrate: bool, timeout: float) -> Database:
    """Return the database at a URL, with its tables.

    :param timeout: seconds to wait for another writer.
    :raises LedgerUnavailable: where it can't be opened, or a later version made it.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        _private(Path(parsed.database or ""))
        engine = create_engine(url, connect_args={"timeout": timeout, "check_same_thread": False})
        event.listen(engine, "connect", _settle)
    else:
        engine = create_engine(url, pool_timeout=timeout)
    database = Database(engine)
    if migrate:
        try:
            with database.writing() as connection:
                upgrade(connection)
        except (NewerLedger, LedgerUnavailable) as error:
            database.close()
            raise LedgerUnavailable(f"{parsed.database}: {error}") from error
    return database


def _private(path: Path) -> None:
    """Make the file for its owner alone."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise LedgerUnavailable(f"{path}: {error.strerror}") from error


def _settle(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    # The driver begins no transaction by itself: `writing` does, so that DDL is part of one too.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


@contextlib.contextmanager
def _foreseen() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise LedgerUnavailable(f"the ledger: {cause}") from error
