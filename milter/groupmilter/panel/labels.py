"""What people call the fields of a group, in words of the catalogue: the same on every page."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from markupsafe import Markup

from groupmilter.language.catalogue import marked

LABELS = {
    "name": marked("Name"),
    "address": marked("Address"),
    "description": marked("Description"),
    "aliases": marked("Further addresses"),
    "enabled": marked("Accepts mail"),
    "owners": marked("Owners"),
    "members": marked("Members"),
    "member_addresses": marked("Members from outside"),
    "member_urls": marked("Dynamic members"),
    "excluded": marked("Excluded from dynamic members"),
    "join_policy": marked("Joining"),
    "leave_policy": marked("Leaving"),
    "join_outsiders": marked("People from outside may join"),
    "require_authentication": marked("Internal senders only"),
    "external_senders": marked("External senders who may write"),
    "allowed": marked("Allowed senders"),
    "allowed_addresses": marked("Allowed senders (addresses)"),
    "denied": marked("Denied senders"),
    "denied_addresses": marked("Denied senders (addresses)"),
    "moderated": marked("Messages need approval"),
    "moderators": marked("Moderators"),
    "bypass": marked("Senders that need no approval"),
    "bypass_addresses": marked("Senders that need no approval (addresses)"),
    "covers_nested": marked("One approval for nested groups too"),
    "notify": marked("Who is told of a rejection"),
    "hold_hours": marked("Hours that a message waits"),
    "approvals": marked("Approvals needed"),
    "max_size": marked("Largest message"),
    "send_as": marked("May send as the group"),
    "on_behalf": marked("May send on behalf of the group"),
    "bounces_to": marked("Delivery reports go to"),
    "auto_replies": marked("Automatic replies reach the sender"),
    "hidden_members": marked("Members are hidden"),
    "hidden": marked("Hidden from lists"),
    "mail_tip": marked("Mail tip"),
    "policy": marked("Policy"),
}
"""Canonical field: its name for people; every field of `profile_fields.GROUP` that people may see has one."""


_TYPED = {"decision": marked("Decision"), "reason": marked("Reason"), "comment": marked("Comment (optional)")}


def label(t: Callable[..., Markup], field: str) -> Markup:
    """Return a field's name; of a text in one language, as ``mail_tip.fr``, with that language."""
    name, _, language = field.partition(".")
    words = t(LABELS[name]) if name in LABELS else Markup.escape(field)
    return Markup("{} ({})").format(words, language) if language else words


def typed_label(t: Callable[..., Markup], name: str) -> Markup:
    """Return what a field of a form is: that of a group, what is added to it or taken out; else its name as it is."""
    if name in _TYPED:
        return t(_TYPED[name])
    field, _, change = name.rpartition(".")
    words = {"add": t("Add"), "remove": t("Remove")}.get(change)
    return Markup("{} ({})").format(label(t, field), words) if words else label(t, name)


def labels(t: Callable[..., Markup], fields: Iterable[str]) -> Markup:
    """Return the names of several fields, in a row."""
    return Markup(", ").join(label(t, field) for field in dict.fromkeys(fields))
