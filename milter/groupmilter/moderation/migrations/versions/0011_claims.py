"""Who is dealing with an item that waits, and since when."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns; nobody deals with what is held already."""
    op.add_column("item", Column("claimed", BigInteger, nullable=False, server_default="0"))
    op.add_column("item", Column("claimed_by", Text, nullable=False, server_default=""))
    op.add_column("item", Column("claimer", Text, nullable=False, server_default=""))
    op.create_index("item_claimed", "item", ["claimed"])
