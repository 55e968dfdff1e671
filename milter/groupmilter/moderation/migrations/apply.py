"""Bringing a ledger up to this version.

Raises `NewerLedger` for one that a later version has made; nothing is touched then.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0011"
"""The newest revision; a test compares it with the scripts."""


class NewerLedger(Exception):
    """A later version of groupmilter has made this ledger."""


def revision(connection: Connection) -> str:
    """Return the revision that a ledger has; empty for a new one."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def upgrade(connection: Connection) -> None:
    """Run what is missing, within the connection's transaction; nothing, if another program was faster.

    :raises NewerLedger: where the ledger's revision is unknown here.
    """
    # Only a new or an older ledger needs Alembic; nobody else waits for its import.
    from alembic.command import upgrade as run
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        run(config, "head")
    except CommandError as error:
        known = revision(connection)
        raise NewerLedger(
            f"made by a later version of groupmilter (revision {known}; this one knows {HEAD})"
        ) from error
