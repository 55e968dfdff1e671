"""What the log and the audit say of a message, as values. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from groupmilter.mail.shown import shown
from groupmilter.policy.disposition import Decision, Expanded, Split, Verdict
from groupmilter.policy.explain import outcome, steps
from groupmilter.policy.facts import Facts


def message_line(facts: Facts, decision: Decision) -> dict[str, object]:
    """Return what the log says of a message at its end: who sent it, what proves that, what became of it."""
    return {
        "message_id": _message_id(facts),
        "client": facts.client or "local",
        "sender": facts.envelope_sender,
        "strength": str(facts.identity.strength),
        "identity": facts.identity.name,
        "proof": facts.identity.because,
        "answer": str(decision.answer or "accept"),
        "verdicts": {v.recipient.address.canonical: outcome(v.disposition) for v in decision.verdicts},
    }


def recipient_line(verdict: Verdict) -> dict[str, object]:
    """Return what the log says of a recipient that is refused or deferred on its own."""
    return {
        "recipient": verdict.recipient.address.canonical,
        "verdict": outcome(verdict.disposition),
        "trace": steps(verdict.trace),
    }


def untold(facts: Facts, decision: Decision) -> Iterator[str]:
    """Yield, for the audit, groups inside that refused, where nobody can be told without backscatter."""
    if facts.may_be_told:
        return
    for verdict in decision.verdicts:
        if isinstance(verdict.disposition, Expanded | Split):
            for group, refusal in verdict.disposition.expansion.refused:
                yield f"{group.address} inside {verdict.disposition.group.address}: {refusal.reply}"


def _message_id(facts: Facts) -> str:
    """Return the Message-ID for the log, empty where there is none: by it people ask what became of a mail."""
    values = facts.content.values("message-id") if facts.content is not None else ()
    return shown(values[0]) if values else ""
