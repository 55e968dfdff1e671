"""The decision for each recipient of a message: the same at RCPT, with what is known so far, and at its end.

A refusal that is decidable is final at once, even where an earlier rule still lacks its facts. Hold and expansion
are final only at the end. The snapshot is asked for members only after every rule has let the message pass.
Fails in one way: what the directory can't tell becomes a deferral (451 4.4.3).
"""

from __future__ import annotations

from dataclasses import replace

from groupmilter.groups.directory import Directory, DirectoryMoved, DirectoryUnknown
from groupmilter.groups.expansion import Admission, BoundExceeded, Expansion, Taken, expand
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.mail.action import AddHeader
from groupmilter.mail.reply import Reply
from groupmilter.policy.answering import answered
from groupmilter.policy.case import Answer, Case, Defer, Hold, Outcome, Refuse, Step
from groupmilter.policy.disposition import (
    Decision,
    Deferred,
    Disposition,
    Expanded,
    Held,
    Passed,
    Refused,
    Undecided,
    Verdict,
)
from groupmilter.policy.facts import Facts, Recipient
from groupmilter.policy.holding import no_room
from groupmilter.policy.replies import reply_for
from groupmilter.policy.rules import RULES, foreign, may_authenticate
from groupmilter.policy.settings import Settings

_MAY_HOLD = frozenset({"storm", "site-rules", "moderation"})
_PER_RECIPIENT = 17
"""Octets of a Postfix queue file record beside twice the address (measured: 71 for 25 characters)."""


class _NestedDefer(Exception):
    """A nested group can't take the message now, so nor can what contains it: nobody gets half a group."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def decide_recipient(recipient: Recipient, facts: Facts, directory: Directory, settings: Settings) -> Verdict:
    """Decide at RCPT, for one recipient alone.

    :param facts: what is known so far; ``facts.recipients`` are those accepted before.
    :returns: a verdict that is `Passed`, `Undecided`, `Refused` or `Deferred`.
    """
    if _given_before(recipient, facts):
        return Verdict(recipient, Undecided())
    verdict = _verdict(recipient, facts, directory, settings, Taken())
    if isinstance(verdict.disposition, Expanded | Held):
        return replace(verdict, disposition=Undecided())
    return verdict


def decide(facts: Facts, directory: Directory, settings: Settings) -> Decision:
    """Decide at the end of the message, for all its recipients.

    :param facts: complete: content, size, final identity.
    """
    taken = _taken(facts, settings)
    known: dict[Node, Verdict] = {}
    verdicts = []
    for recipient in facts.recipients:
        before = known.get(recipient.entry.node) if recipient.entry is not None and known else None
        if before is not None and _plain(recipient):
            verdicts.append(_again(recipient, before))
            continue
        verdict = _verdict(recipient, facts, directory, settings, taken)
        verdicts.append(verdict)
        if isinstance(verdict.disposition, Expanded | Held):
            known[verdict.disposition.group.node] = verdict
    return Decision(tuple(verdicts), _answer(tuple(verdicts), facts, settings))


def _plain(recipient: Recipient) -> bool:
    return not recipient.address.routed and not recipient.extension


def _given_before(recipient: Recipient, facts: Facts) -> bool:
    """Tell whether the same group was accepted before in this message, so that nothing new is to be found out."""
    if recipient.group is None or not _plain(recipient):
        return False
    node = recipient.group.node
    return any(r.entry is not None and r.entry.node == node for r in facts.recipients[:-1])


def _again(recipient: Recipient, before: Verdict) -> Verdict:
    """Return what a group becomes that another recipient has reached already: nobody gets a second copy."""
    disposition = before.disposition
    if isinstance(disposition, Expanded):
        disposition = replace(disposition, expansion=replace(disposition.expansion, members=()))
    return Verdict(recipient, disposition, before.trace)


def _taken(facts: Facts, settings: Settings) -> Taken:
    # The groups' own addresses as well: they are deleted last, and whoever has the same address with them.
    direct = {r.address.canonical for r in facts.recipients}
    nodes = set(facts.direct)
    if not settings.sender_gets_copy and facts.identity.person is not None:
        nodes.add(facts.identity.person.node)
    return Taken(nodes, direct)


def _verdict(
    recipient: Recipient, facts: Facts, directory: Directory, settings: Settings, taken: Taken
) -> Verdict:
    verdict = _openly(recipient, facts, directory, settings, taken)
    disposition = verdict.disposition
    if not isinstance(disposition, Refused) or disposition.group is None or not _conceals(facts, settings):
        return verdict
    reply = reply_for("concealed", recipient.address.canonical, settings)
    return replace(verdict, disposition=replace(disposition, reply=reply))


def _conceals(facts: Facts, settings: Settings) -> bool:
    return settings.conceal_groups and not facts.identity.authenticated


def _openly(
    recipient: Recipient, facts: Facts, directory: Directory, settings: Settings, taken: Taken
) -> Verdict:
    early = _without_rules(recipient, facts, settings)
    if early is not None:
        return Verdict(recipient, early)
    group = recipient.group
    if group is None:
        return Verdict(recipient, _bears_group(facts, settings) or Passed())
    trace: list[Step] = []
    try:
        disposition = _group(group, facts, directory, settings, taken, trace)
    except DirectoryMoved:
        raise
    except DirectoryUnknown as unknown:
        trace.append(Step(group.address, "directory", Answer.HIT, str(unknown)))
        disposition = Deferred(reply_for("unknown", group.address, settings))
    return Verdict(recipient, disposition, tuple(trace))


def _without_rules(recipient: Recipient, facts: Facts, settings: Settings) -> Disposition | None:
    address = recipient.address.canonical
    if recipient.service:
        return Refused(reply_for("service-address", address, settings))
    if recipient.answer is not None:
        return answered(recipient.answer, facts, settings)
    if recipient.release and not facts.released:
        return Undecided()
    if recipient.unknown:
        return Deferred(reply_for("unknown", address, settings))
    if recipient.group is not None and recipient.address.routed:
        return Refused(reply_for("source-route", address, settings), recipient.group)
    if recipient.extension:
        return Refused(reply_for("extension", address, settings), recipient.group)
    return None


def _bears_group(facts: Facts, settings: Settings) -> Refused | None:
    """A login may not put a group's address in From without its right, whoever is addressed (2.1)."""
    content, identity = facts.content, facts.identity
    if content is None or not identity.authenticated:
        return None
    for author in content.authors:
        if isinstance(author.owner, Group) and foreign(author, content, identity, settings.own_domains):
            reply = reply_for("send-as", author.owner.address, settings)
            return Refused(reply, author.owner, concerns_all=True)
    return None


def _group(
    group: Group, facts: Facts, directory: Directory, settings: Settings, taken: Taken, trace: list[Step]
) -> Disposition:
    if facts.content is not None and facts.content.excess:
        trace.append(Step(group.address, "header", Answer.HIT, "longer than is read"))
        return Refused(reply_for("size-counted", group.address, settings), group, concerns_all=True)
    case = Case(group, facts, settings)
    outcome, tags = (None, ()) if facts.released else judge(case, trace)
    if isinstance(outcome, Refuse):
        return Refused(outcome.reply, group, outcome.concerns_all)
    if isinstance(outcome, Defer):
        return Deferred(outcome.reply)
    if isinstance(outcome, Hold) or _may_be_moderated(case, trace):
        full = no_room(group, facts, settings, trace)
        if full is not None:
            return Deferred(full)
    if not facts.ended and _plainly_somebody(case, directory):
        return Undecided()
    if isinstance(outcome, Hold):
        rule = trace[-1].rule
        held = Held(group, outcome.why, outcome.terms, tags, outcome.why if rule == "site-rules" else rule)
        return _nobody_for(case, directory, trace) or held
    return _walked(case, directory, taken, trace, tags)


def _walked(
    case: Case, directory: Directory, taken: Taken, trace: list[Step], tags: tuple[AddHeader, ...]
) -> Disposition:
    try:
        expansion = _in_budget(case, _expansion(case, directory, taken, trace), taken)
    except BoundExceeded as exceeded:
        return _past_bound(case, str(exceeded), trace)
    except _NestedDefer as deferral:
        return Undecided() if _may_be_held(case, trace) else Deferred(deferral.reply)
    nobody = _nobody(case, expansion, trace)
    if nobody is not None:
        return nobody
    for nested in expansion.holds:
        full = no_room(nested, case.facts, case.settings, trace)
        if full is not None:
            taken.discard(expansion.members)
            return Deferred(full)
    return Expanded(case.group, expansion, tags)


def _may_be_moderated(case: Case, trace: list[Step]) -> bool:
    """Tell whether a moderated group waits for the end of the message to know whether this sender needs approval."""
    return (
        not case.facts.ended
        and case.group.moderated
        and any(step.rule == "moderation" and step.answer is Answer.PENDING for step in trace)
    )


def _plainly_somebody(case: Case, directory: Directory) -> bool:
    """Tell whether a walk could find nothing against the group: it has members, not too many, and no groups inside."""
    direct = directory.members(case.group.node)
    return not direct.groups and 0 < len(direct.people) <= case.settings.bounds.members


def _nobody_for(case: Case, directory: Directory, trace: list[Step]) -> Refused | None:
    """Tell whether there is anybody to hold a message for; what stops an expansion matters once it is released."""
    try:
        return _nobody(case, _expansion(case, directory, Taken(), trace), trace)
    except (BoundExceeded, _NestedDefer):
        return None


def judge(case: Case, trace: list[Step]) -> tuple[Outcome | None, tuple[AddHeader, ...]]:
    """Walk the chain for one group: the first rule with an outcome decides.

    Before the end of the message too: a refusal behind a rule that holds would not be reached at the end either.
    """
    tags: tuple[AddHeader, ...] = ()
    group = case.group.address or case.group.dn
    for name in case.settings.chain:
        ruling = RULES[name](case)
        trace.append(Step(group, name, ruling.answer, ruling.because))
        if ruling.answer is not Answer.HIT:
            continue
        tags += ruling.tags
        if ruling.outcome is not None:
            return ruling.outcome, tags
    return None, tags


def _expansion(case: Case, directory: Directory, taken: Taken, trace: list[Step]) -> Expansion:
    bounds = case.settings.bounds

    def admit(group: Group, covered: bool) -> Admission | Reply:
        return _admit(Case(group, case.facts, case.settings, covered, case.group), trace)

    covers = case.group.moderated and case.group.covers_nested
    return expand(case.group, directory, admit, taken, bounds.depth, bounds.members, covers)


def _in_budget(case: Case, expansion: Expansion, taken: Taken) -> Expansion:
    """Return the expansion where the queue file has room for it beside the message and what was expanded before."""
    limit = case.settings.bounds.message_size_limit
    octets = _octets(expansion, case.group)
    whole = taken.octets + octets + (case.facts.size or case.facts.declared_size or 0)
    if whole > limit:
        taken.discard(expansion.members)
        raise BoundExceeded(f"{whole} octets with all recipients, the MTA takes {limit}")
    taken.octets += octets
    return expansion


def _octets(expansion: Expansion, group: Group) -> int:
    fixed = _PER_RECIPIENT + len(group.address) + 2 * len("rfc822;") + 2 * len("<>")
    members = expansion.members
    return len(members) * fixed + 2 * sum([len(member.address) for member in members])


def _admit(case: Case, trace: list[Step]) -> Admission | Reply:
    if not case.group.address:
        # A group without mail has no rules of its own; its members are members of what contains it.
        return Admission.EXPAND
    outcome, _ = judge(case, trace)
    if isinstance(outcome, Refuse):
        return outcome.reply
    if isinstance(outcome, Defer):
        raise _NestedDefer(outcome.reply)
    return Admission.HOLD if outcome is not None else Admission.EXPAND


def _nobody(case: Case, expansion: Expansion, trace: list[Step]) -> Refused | None:
    if not expansion.empty:
        return None
    if expansion.refused:
        return Refused(expansion.refused[0][1], case.group)
    because = "; ".join(expansion.left_out) or "no members"
    trace.append(Step(case.group.address, "empty", Answer.HIT, because))
    return Refused(reply_for("empty", case.group.address, case.settings), case.group)


def _past_bound(case: Case, because: str, trace: list[Step]) -> Disposition:
    trace.append(Step(case.group.address, "bound", Answer.HIT, because))
    if case.facts.released:
        return Refused(reply_for("release", case.group.address, case.settings), case.group)
    if case.facts.identity.authenticated or not case.facts.smtp or _may_be_held(case, trace):
        full = no_room(case.group, case.facts, case.settings, trace)
        return Held(case.group, because, reason="bound") if full is None else Deferred(full)
    return Deferred(reply_for("bound", case.group.address, case.settings))


def _may_be_held(case: Case, trace: list[Step]) -> bool:
    """Tell whether the end of the message, still to come, may hold it: then nothing is a reason to defer now."""
    waiting = (
        step.rule for step in trace if step.answer is Answer.PENDING and step.group == case.group.address
    )
    return not case.facts.ended and (may_authenticate(case) or not _MAY_HOLD.isdisjoint(waiting))


def _answer(verdicts: tuple[Verdict, ...], facts: Facts, settings: Settings) -> Reply | None:
    """Return the one answer that a milter has for all recipients (2.2): nobody gets what some are refused."""
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
    return None if _anybody(verdicts) else _nobody_left(verdicts, settings)


def _mixed(recipient: Recipient, refusal: Refused, facts: Facts, settings: Settings) -> Reply:
    if refusal.group is None:
        return reply_for("mixed", recipient.address.canonical, settings)
    return (
        refusal.reply if _conceals(facts, settings) else reply_for("mixed", refusal.group.address, settings)
    )


def _anybody(verdicts: tuple[Verdict, ...]) -> bool:
    return any(
        not isinstance(v.disposition, Expanded)
        or v.disposition.expansion.members
        or v.disposition.expansion.holds
        for v in verdicts
    )


def _nobody_left(verdicts: tuple[Verdict, ...], settings: Settings) -> Reply | None:
    if not verdicts:
        return None
    return reply_for("empty", verdicts[0].recipient.address.canonical, settings)
