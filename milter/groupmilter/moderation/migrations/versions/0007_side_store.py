"""The side store: canonical fields of groups that the directory can't hold."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0007"
down_revision = "0006"

_ID = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "side",
        Column("uuid", Text, primary_key=True),
        Column("dn", Text, nullable=False, server_default=""),
        Column("changed", BigInteger, nullable=False, server_default="0"),
        Column("gone", BigInteger, nullable=False, server_default="0"),
    )
    op.create_index("side_changed", "side", ["changed"])
    op.create_table(
        "side_value",
        Column("id", _ID, primary_key=True, autoincrement=True),
        Column("uuid", Text, nullable=False),
        Column("label", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("value", Text, nullable=False),
    )
    op.create_index("side_value_once", "side_value", ["uuid", "label", "digest"], unique=True)
    op.create_index("side_value_digest", "side_value", ["digest"])
