"""Where Alembic begins: the scripts run over the connection, and in the transaction, that `apply` lends."""

from __future__ import annotations

from alembic import context

from groupmilter.moderation.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
