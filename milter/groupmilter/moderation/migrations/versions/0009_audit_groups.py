"""Audit rows know their group by its entry, and no row takes the place of another."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns. Rows that are there stay as they are: which entry they meant isn't known for sure."""
    op.add_column("audit", Column("group_uuid", Text, nullable=False, server_default=""))
    op.create_index("audit_group", "audit", ["group_uuid"])
    op.add_column("suspension", Column("group_uuid", Text, nullable=False, server_default=""))
    if op.get_context().dialect.name == "sqlite":
        # REPLACE takes rows away without asking the triggers for DELETE.
        # Source: SQLite, ON CONFLICT clause, REPLACE.
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
            "BEGIN SELECT RAISE(ABORT, 'audit rows stay as they are'); END"
        )
