"""The canonical vocabulary (specification 1.1): each field's form, and what absent and unreadable mean.

A profile may say other things for *absent*; what an unreadable value means is the safe side: it never opens a
group, never shows a member. Pure tables; nothing here fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.groups.group import BouncesTo, JoinPolicy, Notify

Scalar = bool | int | str | None

# No address is ever below .invalid (RFC 2606): an allowed list that nobody matches is still a list.
NOBODY = "@unparsable.invalid"
NOBODY_NAMED = "cn=unparsable value"


class Form(StrEnum):
    """How a field's values read."""

    TEXT = "text"
    BOOLEAN = "boolean"
    NUMBER = "number"
    WORD = "word"
    ADDRESSES = "addresses"
    PATTERNS = "patterns"
    NAMES = "names"
    URLS = "urls"
    LANGUAGES = "languages"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field.

    :param absent: its value where no attribute has any.
    :param invalid: its value where what stands there is unreadable; for patterns, what to keep instead.
    :param words: what a WORD may be.
    :param least: the smallest sensible NUMBER.
    """

    form: Form
    absent: Scalar = None
    invalid: Scalar = None
    words: tuple[str, ...] = ()
    least: int = 1


def _word(words: type[StrEnum], absent: StrEnum, invalid: StrEnum) -> Field:
    return Field(Form.WORD, absent.value, invalid.value, tuple(word.value for word in words))


_TEXT = Field(Form.TEXT, "", "")
_NO = Field(Form.BOOLEAN, absent=False, invalid=False)
_NO_ELSE_YES = Field(Form.BOOLEAN, absent=False, invalid=True)
_YES = Field(Form.BOOLEAN, absent=True, invalid=True)
_NUMBER = Field(Form.NUMBER)
_ADDRESSES = Field(Form.ADDRESSES)
_NAMES = Field(Form.NAMES)

PERSON: Mapping[str, Field] = {
    "name": _TEXT,
    "target": _ADDRESSES,
    "addresses": _ADDRESSES,
    "logins": Field(Form.TEXTS),
    "language": _TEXT,
    "disabled": _NO_ELSE_YES,
    "password_changed": _TEXT,
    "member_of": _NAMES,
}

GROUP: Mapping[str, Field] = {
    "name": _TEXT,
    "address": _ADDRESSES,
    "aliases": _ADDRESSES,
    "description": _TEXT,
    "enabled": Field(Form.BOOLEAN, absent=True, invalid=False),
    "owners": _NAMES,
    "members": _NAMES,
    "member_addresses": _ADDRESSES,
    "member_urls": Field(Form.URLS),
    "excluded": _NAMES,
    "member_of": _NAMES,
    "join_policy": _word(JoinPolicy, JoinPolicy.CLOSED, JoinPolicy.CLOSED),
    "leave_policy": _word(JoinPolicy, JoinPolicy.OPEN, JoinPolicy.CLOSED),
    "join_outsiders": _NO,
    "require_authentication": _YES,
    "external_senders": Field(Form.PATTERNS),
    "allowed": Field(Form.NAMES, None, NOBODY_NAMED),
    "allowed_addresses": Field(Form.PATTERNS, None, NOBODY),
    "denied": _NAMES,
    "denied_addresses": Field(Form.PATTERNS),
    "moderated": _NO_ELSE_YES,
    "moderators": _NAMES,
    "bypass": _NAMES,
    "bypass_addresses": Field(Form.PATTERNS),
    "covers_nested": _NO,
    "notify": _word(Notify, Notify.ALWAYS, Notify.INTERNAL),
    "hold_hours": _NUMBER,
    "approvals": Field(Form.NUMBER, 1, 1),
    "max_size": Field(Form.NUMBER, None, None, (), 0),
    "send_as": _NAMES,
    "on_behalf": _NAMES,
    "bounces_to": _word(BouncesTo, BouncesTo.AUTO, BouncesTo.OWNER),
    "auto_replies": _NO,
    "hidden_members": _NO_ELSE_YES,
    "hidden": _NO_ELSE_YES,
    "mail_tip": Field(Form.LANGUAGES),
    "policy": _TEXT,
}

# The fields whose DNs are rights or membership: each is one kind of link in the mirror.
NAME_FIELDS = tuple(name for name, field in GROUP.items() if field.form is Form.NAMES)
