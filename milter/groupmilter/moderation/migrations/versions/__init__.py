"""One script for each revision of the ledger; Alembic finds them by their place."""
