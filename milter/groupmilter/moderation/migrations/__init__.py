"""How the ledger's tables came to be: Alembic scripts, one a change, run by `apply`."""
