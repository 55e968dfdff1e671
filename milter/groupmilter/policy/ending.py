"""What becomes of a message as a whole, once each recipient has its verdict (specification 2.2, 2.4).

A milter has one answer for all recipients. Where a group refuses what others take, the group is taken out and the
sender told, if his return path is proven; else nobody gets the message. A copy that needs a return path of its own
leaves the message and goes by the desk.
"""

from __future__ import annotations

from dataclasses import replace

from groupmilter.mail.reply import Reply
from groupmilter.policy.disposition import Deferred, Expanded, Refused, Reported, Split, Verdict
from groupmilter.policy.facts import Facts, Recipient
from groupmilter.policy.replies import reply_for
from groupmilter.policy.returning import told, wants_own_path
from groupmilter.policy.settings import Settings

Verdicts = tuple[Verdict, ...]


def settled(verdicts: Verdicts, facts: Facts) -> Verdicts:
    """Return the verdicts in view of each other: refusals that are reported, copies that are split off."""
    return tuple(_apart(verdict, verdicts, facts) for verdict in _reported(verdicts, facts))


def _reported(verdicts: Verdicts, facts: Facts) -> Verdicts:
    refused = [v.disposition for v in verdicts if isinstance(v.disposition, Refused)]
    some = 0 < len(refused) < len(verdicts) and facts.may_be_told
    if not some or any(refusal.concerns_all or not _reportable(refusal) for refusal in refused):
        return verdicts
    return tuple(_told(verdict) for verdict in verdicts)


def _reportable(refusal: Refused) -> bool:
    return refusal.group is not None and bool(refusal.reason)


def _told(verdict: Verdict) -> Verdict:
    refusal = verdict.disposition
    if not isinstance(refusal, Refused) or refusal.group is None:
        return verdict
    return replace(verdict, disposition=Reported(refusal.group, refusal.reply, refusal.reason))


def _apart(verdict: Verdict, verdicts: Verdicts, facts: Facts) -> Verdict:
    """Split off a copy that must have its own return path, where the envelope is others' as well."""
    expanded = verdict.disposition
    if not isinstance(expanded, Expanded) or not expanded.expansion.members:
        return verdict
    expansion = expanded.expansion
    shared = len(verdicts) > 1 or bool(expansion.holds or told(expansion, facts))
    if not shared or not wants_own_path(expanded.group, expansion):
        return verdict
    why = "reports about it go to the owners alone"
    return replace(verdict, disposition=Split(expanded.group, why, expansion, expanded.tags))


def answer(verdicts: Verdicts, facts: Facts, settings: Settings) -> Reply | None:
    """Return the one answer that a milter has for all recipients; None where the message is accepted."""
    refused = [(v.recipient, v.disposition) for v in verdicts if isinstance(v.disposition, Refused)]
    for _, refusal in refused:
        if refusal.concerns_all:
            return refusal.reply
    for verdict in verdicts:
        if isinstance(verdict.disposition, Deferred):
            return verdict.disposition.reply
    if refused and len(refused) < len(verdicts):
        return _mixed(*refused[0], facts, settings)
    if refused:
        return refused[0][1].reply
    return None if _anybody(verdicts, facts) else _nobody_left(verdicts, settings)


def conceals(facts: Facts, settings: Settings) -> bool:
    """Tell whether a refusal may not say whether there is such a group."""
    return settings.conceal_groups and not facts.identity.authenticated


def _mixed(recipient: Recipient, refusal: Refused, facts: Facts, settings: Settings) -> Reply:
    if refusal.group is None:
        return reply_for("mixed", recipient.address.canonical, settings)
    return refusal.reply if conceals(facts, settings) else reply_for("mixed", refusal.group.address, settings)


def _anybody(verdicts: Verdicts, facts: Facts) -> bool:
    """Tell whether anything would be left in the envelope."""
    for verdict in verdicts:
        expanded = verdict.disposition
        if not isinstance(expanded, Expanded) or expanded.expansion.members or expanded.expansion.holds:
            return True
        if facts.released and told(expanded.expansion, facts):
            return True
    return False


def _nobody_left(verdicts: Verdicts, settings: Settings) -> Reply | None:
    if not verdicts:
        return None
    return reply_for("empty", verdicts[0].recipient.address.canonical, settings)
