"""Tokens with which programs act for a person."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "access_token",
        Column("digest", Text, primary_key=True),
        *(
            Column(name, Text, nullable=False, server_default="")
            for name in ("name", "person", "dn", "scopes")
        ),
        *(Column(name, BigInteger, nullable=False, server_default="0") for name in ("made", "until", "used")),
    )
    op.create_index("access_token_person", "access_token", ["person", "name"], unique=True)
