"""Plays a case's messages to the collector exactly as the milter session does, and notes what became of each.

A refusal or deferral at RCPT is final for that recipient; local submission hears everything at the end. Storm
guard and rate limits count within one case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from groupmilter.authentication.evidence import Evidence, parted, supposed
from groupmilter.authentication.identity import Proofs
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.mail.address import Address, path
from groupmilter.mail.reply import Reply, Severity
from groupmilter.mta.collector import Collector
from groupmilter.mta.counters import Counters, CountsNow
from groupmilter.mta.site import Site
from groupmilter.policy.counting import counted
from groupmilter.policy.disposition import (
    Decision,
    Deferred,
    Expanded,
    Held,
    Passed,
    Refused,
    Reported,
    Split,
    ToOwners,
    Verdict,
)
from groupmilter.policy.facts import Facts
from groupmilter.policy.replaying import taken
from groupmilter.policy.replies import reply_for
from groupmilter.rehearsal.case import Case, Difference, Message, Observed, Outcome, Result
from groupmilter.rehearsal.cases import plain
from groupmilter.rehearsal.memory import Memory

Prove = Callable[[Evidence], Proofs]


def rehearse(case: Case, site: Site) -> Result:
    """Play all messages of a case and compare.

    :param site: with the settings and directory that the case asks for.
    """
    counters, memory = Counters(1 << 12), Memory()
    observed: list[tuple[Observed, ...]] = []
    differences: list[Difference] = []
    for number, message in enumerate(case.messages):
        seen = play(message, site, counters, memory=memory).observed
        observed.append(seen)
        differences.extend(_compared(number, message, seen))
    return Result(case, tuple(observed), tuple(differences))


@dataclass(frozen=True, slots=True)
class Transcript:
    """How one message went.

    :param observed: what became of each recipient, in the client's order.
    :param facts, decision: of its end; None where no recipient was left, or nobody asked.
    """

    observed: tuple[Observed, ...]
    facts: Facts | None = None
    decision: Decision | None = None


def play(
    message: Message,
    site: Site,
    counters: Counters,
    prove: Prove | None = None,
    memory: Memory | None = None,
) -> Transcript:
    """Send one message.

    :param counters: what the storm guard has counted so far; an accepted message counts.
    :param prove: what is proven of it; None for what the message itself supposes.
    :param memory: which messages came before; None where none did.
    """
    now, before = message.time.timestamp(), memory or Memory()
    pinned = replace(
        site,
        prove=prove or (lambda evidence: supposed(evidence, message.proofs)),
        counts=lambda: CountsNow(counters, now),
        clock=lambda: message.time,
        seen=lambda sighting: before.seen(sighting, now),
        remember=lambda sighting: before.record(sighting, now),
    )
    collector = begin(message, pinned)
    early = [_at_rcpt(collector, recipient) for recipient in message.recipients]
    late = _at_end(collector, message, counters) if collector.recipients else Transcript(())
    rest = iter(late.observed)
    observed = tuple(seen or replace(next(rest), recipient=recipient) for recipient, seen in early)
    return replace(late, observed=observed)


def begin(message: Message, site: Site) -> Collector:
    """Return the collector as it stands after MAIL FROM."""
    argument = f"<{message.sender}>"
    sender = path(argument, site.settings.own_domains) or Address(argument, message.sender)
    utf8 = not all(text.isascii() for text in (message.sender, *message.recipients))
    return Collector(site, message.connection, sender, message.declared_size, utf8)


def _at_rcpt(collector: Collector, recipient: str) -> tuple[str, Observed | None]:
    verdict = collector.recipient(f"<{recipient}>")
    disposition = verdict.disposition
    if collector.connection.client and isinstance(disposition, Refused | Deferred):
        return recipient, Observed(recipient, _answered(disposition.reply, "rcpt"), verdict)
    collector.accept(verdict.recipient)
    return recipient, None


def _at_end(collector: Collector, message: Message, counters: Counters) -> Transcript:
    if not collector.wants_header:
        return Transcript(
            tuple(_one(Verdict(r, Passed()), Outcome(passed=True)) for r in collector.recipients)
        )
    _hand_over(message, collector)
    try:
        facts, decision = collector.end()
    except DirectoryUnknown:
        return _unknown(collector)
    if decision.answer is None:
        counters.add(counted(decision, facts, collector.site.settings), message.time.timestamp())
        if (sighting := taken(decision, facts)) is not None:
            collector.site.remember(sighting)
    proven = facts.may_be_told
    seen = (_one(verdict, _outcome(verdict, decision, proven=proven)) for verdict in decision.verdicts)
    return Transcript(tuple(seen), facts, decision)


def _hand_over(message: Message, collector: Collector) -> None:
    """Give the collector header and body: octet for octet where there are octets, else lines that make up the size."""
    if message.content is not None:
        fields, body = parted(message.content)
        for written, octets in fields:
            collector.header(written.decode("utf-8", "surrogateescape"), octets)
        collector.body(body)
        return
    for name, value in message.fields:
        collector.header(name, b" " + value.encode("utf-8", "surrogateescape"))
    if collector.groups:
        collector.body(message.body())


def _unknown(collector: Collector) -> Transcript:
    """Return what the session answers when the directory is gone at the end of the message."""
    first = collector.recipients[0].address.canonical
    outcome = Outcome(passed=True)
    if collector.groups:
        outcome = _answered(reply_for("unknown", first, collector.site.settings), "end")
    return Transcript(tuple(_one(Verdict(r, Passed()), outcome) for r in collector.recipients))


def _one(verdict: Verdict, outcome: Outcome) -> Observed:
    return Observed("", outcome, verdict)


def _answered(reply: Reply, at: str) -> Outcome:
    if reply.severity is Severity.PERMANENT:
        return Outcome(refuse=reply.status, at=at)
    return Outcome(defer=reply.status, at=at)


def _outcome(verdict: Verdict, decision: Decision, *, proven: bool) -> Outcome:
    if decision.answer is not None:
        return _answered(decision.answer, "end")
    match verdict.disposition:
        case ToOwners(_, addresses):
            return Outcome(deliver=frozenset(map(plain, addresses)))
        case Expanded(_, expansion) | Split(_, _, expansion):
            told = expansion.news if proven else ()
            return Outcome(
                deliver=frozenset(plain(member.address) for member in expansion.members),
                hold=frozenset(plain(group.address) for group in expansion.holds),
                notify=told[0].reply.status if told else "",
            )
        case Held(group):
            return Outcome(hold=frozenset({plain(group.address)}))
        case Reported(_, reply):
            return Outcome(notify=reply.status)
        case _:
            return Outcome(passed=True)


def _compared(number: int, message: Message, seen: tuple[Observed, ...]) -> Iterator[Difference]:
    for address, expected in message.expected:
        exactly = [one for one in seen if one.recipient == address]
        for one in _together(exactly) or [one for one in seen if plain(one.recipient) == plain(address)]:
            if not agrees(expected, one.outcome):
                yield Difference(number, expected, one)


def _together(same: list[Observed]) -> list[Observed]:
    """Return one for a recipient given several times in one spelling: what all of them became."""
    if len(same) < 2:
        return same
    delivered = frozenset(address for one in same for address in one.outcome.deliver)
    return [replace(same[0], outcome=replace(same[0].outcome, deliver=delivered))]


def agrees(expected: Outcome, observed: Outcome) -> bool:
    """Tell whether an expectation is met; one that doesn't say when, is met at either time."""
    return replace(expected, at=expected.at or observed.at) == observed
