"""Failed deliveries of members, suspended addresses, and up to when owners have been told of them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0002"
down_revision = "0001"

_ID = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "failure",
        Column("id", _ID, primary_key=True, autoincrement=True),
        Column("ticket", Text, nullable=False),
        Column("address", Text, nullable=False),
        *map(_text, ("file", "group_uuid", "group_address", "cause", "status", "why")),
        *map(_number, ("sent", "day", "at")),
    )
    op.create_index("failure_once", "failure", ["ticket", "address"], unique=True)
    op.create_index("failure_address", "failure", ["address", "day"])
    op.create_index("failure_group", "failure", ["group_uuid", "at"])
    op.create_index("failure_at", "failure", ["at"])
    op.create_table(
        "suspension",
        Column("address", Text, primary_key=True),
        *map(_number, ("since", "until", "probing")),
        *map(_text, ("actor", "group_address", "why")),
    )
    op.create_table("summed_up", Column("topic", Text, primary_key=True), _number("until"))


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")
