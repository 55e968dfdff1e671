"""What rules answer and why, in words of the catalogue: the policy says it in English, from these sentences.

A reason that none of the sentences makes is shown as it is; a test plays the corpus of cases and finds those. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from markupsafe import Markup

from groupmilter.language.catalogue import marked
from groupmilter.mail.shown import shown

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
    marked("dgEnabled is FALSE"),
    marked("the envelope sender is null"),
    marked("needs the header"),
    marked("sent by somebody"),
    marked("no trace of this group in the header"),
    marked("the header bears this group's loop trace"),
    marked("nobody is denied"),
    marked("dgDeniedSender names {name}"),
    marked("dgDeniedSenderAddress {pattern}"),
    marked("not among the denied"),
    marked("the author is still to come"),
    marked("dgRequireAuthentication is FALSE"),
    marked("authenticated: {proof} {name}"),
    marked("dgExternalSender {pattern}, proven by {proof}"),
    marked("the header may prove the sender"),
    marked("dgRequireAuthentication is TRUE and the sender is not authenticated"),
    marked("dgRequireAuthentication is TRUE and the sender is known only as {name} by {proof}"),
    marked("everybody is allowed"),
    marked("neither dgAllowedSender nor dgAllowedSenderAddress names the sender"),
    marked("dgAllowedSender names {name}"),
    marked("dgAllowedSenderAddress {pattern}"),
    marked("dgExternalSender {pattern}"),
    marked("the sender is not authenticated"),
    marked("the author is the sender, or may be used"),
    marked("From can't be read without doubt"),
    marked("Sender can't be read without doubt"),
    marked("{name} has no dgSendAs of {group}, which Sender names"),
    marked("{name} doesn't own {address}, which Sender names"),
    marked("the {proof} {name} doesn't own the author {address}"),
    marked("{name} has neither dgSendAs nor dgSendOnBehalf of {group}"),
    marked("dgSendOnBehalf of {group} needs the sender's own address in Sender"),
    marked("no limit"),
    marked("{count} octets, dgMaxMessageSize {limit}"),
    marked("SIZE={count}, dgMaxMessageSize {limit}"),
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
    marked("dgModerated is TRUE"),
    marked("dgModerator names {name}"),
    marked("owner names {name}"),
    marked("dgModerationBypass names {name}"),
    marked("dgModerationBypassAddress {pattern}"),
    marked("no members"),
    marked("{name} is neither a person nor a group with mail"),
    marked("{name} is locked"),
    marked("{name} has no address that mail can be sent to"),
)
"""Reasons as the policy gives them, with names where it puts values."""

_PLACE = re.compile(r"\\\{(\w+)\\\}")
_PATTERNS = tuple(
    (sentence, re.compile(_PLACE.sub(r"(?P<\1>.+?)", re.escape(sentence)), re.DOTALL))
    for sentence in _SENTENCES
)


def known(because: str) -> tuple[str, dict[str, str]] | None:
    """Return the sentence that a reason is made from, with its values; None for none."""
    for sentence, pattern in _PATTERNS:
        found = pattern.fullmatch(because)
        if found is not None:
            return sentence, found.groupdict()
    return None


def because_words(t: Say, because: str) -> Markup:
    """Return a reason in words."""
    found = known(because)
    if found is None:
        return Markup.escape(shown(because, 300))
    values = {name: Markup("<bdi>{}</bdi>").format(shown(value)) for name, value in found[1].items()}
    return t(found[0], **values)


def rule_words(t: Say, rule: str) -> Markup:
    """Return what a rule finds, where it applies."""
    return t(RULES[rule]) if rule in RULES else Markup.escape(shown(rule, 60))
