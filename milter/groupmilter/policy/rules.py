"""The built-in rules of the chain (specification 2.2), one function each: a case in, a ruling out.

A rule that lacks a fact answers "pending", never a guess. The order stands in ``policies/default.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groupmilter.groups.group import Group, Nodes
from groupmilter.mail.address import first_match
from groupmilter.mail.header import keyword
from groupmilter.policy.case import Answer, Case, Defer, Hold, Refuse, Ruling, hit, miss, pending
from groupmilter.policy.facts import Content, Count, Facts, Identity, Strength
from groupmilter.policy.naming import misused
from groupmilter.policy.replies import reply_for
from groupmilter.policy.settings import Rate, StormGuard
from groupmilter.policy.sighting import Seen
from groupmilter.policy.site import site_rules

Rule = Callable[[Case], Ruling]


def _refuse(case: Case, situation: str, because: str, concerns_all: bool = False) -> Ruling:
    reply = reply_for(situation, case.named, case.settings)
    return hit(because, Refuse(reply, concerns_all))


def disabled(case: Case) -> Ruling:
    """Rule 1: the group takes no mail at all."""
    if case.group.enabled:
        return miss("the group is enabled")
    return _refuse(case, "disabled", "dgEnabled is FALSE")


def automatic(case: Case) -> Ruling:
    """Rule 2a: bounces, reports and automatic answers (RFC 3834, RFC 6522) have no business in a group."""
    if not case.facts.envelope_sender:
        return _refuse(case, "automatic", "the envelope sender is null", concerns_all=True)
    if case.facts.content is None:
        return pending("needs the header")
    because = _automatic(case.facts.content)
    return _refuse(case, "automatic", because, concerns_all=True) if because else miss("sent by somebody")


def _automatic(content: Content) -> str:
    for value in content.values("auto-submitted"):
        if keyword(value) == "auto-replied":
            return "Auto-Submitted: auto-replied"
    for value in content.values("content-type"):
        if keyword(value) == "multipart/report":
            return "Content-Type: multipart/report"
    return ""


def by_program(content: Content) -> bool:
    """Tell whether anything says that no human has written a message (RFC 3834, RFC 6522); stricter than rule 2a."""
    submitted = [keyword(value) for value in content.values("auto-submitted")]
    precedence = {value.strip().lower() for value in content.values("precedence")}
    return (
        bool(_automatic(content))
        or any(word != "no" for word in submitted)
        or bool(precedence & {"bulk", "junk", "list", "auto_reply"})
        or any(content.values(name) for name in ("x-autoreply", "x-autorespond", "list-id"))
    )


def loop(case: Case) -> Ruling:
    """Rule 2b: this group has handled this message before, says a trace that only we can write."""
    if case.facts.content is None:
        return pending("needs the header")
    if not case.facts.content.trace.names(case.group.uuid):
        return miss("no trace of this group in the header")
    return _refuse(case, "loop", "the header bears this group's loop trace", concerns_all=True)


def denied(case: Case) -> Ruling:
    """Rule 3: a denied sender; while nothing is proven a mere claim counts too."""
    group, identity = case.group, case.facts.identity
    if not group.denied and not group.denied_addresses:
        return miss("nobody is denied")
    suspect = _named(group.denied, identity.suspects)
    pattern = first_match(group.denied_addresses, identity.claims)
    if suspect:
        return _refuse(case, "denied", f"dgDeniedSender names {identity.name or 'the sender'}")
    if pattern is not None:
        return _refuse(case, "denied", f"dgDeniedSenderAddress {pattern}")
    if case.facts.ended or identity.strength >= Strength.CERTIFICATE:
        return miss("not among the denied")
    return pending("the author is still to come")


def authentication(case: Case) -> Ruling:
    """Rule 4: the group wants an authenticated sender, or a proven external one that it names."""
    group, identity = case.group, case.facts.identity
    if not group.require_authentication:
        return miss("dgRequireAuthentication is FALSE")
    if identity.authenticated:
        return miss(f"authenticated: {identity.strength} {identity.name}")
    proven = _external(group, identity)
    if proven:
        return miss(f"dgExternalSender {proven}, proven by {identity.strength}")
    if identity.may_become is not None and (group.external_senders or may_authenticate(case)):
        return pending("the header may prove the sender")
    return _refuse(
        case, "authentication", f"dgRequireAuthentication is TRUE and the sender is {_known(identity)}"
    )


def may_authenticate(case: Case) -> bool:
    """Tell whether the header, still to come, may make the sender an authenticated one."""
    become = case.facts.identity.may_become
    return become is not None and (become >= Strength.NETWORK or case.settings.dmarc_is_internal)


def _external(group: Group, identity: Identity) -> str:
    if identity.strength < Strength.DMARC:
        return ""
    found = first_match(group.external_senders, identity.addresses)
    return "" if found is None else str(found)


def _known(identity: Identity) -> str:
    if identity.strength is Strength.CLAIMED:
        return "not authenticated"
    return f"known only as {identity.name} by {identity.strength}"


def allowed(case: Case) -> Ruling:
    """Rule 5: where a list of allowed senders is set, only those and the external senders may write."""
    group, identity = case.group, case.facts.identity
    if not group.restricted:
        return miss("everybody is allowed")
    because = _allowance(group, identity)
    if because:
        return miss(because)
    if identity.may_become is not None and _may_be_allowed(case):
        return pending("the header may prove the sender")
    return _refuse(case, "allowed", "neither dgAllowedSender nor dgAllowedSenderAddress names the sender")


def _allowance(group: Group, identity: Identity) -> str:
    if _named(group.allowed, identity.nodes):
        return f"dgAllowedSender names {identity.name}"
    if identity.strength < Strength.DMARC:
        return ""
    found = first_match(group.allowed_addresses, identity.addresses)
    if found is not None:
        return f"dgAllowedSenderAddress {found}"
    proven = _external(group, identity)
    return f"dgExternalSender {proven}" if proven else ""


def _may_be_allowed(case: Case) -> bool:
    return bool(case.group.allowed_addresses or case.group.external_senders) or may_authenticate(case)


def send_as(case: Case) -> Ruling:
    """Rule 6: an authenticated sender may write only under his own name, or a group's with its right."""
    content, identity = case.facts.content, case.facts.identity
    if content is None:
        return pending("needs the header")
    if not identity.authenticated or identity.strength < Strength.NETWORK:
        return miss("the sender is not authenticated")
    because = misused(content, identity, case.settings.own_domains)
    if because:
        return _refuse(case, "send-as", because, concerns_all=True)
    return miss("the author is the sender, or may be used")


def size(case: Case) -> Ruling:
    """Rule 7: larger than the group takes; SIZE= (RFC 1870) at RCPT, counted octets at the end."""
    limit = case.group.max_size if case.group.max_size is not None else case.settings.max_size
    if limit is None:
        return miss("no limit")
    counted = case.facts.size
    declared = case.facts.declared_size or 0
    if counted is not None and counted > limit:
        return _refuse(case, "size-counted", f"{counted} octets, dgMaxMessageSize {limit}")
    if counted is None and declared > limit:
        return _refuse(case, "size", f"SIZE={declared}, dgMaxMessageSize {limit}")
    if counted is None:
        return pending("octets are counted at the end")
    return miss(f"{counted} of {limit} octets")


def storm(case: Case) -> Ruling:
    """Rule 8: too many messages to the group, or too many answers, in a short time."""
    guard, counts = case.settings.storm, case.facts.counts
    if counts is None:
        return hit("the counters can't be read", Defer(reply_for("unknown", case.named, case.settings)))
    if past(guard.rate, counts.get(storm_count(case.group, guard), 0)):
        return _slow(case, f"more than {guard.rate.messages} messages in {guard.rate.seconds} s")
    if not past(guard.replies, counts.get(reply_count(case.group, guard), 0)):
        return miss("no storm")
    if case.facts.content is None:
        return pending("whether it is an answer stands in the header")
    if not is_reply(case.facts):
        return miss("a storm of answers, but this is none")
    return _slow(case, f"more than {guard.replies.messages} answers in {guard.replies.seconds} s")


def storm_count(group: Group, guard: StormGuard) -> Count:
    """Return under what a group's messages are counted."""
    return Count("storm", group.uuid, guard.rate.seconds)


def reply_count(group: Group, guard: StormGuard) -> Count:
    """Return under what answers to a group are counted."""
    return Count("replies", group.uuid, guard.replies.seconds)


def past(rate: Rate, count: int) -> bool:
    """Tell whether a rate is used up."""
    return rate.messages > 0 and count >= rate.messages


def is_reply(facts: Facts) -> bool:
    """Tell whether a message answers another (RFC 5322 section 3.6.4)."""
    return facts.content is not None and bool(
        facts.content.values("in-reply-to") or facts.content.values("references")
    )


def _slow(case: Case, because: str) -> Ruling:
    # Mail programs don't retry, so an authenticated sender's mail waits for a human instead; and pickup
    # retries a 4xx of local submission for ever.
    if case.facts.identity.authenticated or not case.facts.smtp:
        return hit(because, Hold(because))
    if may_authenticate(case):
        return pending("the header may prove the sender")
    return hit(because, Defer(reply_for("storm", case.named, case.settings)))


def replay(case: Case) -> Ruling:
    """Rule 9a: the same message came to this group before, from somebody who isn't authenticated.

    A signature (RFC 6376) proves who wrote a message and says nothing of who sends it, how often, and to whom.
    """
    facts, then = case.facts, case.settings.replay.then
    if then == "accept":
        return miss("what comes again is taken again")
    if case.within is not None:
        return miss("it was written to another group")
    if facts.identity.strength >= Strength.NETWORK:
        return miss("whoever is authenticated may send again")
    if not facts.ended:
        return pending("needs the whole message")
    if facts.seen is None and not facts.smtp:
        # Deferred, it would come back for ever; and nobody elsewhere sends it.
        return miss("this host's own programs wait for nothing")
    if facts.seen is None:
        because = "whether it came before can't be told"
        return hit(because, Defer(reply_for("unknown", case.named, case.settings)))
    seen = facts.seen.get(case.group.uuid)
    if seen is None:
        return miss("it didn't come before")
    if then == "refuse" and seen is Seen.REPEATED:
        return _refuse(case, "replay", "the same message came before, from elsewhere")
    return hit("the same message came before", Hold("replay"))


def moderation(case: Case) -> Ruling:
    """Rule 10: moderated, and the sender is no moderator, owner or bypass."""
    group, identity = case.group, case.facts.identity
    if not group.moderated:
        return miss("not moderated")
    if case.approved:
        return miss("an approval further up covers this group")
    because = exemption(group, identity)
    if because:
        return miss(because)
    if identity.may_become is not None:
        return pending("the header may prove the sender")
    return hit("dgModerated is TRUE", Hold("moderated"))


def exemption(group: Group, identity: Identity) -> str:
    """Return why the sender needs no approval of this group, empty where he does."""
    for right, nodes in (
        ("dgModerator", group.moderators),
        ("owner", group.owners),
        ("dgModerationBypass", group.bypass),
    ):
        if _named(nodes, identity.nodes):
            return f"{right} names {identity.name}"
    found = first_match(group.bypass_addresses, identity.addresses) if identity.bypasses else None
    return "" if found is None else f"dgModerationBypassAddress {found}"


def _named(right: Nodes, nodes: Nodes) -> bool:
    return not right.isdisjoint(nodes)


RULES: Mapping[str, Rule] = {
    "disabled": disabled,
    "automatic": automatic,
    "loop": loop,
    "denied": denied,
    "authentication": authentication,
    "allowed": allowed,
    "send-as": send_as,
    "size": size,
    "storm": storm,
    "site-rules": site_rules,
    "replay": replay,
    "moderation": moderation,
}
"""The rules by the names that a policy's ``chain`` uses."""

__all__ = ["RULES", "Answer", "Rule", "exemption", "is_reply", "may_authenticate"]
