"""Who is logged in to the panel."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "session",
        Column("digest", Text, primary_key=True),
        *(
            Column(name, Text, nullable=False, server_default="")
            for name in ("person", "dn", "csrf", "client")
        ),
        *(
            Column(name, BigInteger, nullable=False, server_default="0")
            for name in ("opened", "seen", "until")
        ),
    )
    op.create_index("session_person", "session", ["person"])
    op.create_index("session_until", "session", ["until"])
