"""Requests to be in a group or out of it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0006"
down_revision = "0005"

_TEXTS = (
    "name", "kind", "stage", "group_uuid", "group_address", "person_uuid", "person_name", "address", "language",
    "reason", "way", "origin", "decided_by", "decided_way", "comment", "note",
)  # fmt: skip
_NUMBERS = (
    "asked",
    "expires",
    "remind",
    "reminded",
    "decided",
    "attempts",
    "next_attempt",
    "finished",
)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "request",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("digest", BigInteger, nullable=False, unique=True),
        *(Column(name, Text, nullable=False, server_default="") for name in _TEXTS),
        *(Column(name, BigInteger, nullable=False, server_default="0") for name in _NUMBERS),
    )
    op.create_index("request_stage", "request", ["stage", "next_attempt"])
    op.create_index("request_group", "request", ["group_uuid", "stage"])
    op.create_index("request_address", "request", ["address", "stage"])
    op.create_index("request_person", "request", ["person_uuid", "stage"])
    op.create_index("request_name", "request", ["name"])
