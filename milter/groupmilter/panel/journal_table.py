"""Rows of the audit as a table, for page and API; a spreadsheet runs nothing of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from groupmilter.membership.table import table
from groupmilter.moderation.rows import AuditRow

MOST = 20_000
"""Rows, at most, of one file."""

_COLUMNS = (
    "at", "action", "actor", "way", "origin", "group", "group_uuid", "item", "before", "after", "detail"
)  # fmt: skip


def as_table(rows: Iterable[AuditRow]) -> str:
    """Return rows as CSV."""
    return "".join(table(_COLUMNS, map(cells, rows)))


def cells(row: AuditRow) -> dict[str, str]:
    """Return the cells of a row by column; its time is RFC 3339, UTC."""
    at = f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"at": at, **{name: str(getattr(row, name)) for name in _COLUMNS[1:]}}
