"""A decision in words: one row per rule, and what becomes of each recipient."""

from __future__ import annotations

from collections.abc import Iterable

from groupmilter.groups.ticket import Action
from groupmilter.policy.case import Step
from groupmilter.policy.disposition import (
    Answered,
    Deferred,
    Disposition,
    Expanded,
    Held,
    Passed,
    Refused,
    Reported,
    Split,
    ToOwners,
    Undecided,
    Wished,
)


def outcome(disposition: Disposition) -> str:
    """Return a disposition in a few words, for logs, tables and differences."""
    match disposition:
        case Passed():
            return "pass"
        case Undecided():
            return "undecided"
        case Expanded():
            return _expanded(disposition)
        case Split(group, why, expansion):
            return f"split {group.address} to {len(expansion.members)}: {why}"
        case Reported(group, reply):
            return f"report {group.address} to the sender: {reply}"
        case Held():
            return f"hold {disposition.group.address}: {disposition.why}"
        case Answered() | Wished() | ToOwners():
            return _beside(disposition)
        case Refused():
            return f"refuse {disposition.reply}"
        case Deferred():
            return f"defer {disposition.reply}"


def word(disposition: Disposition) -> str:
    """Return a disposition in one word, as JSON has it."""
    words: dict[type, str] = {
        Passed: "pass",
        Undecided: "undecided",
        Expanded: "expand",
        Split: "split",
        Held: "hold",
        Answered: "answer",
        Wished: "wish",
        ToOwners: "owners",
        Reported: "report",
        Refused: "refuse",
        Deferred: "defer",
    }
    return words[type(disposition)]


def steps(trace: Iterable[Step]) -> list[str]:
    """Return a trace as one line a step: group, rule, answer, and the fact or value that decided."""
    return [f"{step.group} {step.rule}: {step.answer.value} ({step.because})" for step in trace]


def _beside(disposition: Answered | Wished | ToOwners) -> str:
    """Return what becomes of a message that isn't for a group's members."""
    match disposition:
        case Answered(token) if token.action is Action.CONFIRM:
            return "a confirmation" if disposition.sender else "an automatic answer, to be dropped"
        case Answered():
            return "a moderator's answer" if disposition.sender else "an automatic answer, to be dropped"
        case Wished(group, action):
            return f"{action.name.lower()} {group.address}"
        case ToOwners(group, addresses):
            return f"to the owners of {group.address}: {len(addresses)}"


def _expanded(expanded: Expanded) -> str:
    expansion = expanded.expansion
    words = [f"expand {expanded.group.address} to {len(expansion.members)}"]
    words += [f"hold {group.address}" for group in expansion.holds]
    words += [f"left out {group.address} ({refusal.reply.status})" for group, refusal in expansion.refused]
    return ", ".join(words)
