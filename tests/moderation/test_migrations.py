"""The migrations: they make what `schema` says, on SQLite and PostgreSQL, all or nothing; what is newer is refused."""

from __future__ import annotations

import importlib
import io
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, create_engine, text
from tests.moderation.contenders import at_once, opening
from tests.moderation.ledgers import recorded, url

from groupmilter.moderation.item import DESK
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.moderation.migrations import apply
from groupmilter.moderation.schema import METADATA

SCRIPTS = Path(apply.__file__).parent


def names(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema")}


def differs(
    _context: object, inspected: Column[Any], wanted: Column[Any], default: str | None, *_: object
) -> bool:
    """Tell whether a column's default isn't what the schema wants (Alembic itself stumbles over an empty text)."""
    assert inspected.name == wanted.name
    argument = getattr(wanted.server_default, "arg", None)
    return (None if default is None else default.strip("()'")) != argument


def test_they_make_what_the_schema_says(tmp_path: Path) -> None:
    Ledger.open(url(tmp_path)).close()
    engine = create_engine(url(tmp_path))
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": differs}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_the_newest_is_the_one_that_programs_look_for() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_heads() == [apply.HEAD]


def test_what_was_released_does_not_change_with_the_schema() -> None:
    for script in (SCRIPTS / "versions").glob("*.py"):
        assert "groupmilter.moderation.schema" not in script.read_text("utf-8"), script


def test_postgresql_gets_the_same_tables_and_an_audit_that_stays() -> None:
    written = io.StringIO()
    options = {"as_sql": True, "output_buffer": written}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with Operations.context(context):
        for script in ScriptDirectory(str(SCRIPTS)).walk_revisions():
            name = f"{apply.__package__}.versions.{Path(script.path).stem}"
            importlib.import_module(name).upgrade()
    ddl = written.getvalue()
    for table in METADATA.tables.values():
        name = f'"{table.name}"' if f'"{table.name}"' in ddl else table.name
        assert f"CREATE TABLE {name} (" in ddl
        for index in table.indexes:
            assert f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {index.name} ON" in ddl
    assert "id BIGSERIAL NOT NULL" in ddl
    assert "BEFORE UPDATE OR DELETE OR TRUNCATE ON audit" in ddl


def test_a_ledger_of_a_later_version_is_refused_in_a_sentence_and_left_alone(tmp_path: Path) -> None:
    ledger = Ledger.open(url(tmp_path))
    recorded(ledger)
    ledger.close()
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = names(file)
    with pytest.raises(LedgerUnavailable) as refused:
        Ledger.open(url(tmp_path))
    assert str(refused.value) == (
        f"{file}: made by a later version of groupmilter (revision 9999; this one knows {apply.HEAD})"
    )
    assert names(file) == before
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
        assert connection.execute("SELECT count(*) FROM item").fetchone() == (1,)


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE letter (somebody TEXT)")
    with pytest.raises(LedgerUnavailable, match="letter"):
        Ledger.open(url(tmp_path))
    assert names(file) == {"letter"}


def test_a_ledger_of_before_keeps_its_rows_and_goes_on(tmp_path: Path) -> None:
    """As after an update, and as a backup of an earlier version is when it is restored."""
    engine = create_engine(url(tmp_path))
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(SCRIPTS))
        command.upgrade(config, "0008")
        connection.execute(
            text("INSERT INTO audit (at, action, \"group\") VALUES (1, 'group-edit', 'a@own.example')")
        )
    engine.dispose()
    ledger = Ledger.open(url(tmp_path))
    ledger.note("group-edit", DESK, 2, group="a@own.example", group_uuid="u")
    rows = [(row.at, row.group, row.group_uuid) for row in ledger.audit()]
    ledger.close()
    assert rows == [(1, "a@own.example", ""), (2, "a@own.example", "u")]


def test_who_comes_while_another_writes_into_the_new_file_waits(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None, check_same_thread=False)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        leaving = Timer(0.3, other.execute, ["COMMIT"])
        leaving.start()
        try:
            Ledger.open(url(tmp_path), timeout=60).close()
        finally:
            leaving.join()
        assert other.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_several_programs_may_make_a_ledger_at_once(tmp_path: Path) -> None:
    for attempt in range(3):
        path = url(tmp_path / f"{attempt}-")
        folder = tmp_path / f"{attempt}-"
        folder.mkdir()
        assert at_once(opening, [path] * 4) == [""] * 4
        with closing(sqlite3.connect(folder / "state.db")) as connection:
            versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert versions == [(apply.HEAD,)]
