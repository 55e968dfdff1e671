"""Sessions know which password they began with, by when it was set; rows of the audit are found by address, too."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add column and index; of sessions that are there it isn't known."""
    op.add_column("session", Column("password", BigInteger, nullable=False, server_default="0"))
    op.create_index("audit_address", "audit", ["group"])
