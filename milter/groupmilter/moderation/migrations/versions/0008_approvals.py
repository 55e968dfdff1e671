"""How many approvals an item needs, and who has given one."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; what is held already needs one approval, as it did."""
    op.add_column("item", Column("approvals", BigInteger, nullable=False, server_default="1"))
    op.add_column("item", Column("approved_by", Text, nullable=False, server_default=""))
