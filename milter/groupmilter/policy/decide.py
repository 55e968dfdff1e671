"""The decision for each recipient of a message: the same at RCPT, with what is known so far, and at its end.

A refusal that is decidable is final at once, even where an earlier rule still lacks its facts. Hold and expansion
are final only at the end. The snapshot is asked for members only after every rule has let the message pass.
Fails in one way: what the directory can't tell becomes a deferral (451 4.4.3).
"""

from __future__ import annotations

from dataclasses import replace

from groupmilter.groups.directory import Directory, DirectoryMoved, DirectoryUnknown
from groupmilter.groups.expansion import Admission, BoundExceeded, Expansion, Refusal, Taken, expand
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.mail.action import InsertHeader
from groupmilter.mail.address import spelt
from groupmilter.mail.reply import Reply
from groupmilter.policy.answering import answered
from groupmilter.policy.batching import brought, sizes
from groupmilter.policy.case import Answer, Case, Defer, Hold, Outcome, Refuse, Ruling, Step, pending
from groupmilter.policy.disposition import (
    Decision,
    Deferred,
    Disposition,
    Expanded,
    Held,
    Passed,
    Refused,
    Split,
    Undecided,
    Verdict,
)
from groupmilter.policy.ending import answer, conceals, settled
from groupmilter.policy.facts import Facts, Recipient
from groupmilter.policy.friendly import SERVED, befriended
from groupmilter.policy.holding import no_room
from groupmilter.policy.naming import bears
from groupmilter.policy.proving import certain
from groupmilter.policy.replies import reply_for
from groupmilter.policy.rules import RULES, may_authenticate
from groupmilter.policy.settings import Settings

_MAY_HOLD = frozenset({"storm", "site-rules", "moderation"})


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
    if isinstance(verdict.disposition, Expanded | Split | Held):
        return replace(verdict, disposition=Undecided())
    return verdict


def decide(facts: Facts, directory: Directory, settings: Settings) -> Decision:
    """Decide at the end of the message, for all its recipients.

    :param facts: complete: content, size, and the identity as far as it is proven; see `proving`.
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
        if isinstance(verdict.disposition, Expanded | Split | Held):
            known[verdict.disposition.group.node] = verdict
    whole = settled(certain(tuple(verdicts), facts, settings), facts)
    return Decision(whole, answer(whole, facts, settings))


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
    direct = {r.address.canonical for r in facts.recipients} | facts.taken
    nodes = set(facts.direct)
    if not settings.sender_gets_copy and facts.identity.person is not None:
        nodes.add(facts.identity.person.node)
    return Taken(nodes, direct)


def _verdict(
    recipient: Recipient, facts: Facts, directory: Directory, settings: Settings, taken: Taken
) -> Verdict:
    verdict = _openly(recipient, facts, directory, settings, taken)
    disposition = verdict.disposition
    if not isinstance(disposition, Refused) or disposition.group is None or not conceals(facts, settings):
        return verdict
    reply = reply_for("concealed", spelt(recipient.address.received), settings)
    return replace(verdict, disposition=replace(disposition, reply=reply, reason="concealed"))


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
        if recipient.extension:
            return Verdict(recipient, befriended(recipient, group, facts, directory, settings))
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
        return answered(recipient.answer, address, facts, settings)
    if recipient.release and not facts.released:
        return Undecided()
    if recipient.unknown:
        return Deferred(reply_for("unknown", address, settings))
    if recipient.group is not None and recipient.address.routed:
        return Refused(reply_for("source-route", address, settings), recipient.group, reason="source-route")
    if recipient.extension and recipient.extension not in SERVED:
        return Refused(reply_for("extension", address, settings), recipient.group, reason="extension")
    return None


def _bears_group(facts: Facts, settings: Settings) -> Refused | None:
    """A login may not put a group's address in From without its right, whoever is addressed (2.1)."""
    content, identity = facts.content, facts.identity
    if content is None or not identity.authenticated:
        return None
    group = bears(content, identity, settings.own_domains)
    if group is None:
        return None
    return Refused(reply_for("send-as", group.address, settings), group, concerns_all=True)


def _group(
    group: Group, facts: Facts, directory: Directory, settings: Settings, taken: Taken, trace: list[Step]
) -> Disposition:
    if facts.content is not None and facts.content.excess:
        trace.append(Step(group.address, "header", Answer.HIT, "longer than is read"))
        return Refused(reply_for("size-counted", group.address, settings), group, concerns_all=True)
    case = Case(group, facts, settings)
    outcome, tags = (None, ()) if facts.released else judge(case, trace)
    if isinstance(outcome, Refuse):
        return Refused(outcome.reply, group, outcome.concerns_all, _reason(trace))
    if isinstance(outcome, Defer):
        return Deferred(outcome.reply)
    if isinstance(outcome, Hold) or _may_be_moderated(case, trace):
        full = no_room(group, facts, settings, trace)
        if full is not None:
            return Deferred(full)
    if not facts.ended and _plainly_somebody(case, directory):
        return Undecided()
    if isinstance(outcome, Hold):
        held = Held(group, outcome.why, outcome.terms, tags, _reason(trace))
        return _nobody_for(case, directory, trace) or held
    return _walked(case, directory, taken, trace, tags)


def _reason(trace: list[Step]) -> str:
    """Return the word by which a ticket names the rule that has just decided: the site's own rules have names."""
    step = trace[-1]
    return step.because if step.rule == "site-rules" else step.rule


def _walked(
    case: Case, directory: Directory, taken: Taken, trace: list[Step], tags: tuple[InsertHeader, ...]
) -> Disposition:
    try:
        expansion = _expansion(case, directory, taken, trace)
    except BoundExceeded as exceeded:
        return _past_bound(case, str(exceeded), trace)
    except _NestedDefer as deferral:
        return Undecided() if _may_be_held(case, trace) else Deferred(deferral.reply)
    batch = case.facts.batch
    if batch is not None and batch.members is not None:
        return Expanded(case.group, brought(expansion, batch.number, batch.members), tags)
    nobody = _nobody(case, expansion, trace)
    if nobody is not None:
        return nobody
    for nested in expansion.holds:
        full = no_room(nested, case.facts, case.settings, trace)
        if full is not None:
            taken.discard(expansion.members)
            return Deferred(full)
    too_much = _too_much(case, expansion, taken)
    if too_much:
        trace.append(Step(case.group.address, "split", Answer.HIT, too_much))
        return Split(case.group, too_much, expansion, tags)
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


def judge(case: Case, trace: list[Step]) -> tuple[Outcome | None, tuple[InsertHeader, ...]]:
    """Walk the chain for one group: the first rule with an outcome decides.

    Before the end of the message too: a refusal behind a rule that holds would not be reached at the end either.
    """
    tags: tuple[InsertHeader, ...] = ()
    group = case.group.address or case.group.dn
    proven = case.proven
    for name in case.settings.chain:
        ruling = RULES[name](case)
        if proven is not None and not _same(ruling, RULES[name](proven)):
            ruling = pending("a proof by DKIM or SPF would change the answer")
        trace += (Step(group, name, Answer.MISS, words) for words in ruling.left_out)
        trace.append(Step(group, name, ruling.answer, ruling.because))
        if ruling.answer is not Answer.HIT:
            continue
        tags += ruling.tags
        if ruling.outcome is not None:
            return ruling.outcome, tags
    return None, tags


def _same(ruling: Ruling, other: Ruling) -> bool:
    return (ruling.answer, ruling.outcome, ruling.tags) == (other.answer, other.outcome, other.tags)


def _expansion(case: Case, directory: Directory, taken: Taken, trace: list[Step]) -> Expansion:
    bounds = case.settings.bounds

    def admit(group: Group, covered: bool) -> Admission | Refusal:
        return _admit(Case(group, case.facts, case.settings, covered, case.group), trace)

    covers = case.group.moderated and case.group.covers_nested
    suspended = case.facts.suspended
    return expand(case.group, directory, admit, taken, bounds.depth, bounds.members, covers, suspended)


def _too_much(case: Case, expansion: Expansion, taken: Taken) -> str:
    """Return why the queue file has no room for all members beside the message and what was expanded before."""
    bounds, count = case.settings.bounds, len(expansion.members)
    if count > bounds.in_place:
        return f"{count} members, at most {bounds.in_place} go with the message itself"
    octets = sum(sizes(case.group, expansion.members))
    whole = taken.octets + octets + (case.facts.size or case.facts.declared_size or 0)
    if whole > bounds.message_size_limit:
        return f"{whole} octets with all recipients, the MTA takes {bounds.message_size_limit}"
    taken.octets += octets
    return ""


def _admit(case: Case, trace: list[Step]) -> Admission | Refusal:
    if not case.group.address:
        # A group without mail has no rules of its own; its members are members of what contains it.
        return Admission.EXPAND
    outcome, _ = judge(case, trace)
    if isinstance(outcome, Refuse):
        return Refusal(outcome.reply, _reason(trace))
    if isinstance(outcome, Defer):
        raise _NestedDefer(outcome.reply)
    return Admission.HOLD if outcome is not None else Admission.EXPAND


def _nobody(case: Case, expansion: Expansion, trace: list[Step]) -> Refused | None:
    if not expansion.empty:
        return None
    if expansion.refused:
        first = expansion.refused[0][1]
        return Refused(first.reply, case.group, reason=first.reason)
    because = "; ".join(expansion.left_out) or "no members"
    trace.append(Step(case.group.address, "empty", Answer.HIT, because))
    return Refused(reply_for("empty", case.group.address, case.settings), case.group, reason="empty")


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
