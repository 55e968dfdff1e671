"""What rules answer and why, in words of the catalogue: the policy says it in English, from these sentences.

A reason that none of the sentences makes is shown as it is; a test plays the corpus of cases and finds those. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from markupsafe import Markup

from groupmilter.language.catalogue import marked
from groupmilter.mail.shown import shown
from groupmilter.panel.labels import label

Say = Callable[..., Markup]

RULES: Mapping[str, str] = {
    "disabled": marked("Group switched off"),
    "automatic": marked("Automatic message"),
    "loop": marked("Loop"),
    "denied": marked("Denied sender"),
    "authentication": marked("Sender not authenticated"),
    "allowed": marked("Not among the allowed senders"),
    "send-as": marked("Somebody else's name as author"),
    "size": marked("Too large"),
    "storm": marked("Storm of messages"),
    "site-rules": marked("Rule of the organisation"),
    "replay": marked("Same message again"),
    "moderation": marked("Approval needed"),
    "directory": marked("Directory out of reach"),
    "header": marked("Header too long"),
    "split": marked("Sent in several parts"),
    "empty": marked("Nobody to deliver to"),
    "bound": marked("Group too large"),
    "quota": marked("Too much waits already"),
}
"""What each rule of the chain finds, where it applies."""

_SENTENCES = (
    marked("the group is enabled"),
    marked("the envelope sender is null"),
    marked("needs the header"),
    marked("sent by somebody"),
    marked("no trace of this group in the header"),
    marked("the header bears this group's loop trace"),
    marked("nobody is denied"),
    marked("not among the denied"),
    marked("the author is still to come"),
    marked("authenticated: {proof} {name}"),
    marked("the header may prove the sender"),
    marked("everybody is allowed"),
    marked("the sender is not authenticated"),
    marked("the author is the sender, or may be used"),
    marked("From can't be read without doubt"),
    marked("Sender can't be read without doubt"),
    marked("{name} doesn't own {address}, which Sender names"),
    marked("the {proof} {name} doesn't own the author {address}"),
    marked("no limit"),
    marked("octets are counted at the end"),
    marked("{count} of {limit} octets"),
    marked("the counters can't be read"),
    marked("more than {count} messages in {seconds} s"),
    marked("more than {count} answers in {seconds} s"),
    marked("no storm"),
    marked("whether it is an answer stands in the header"),
    marked("a storm of answers, but this is none"),
    marked("no rule of the site applies"),
    marked("no other rule of the site applies"),
    marked("{rule} needs the end of the message"),
    marked("{rule} accepts"),
    marked("tagged"),
    marked("what comes again is taken again"),
    marked("it was written to another group"),
    marked("whoever is authenticated may send again"),
    marked("needs the whole message"),
    marked("this host's own programs wait for nothing"),
    marked("whether it came before can't be told"),
    marked("it didn't come before"),
    marked("the same message came before, from elsewhere"),
    marked("the same message came before"),
    marked("not moderated"),
    marked("an approval further up covers this group"),
    marked("no members"),
    marked("{name} is neither a person nor a group with mail"),
    marked("{name} is locked"),
    marked("{name} has no address that mail can be sent to"),
)
"""Reasons as the policy gives them, with names where it puts values."""

_ON, _OFF = marked("“{setting}” is on"), marked("“{setting}” is off")
_NAMED, _LISTED = marked("{name} stands in “{setting}”"), marked("{pattern} stands in “{setting}”")

_OF_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "dgEnabled is FALSE": (_OFF, "enabled"),
    "dgDeniedSender names {name}": (_NAMED, "denied"),
    "dgDeniedSenderAddress {pattern}": (_LISTED, "denied_addresses"),
    "dgRequireAuthentication is FALSE": (_OFF, "require_authentication"),
    "dgExternalSender {pattern}, proven by {proof}": (
        marked("{pattern} stands in “{setting}”, proven by {proof}"),
        "external_senders",
    ),
    "dgRequireAuthentication is TRUE and the sender is not authenticated": (
        marked("“{setting}” is on, and the sender is not authenticated"),
        "require_authentication",
    ),
    "dgRequireAuthentication is TRUE and the sender is known only as {name} by {proof}": (
        marked("“{setting}” is on, and the sender is known only as {name} by {proof}"),
        "require_authentication",
    ),
    "neither dgAllowedSender nor dgAllowedSenderAddress names the sender": (
        marked("the sender stands neither in “{setting}” nor in “{other}”"),
        "allowed",
        "allowed_addresses",
    ),
    "dgAllowedSender names {name}": (_NAMED, "allowed"),
    "dgAllowedSenderAddress {pattern}": (_LISTED, "allowed_addresses"),
    "dgExternalSender {pattern}": (_LISTED, "external_senders"),
    "{name} has no dgSendAs of {group}, which Sender names": (
        marked("{name} doesn't stand in “{setting}” of {group}, which Sender names"),
        "send_as",
    ),
    "{name} has neither dgSendAs nor dgSendOnBehalf of {group}": (
        marked("{name} stands neither in “{setting}” nor in “{other}” of {group}"),
        "send_as",
        "on_behalf",
    ),
    "dgSendOnBehalf of {group} needs the sender's own address in Sender": (
        marked("“{setting}” of {group} needs the sender's own address in Sender"),
        "on_behalf",
    ),
    "{count} octets, dgMaxMessageSize {limit}": (marked("{count} octets; “{setting}”: {limit}"), "max_size"),
    "SIZE={count}, dgMaxMessageSize {limit}": (
        marked("{count} octets announced; “{setting}”: {limit}"),
        "max_size",
    ),
    "dgModerated is TRUE": (_ON, "moderated"),
    "dgModerator names {name}": (_NAMED, "moderators"),
    "owner names {name}": (_NAMED, "owners"),
    "dgModerationBypass names {name}": (_NAMED, "bypass"),
    "dgModerationBypassAddress {pattern}": (_LISTED, "bypass_addresses"),
}
"""Reasons that name an attribute: how people say the same, and the fields whose names stand for it."""

_PROOFS: Mapping[str, str] = {
    "login": marked("log-in"),
    "certificate": marked("certificate"),
    "network": marked("trusted network"),
}
"""What proves a sender, in people's words; names of methods such as DKIM are the same everywhere."""

_ATTRIBUTE = re.compile(r"\bdg\w+|^owner\b")
_PLACE = re.compile(r"\\\{(\w+)\\\}")
_PATTERNS = tuple(
    (sentence, re.compile(_PLACE.sub(r"(?P<\1>.+?)", re.escape(sentence)), re.DOTALL))
    for sentence in (*_SENTENCES, *_OF_SETTINGS)
)


def known(because: str) -> tuple[str, dict[str, str]] | None:
    """Return the sentence that a reason is made from, with its values; None for none."""
    for sentence, pattern in _PATTERNS:
        found = pattern.fullmatch(because)
        if found is not None:
            return sentence, found.groupdict()
    return None


def because_words(t: Say, because: str, *, attributes: bool = False) -> Markup:
    """Return a reason in words, settings by the names they have on pages.

    :param attributes: whether the directory's own names stand beside those.
    """
    found = known(because)
    if found is None:
        return Markup.escape(shown(because, 300))
    sentence, *fields = _OF_SETTINGS.get(found[0], (found[0],))
    values = {name: _value(t, name, value) for name, value in found[1].items()}
    words = t(
        sentence,
        **values,
        **dict(zip(("setting", "other"), (label(t, each) for each in fields), strict=False)),
    )
    named = ", ".join(_ATTRIBUTE.findall(found[0])) if attributes and fields else ""
    return words + Markup(' <span class="quiet">({})</span>').format(named) if named else words


def _value(t: Say, name: str, value: str) -> Markup:
    if name == "proof" and value in _PROOFS:
        return t(_PROOFS[value])
    return Markup("<bdi>{}</bdi>").format(shown(value))


def rule_words(t: Say, rule: str) -> Markup:
    """Return what a rule finds, where it applies."""
    return t(RULES[rule]) if rule in RULES else Markup.escape(shown(rule, 60))
