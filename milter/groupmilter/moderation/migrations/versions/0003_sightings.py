"""Messages that groups have taken from unauthenticated senders, to be known when they come again."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sighting",
        Column("digest", Text, primary_key=True),
        Column("at", BigInteger, nullable=False, server_default="0"),
        Column("origin", Text, nullable=False),
    )
    op.create_index("sighting_at", "sighting", ["at"])
