"""Bringing a ledger up to this version.

Raises `NewerLedger` for one that a later version has made; nothing is touched then.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0001"
"""The newest revision; a test compares it with the scripts."""


class NewerLedger(Exception):
    """A later version of groupmilter has made this ledger."""


def revision(connection: Connection) -> str:
    """Return the revision that a ledger has; empty for a new file."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def upgrade(connection: Connection) -> None:
    """Run what is missing, within the connection's transaction.

    :raises NewerLedger: where the ledger's revision is unknown here.
    """
    if revision(connection) == HEAD:
        return
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    try:
        with EnvironmentContext(
            config,
            scripts,
            fn=lambda current, _: scripts._upgrade_revs("head", current),
        ) as environment:
            environment.configure(connection=connection)
            environment.run_migrations()
    except CommandError as error:
        raise NewerLedger(
            f"revision {revision(connection)}: a later version of groupmilter made it"
        ) from error
