"""The first ledger: items, audit, letters, batches, release tickets."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, Text

revision = "0001"
down_revision = None

_ID = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    """Make the tables, and what keeps audit rows as they are."""
    _items()
    _audit()
    _letters()
    _releases()


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _key() -> Column[int]:
    return Column("id", _ID, primary_key=True, autoincrement=True)


def _items() -> None:
    op.create_table(
        "item",
        _key(),
        Column("key", Text, nullable=False, unique=True),
        Column("digest", BigInteger, nullable=False, unique=True),
        *map(_text, ("name", "state", "ticket", "content", "file")),
        Column("kind", Integer, nullable=True),
        *map(_number, ("group", "sender", "strength", "reason")),
        Column("smtputf8", Boolean, nullable=False),
        Column("partly", Boolean, nullable=False),
        _number("sent"),
        *map(_text, ("return_path", "author", "subject", "message_id", "queue_id")),
        _number("size"),
        *map(_text, ("recipient", "group_uuid", "group_address", "sender_name", "sender_uuid", "why")),
        _text("moderators"),
        *map(_number, ("expires", "remind", "recorded", "decided")),
        *map(_text, ("decided_by", "way", "comment")),
        *map(_number, ("noticed", "reminded", "attempts", "next_attempt", "finished")),
        _text("note"),
        Column("purged", Boolean, nullable=False),
    )
    op.create_index("item_state", "item", ["state", "next_attempt"])
    op.create_index("item_waiting", "item", ["state", "group"])
    op.create_index("item_expires", "item", ["state", "expires"])
    op.create_index("item_remind", "item", ["state", "reminded", "remind"])
    op.create_index("item_name", "item", ["name"])
    op.create_index("item_file", "item", ["file"])
    op.create_index("item_message", "item", ["message_id"])
    op.create_index("item_queue", "item", ["queue_id"])
    op.create_index("item_finished", "item", ["purged", "finished"])


def _audit() -> None:
    words = ("action", "actor", "way", "origin", "item", "group", "before", "after", "detail")
    op.create_table("audit", _key(), _number("at"), *map(_text, words))
    op.create_index("audit_item", "audit", ["item"])
    op.create_index("audit_at", "audit", ["at"])
    if op.get_context().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit rows stay as they are'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit rows stay as they are'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()"
        )


def _letters() -> None:
    op.create_table(
        "letter",
        _key(),
        _number("item_id"),
        *map(_text, ("kind", "address", "name", "language", "uuid")),
        *map(_number, ("attempts", "planned")),
        _text("detail"),
        *map(_number, ("next_attempt", "sent", "bundle")),
        _text("why"),
    )
    op.create_index("letter_due", "letter", ["sent", "next_attempt"])
    op.create_index("letter_address", "letter", ["address", "sent"])
    op.create_index("letter_item", "letter", ["item_id", "kind", "address"])


def _releases() -> None:
    op.create_table(
        "batch",
        Column("item_id", _ID, ForeignKey("item.id"), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("members", Text, nullable=False),
        _number("spent"),
        _number("accepted"),
    )
    op.create_table(
        "release",
        Column("ticket", Text, primary_key=True),
        Column("item_id", _ID, ForeignKey("item.id"), nullable=False),
        Column("number", Integer, nullable=False),
        _number("spent"),
    )
    op.create_index("release_item", "release", ["item_id", "number"])
    op.create_table(
        "left_out",
        Column("ticket", Text, primary_key=True),
        Column("addresses", Text, nullable=False),
        _number("at"),
    )
    op.create_index("left_out_at", "left_out", ["at"])
