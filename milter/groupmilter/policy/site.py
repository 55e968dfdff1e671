"""A site's own rules (rule 9): walked in order; the first that refuses or holds decides."""

from __future__ import annotations

import hashlib

from groupmilter.groups.group import Group
from groupmilter.mail.action import InsertHeader
from groupmilter.mail.reply import Reply
from groupmilter.mail.words import encoded
from groupmilter.policy.case import Answer, Case, Defer, Hold, Outcome, Refuse, Ruling, miss, pending
from groupmilter.policy.conditions import any_glob
from groupmilter.policy.facts import Count, Facts
from groupmilter.policy.replies import reply_for, worded
from groupmilter.policy.settings import (
    AcceptThen,
    HoldThen,
    RateLimitThen,
    RefuseThen,
    Settings,
    SiteRule,
    TagThen,
)


def site_rules(case: Case) -> Ruling:
    """Apply the rules that concern the group; pending where one can't be told yet."""
    tags: list[InsertHeader] = []
    left_out: list[str] = []
    for rule in case.settings.rules:
        holds = _holds_yet(rule, case) if _concerns(rule, case) else False
        if holds is None:
            return pending(f"{rule.name} needs the end of the message")
        if not holds:
            continue
        if isinstance(rule.then, TagThen):
            if _breaks(rule.then, case.facts):
                left_out.append(f"{rule.name}: a signature forbids another {rule.then.name}")
            else:
                tags.append(InsertHeader(rule.then.name, encoded(rule.then.value)))
            continue
        if isinstance(rule.then, AcceptThen):
            return Ruling(Answer.HIT, f"{rule.name} accepts", None, tuple(tags), tuple(left_out))
        outcome = _outcome(rule, case)
        if outcome is not None:
            return Ruling(Answer.HIT, rule.name, outcome, tuple(tags), tuple(left_out))
    if tags:
        return Ruling(Answer.HIT, "tagged", None, tuple(tags), tuple(left_out))
    if left_out:
        return Ruling(Answer.MISS, "no other rule of the site applies", left_out=tuple(left_out))
    return miss("no rule of the site applies")


def _breaks(tag: TagThen, facts: Facts) -> bool:
    return not tag.over_signature and facts.content is not None and facts.content.closed(tag.name.lower())


def _concerns(rule: SiteRule, case: Case) -> bool:
    if rule.policy and rule.policy != case.group.policy:
        return False
    return not rule.groups or any(any_glob(rule.groups, address) for address in case.group.addresses)


def _holds(rule: SiteRule, case: Case) -> bool | None:
    answers = [condition.holds(case) for condition in rule.when]
    if False in answers:
        return False
    return None if None in answers else True


def _holds_yet(rule: SiteRule, case: Case) -> bool | None:
    holds = _holds(rule, case)
    counts_sender = isinstance(rule.then, RateLimitThen) and rule.then.per_sender
    return None if holds and counts_sender and case.facts.identity.may_become is not None else holds


def _outcome(rule: SiteRule, case: Case) -> Outcome | None:
    group, then = case.named, rule.then
    if isinstance(then, RefuseThen):
        return Refuse(refusal(then, group, case.settings))
    if isinstance(then, HoldThen):
        return Hold(rule.name, then)
    return _limited(rule, then, case) if isinstance(then, RateLimitThen) else None


def refusal(then: RefuseThen, group: str, settings: Settings) -> Reply:
    """Return the reply of a rule that refuses, in its own words or those of every such rule.

    :param group: the address that it names.
    """
    base = then.reply if then.texts else reply_for("site-rule", group, settings)
    return worded(then.reply.with_text(base.text), then.texts, group, settings)


def _limited(rule: SiteRule, then: RateLimitThen, case: Case) -> Outcome | None:
    refused = reply_for("rate-limit", case.named, case.settings)
    if case.facts.counts is None:
        return Defer(reply_for("unknown", case.named, case.settings))
    if case.facts.counts.get(limit_key(rule, then, case.group.uuid, case.facts), 0) < then.rate.messages:
        return None
    if then.past == "hold":
        return Hold(rule.name)
    if then.past == "refuse":
        return Refuse(reply_for("site-rule", case.named, case.settings))
    return Hold(rule.name) if not case.facts.smtp else Defer(refused)


def limit_key(rule: SiteRule, then: RateLimitThen, group: str, facts: Facts) -> Count:
    """Return what a rate limit counts by: the group, or the sender within it.

    :param group: the group's UUID.
    """
    name = f"rule {rule.name}"
    if not then.per_sender:
        return Count(name, group, then.rate.seconds)
    # With the strength: who only claims to be somebody doesn't use up what is his.
    sender = f"{facts.identity.strength} {facts.identity.name or facts.envelope_sender}"
    pair = hashlib.sha256(f"{group}\0{sender}".encode(errors="replace")).hexdigest()
    return Count(name, pair, then.rate.seconds)


def limits(group: Group, facts: Facts, settings: Settings) -> tuple[Count, ...]:
    """Return what a message that the group took counts against, over all rate limits that concern the group."""
    case = Case(group, facts, settings)
    return tuple(
        limit_key(rule, rule.then, group.uuid, facts)
        for rule in settings.rules
        if isinstance(rule.then, RateLimitThen) and _concerns(rule, case) and _holds(rule, case)
    )
