"""The first ledger: items, audit, letters, batches, release tickets."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables and, on SQLite, what keeps audit rows as they are."""
    import groupmilter.moderation.schema as schema

    bind = op.get_bind()
    schema.METADATA.create_all(bind)
    if bind.dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit rows stay as they are'); END"
            )
