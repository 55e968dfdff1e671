"""What the tests of moderation share: a ledger of their own, of which every statement is also put to PostgreSQL's
dialect, so that nothing gets in that only SQLite understands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import ClauseElement, Engine, event
from sqlalchemy.engine import make_url
from tests.moderation.ledgers import PATIENCE, url

from groupmilter.moderation.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with compiled_for_postgresql() as statements:
        opened = Ledger.open(url(tmp_path), timeout=PATIENCE)
        yield opened
        opened.close()
    assert statements


@contextmanager
def compiled_for_postgresql() -> Iterator[set[str]]:
    """Compile all that is executed for PostgreSQL as well, and give what came of it."""
    dialect, statements = make_url("postgresql://").get_dialect()(), set[str]()

    def executed(_connection: object, statement: ClauseElement, *_: object) -> None:
        statements.add(str(statement.compile(dialect=dialect)))

    event.listen(Engine, "before_execute", executed)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_execute", executed)
