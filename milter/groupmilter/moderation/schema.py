"""The ledger's tables, in types that SQLite and PostgreSQL both have. Times are seconds since 1970, UTC.

What stands here is what the migrations make; a test compares the two. Text that no database stores (NUL, lone
surrogates) is stored with U+FFFD in its place, and looked for in the same way.
"""

from __future__ import annotations

import re

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Words(TypeDecorator[str]):
    """Text from anywhere."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return the text as it is stored."""
        return value if value is None else storable(value)


def storable(text: str) -> str:
    """Return a text as a database stores it."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _text(name: str) -> Column[str]:
    return Column(name, Words, nullable=False, server_default="")


ITEM = Table(
    "item",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("key", Words, nullable=False, unique=True),
    Column("digest", BigInteger, nullable=False, unique=True),
    _text("name"),
    _text("state"),
    _text("ticket"),
    _text("content"),
    _text("file"),
    Column("kind", Integer, nullable=True),
    _number("group"),
    _number("sender"),
    _number("strength"),
    _number("reason"),
    Column("smtputf8", Boolean, nullable=False),
    Column("partly", Boolean, nullable=False),
    _number("sent"),
    _text("return_path"),
    _text("author"),
    _text("subject"),
    _text("message_id"),
    _text("queue_id"),
    _number("size"),
    _text("recipient"),
    _text("group_uuid"),
    _text("group_address"),
    _text("sender_name"),
    _text("sender_uuid"),
    _text("why"),
    _text("moderators"),
    _number("expires"),
    _number("remind"),
    _number("recorded"),
    _number("decided"),
    _text("decided_by"),
    _text("way"),
    _text("comment"),
    _number("noticed"),
    _number("reminded"),
    _number("attempts"),
    _number("next_attempt"),
    _number("finished"),
    _text("note"),
    Column("purged", Boolean, nullable=False),
    Column("approvals", BigInteger, nullable=False, server_default="1"),
    _text("approved_by"),
    _number("claimed"),
    _text("claimed_by"),
    _text("claimer"),
    Index("item_state", "state", "next_attempt"),
    Index("item_waiting", "state", "group"),
    Index("item_expires", "state", "expires"),
    Index("item_remind", "state", "reminded", "remind"),
    Index("item_name", "name"),
    Index("item_file", "file"),
    Index("item_message", "message_id"),
    Index("item_queue", "queue_id"),
    Index("item_finished", "purged", "finished"),
    Index("item_claimed", "claimed"),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    _number("at"),
    _text("action"),
    _text("actor"),
    _text("way"),
    _text("origin"),
    _text("item"),
    _text("group"),
    _text("before"),
    _text("after"),
    _text("detail"),
    _text("group_uuid"),
    Index("audit_item", "item"),
    Index("audit_at", "at"),
    Index("audit_group", "group_uuid"),
    Index("audit_address", "group"),
)

LETTER = Table(
    "letter",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    _number("item_id"),
    _text("kind"),
    _text("address"),
    _text("name"),
    _text("language"),
    _text("uuid"),
    _number("attempts"),
    _number("planned"),
    _text("detail"),
    _number("next_attempt"),
    _number("sent"),
    _number("bundle"),
    _text("why"),
    Index("letter_due", "sent", "next_attempt"),
    Index("letter_address", "address", "sent"),
    Index("letter_item", "item_id", "kind", "address"),
)

BATCH = Table(
    "batch",
    METADATA,
    Column("item_id", _ID, ForeignKey("item.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("members", Words, nullable=False),
    _number("spent"),
    _number("accepted"),
)

RELEASE = Table(
    "release",
    METADATA,
    Column("ticket", Words, primary_key=True),
    Column("item_id", _ID, ForeignKey("item.id"), nullable=False),
    Column("number", Integer, nullable=False),
    _number("spent"),
    Index("release_item", "item_id", "number"),
)

LEFT_OUT = Table(
    "left_out",
    METADATA,
    Column("ticket", Text, primary_key=True),
    Column("addresses", Text, nullable=False),
    _number("at"),
    Index("left_out_at", "at"),
)

FAILURE = Table(
    "failure",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("ticket", Words, nullable=False),
    Column("address", Words, nullable=False),
    _text("file"),
    _text("group_uuid"),
    _text("group_address"),
    _text("cause"),
    _text("status"),
    _text("why"),
    _number("sent"),
    _number("day"),
    _number("at"),
    Index("failure_once", "ticket", "address", unique=True),
    Index("failure_address", "address", "day"),
    Index("failure_group", "group_uuid", "at"),
    Index("failure_at", "at"),
)

SUSPENSION = Table(
    "suspension",
    METADATA,
    Column("address", Words, primary_key=True),
    _number("since"),
    _number("until"),
    _number("probing"),
    _text("actor"),
    _text("group_address"),
    _text("why"),
    _text("group_uuid"),
)

SUMMED_UP = Table(
    "summed_up",
    METADATA,
    Column("topic", Text, primary_key=True),
    _number("until"),
)

SIDE = Table(
    "side",
    METADATA,
    Column("uuid", Text, primary_key=True),
    _text("dn"),
    _number("changed"),
    _number("gone"),
    Index("side_changed", "changed"),
)

SIDE_VALUE = Table(
    "side_value",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("uuid", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("value", Words, nullable=False),
    Index("side_value_once", "uuid", "label", "digest", unique=True),
    Index("side_value_digest", "digest"),
)

SIGHTING = Table(
    "sighting",
    METADATA,
    Column("digest", Text, primary_key=True),
    _number("at"),
    Column("origin", Text, nullable=False),
    Index("sighting_at", "at"),
)

ACCESS_TOKEN = Table(
    "access_token",
    METADATA,
    Column("digest", Text, primary_key=True),
    _text("name"),
    _text("person"),
    _text("dn"),
    _text("scopes"),
    _number("made"),
    _number("until"),
    _number("used"),
    Index("access_token_person", "person", "name", unique=True),
)

SESSION = Table(
    "session",
    METADATA,
    Column("digest", Text, primary_key=True),
    _text("person"),
    _text("dn"),
    _text("csrf"),
    _text("client"),
    _number("opened"),
    _number("seen"),
    _number("until"),
    _number("password"),
    Index("session_person", "person"),
    Index("session_until", "until"),
)

REQUEST = Table(
    "request",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("digest", BigInteger, nullable=False, unique=True),
    _text("name"),
    _text("kind"),
    _text("stage"),
    _text("group_uuid"),
    _text("group_address"),
    _text("person_uuid"),
    _text("person_name"),
    _text("address"),
    _text("language"),
    _text("reason"),
    _text("way"),
    _text("origin"),
    _text("decided_by"),
    _text("decided_way"),
    _text("comment"),
    _text("note"),
    _number("asked"),
    _number("expires"),
    _number("remind"),
    _number("reminded"),
    _number("decided"),
    _number("attempts"),
    _number("next_attempt"),
    _number("finished"),
    Index("request_stage", "stage", "next_attempt"),
    Index("request_group", "group_uuid", "stage"),
    Index("request_address", "address", "stage"),
    Index("request_person", "person_uuid", "stage"),
    Index("request_name", "name"),
)
