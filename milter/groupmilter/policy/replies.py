"""Which reply a situation gets: codes by RFC 3463 or as Exchange gives them, texts by group and language."""

from __future__ import annotations

from collections.abc import Mapping

from groupmilter.mail.address import domain_of, with_extension
from groupmilter.mail.reply import Reply, reply
from groupmilter.policy.conditions import any_glob
from groupmilter.policy.settings import ReplyCodes, ReplyTexts, Settings

STATUS: Mapping[str, str] = {
    "disabled": "550 5.2.1",
    "automatic": "550 5.7.1",
    "loop": "554 5.4.6",
    "denied": "550 5.7.2",
    "authentication": "550 5.7.1",
    "allowed": "550 5.7.2",
    "send-as": "550 5.7.1",
    "size": "550 5.2.3",
    "size-counted": "552 5.2.3",
    "storm": "450 4.7.1",
    "rate-limit": "450 4.7.1",
    "replay": "550 5.7.1",
    "site-rule": "550 5.7.1",
    "empty": "550 5.2.1",
    "bound": "451 4.2.4",
    "mixed": "550 5.7.1",
    "concealed": "550 5.1.1",
    "source-route": "550 5.1.3",
    "extension": "550 5.1.1",
    "join-closed": "550 5.7.1",
    "leave-closed": "550 5.7.1",
    "join-outsider": "550 5.7.1",
    "service-address": "550 5.7.1",
    "release": "550 5.7.1",
    "answer": "550 5.7.1",
    "answer-login": "550 5.7.1",
    "hold-quota": "452 4.2.2",
    "unknown": "451 4.4.3",
    "proof": "451 4.4.3",
    "surprise": "451 4.3.0",
    "out-of-time": "451 4.3.0",
    "capability": "451 4.3.5",
}
"""Every situation in which a client hears a refusal or deferral of ours, with its status."""

EXCHANGE: Mapping[str, str] = {
    "authentication": "550 5.7.133",
    "allowed": "550 5.7.124",
    "loop": "554 5.4.14",
}


def reply_for(situation: str, group: str, settings: Settings) -> Reply:
    """Return the reply of a situation, worded for a group.

    :param situation: a key of `STATUS`.
    :param group: the group's primary address, or the address that was tried.
    """
    status = STATUS[situation]
    if settings.reply_codes is ReplyCodes.EXCHANGE:
        status = EXCHANGE.get(situation, status)
    texts = _texts_for(group, settings)
    wording = texts.texts.get(situation) or settings.texts.texts.get(situation, {})
    text = fill(wording, texts, group) or situation
    return reply(status).with_text(text.replace("{owner}", owners_of(group, settings)))


def owners_of(group: str, settings: Settings) -> str:
    """Return the address by which a group's owners are reached; its contact where addresses have no extensions.

    :param group: the group's primary address, or the address that was tried.
    """
    address = with_extension(group, "owner", settings.recipient_delimiter)
    return address or contact_for(group, settings)


def fill(wording: Mapping[str, str], texts: ReplyTexts, group: str) -> str:
    """Return the text in the wanted language, else in English, with group and contact filled in."""
    text = wording.get(texts.language) or wording.get("en", "")
    contact = texts.contact.replace("{domain}", domain_of(group))
    return text.replace("{group}", group).replace("{contact}", contact)


def contact_for(group: str, settings: Settings) -> str:
    """Return the address that a group's replies name as contact."""
    return fill({"en": "{contact}"}, _texts_for(group, settings), group)


def worded(base: Reply, wording: Mapping[str, str], group: str, settings: Settings) -> Reply:
    """Return a site rule's reply with its own text in the language of the group."""
    text = fill(wording, _texts_for(group, settings), group)
    return base.with_text(text.replace("{owner}", owners_of(group, settings))) if text else base


def _texts_for(group: str, settings: Settings) -> ReplyTexts:
    for special in settings.texts_for:
        if any_glob(special.groups, group):
            return special.texts
    return settings.texts
