"""Whether what becomes of a message hangs on a proof by DKIM or SPF, and what follows where none can be had. Pure.

A proof costs DNS look-ups and time, so it is asked for only where it can change anything: the message is decided
without it first. Where DNS then can't tell, nobody guesses: the client shall come again (specification 2.5).
"""

from __future__ import annotations

from dataclasses import replace

from groupmilter.policy.case import Answer
from groupmilter.policy.disposition import (
    Decision,
    Deferred,
    Expanded,
    Held,
    Refused,
    Split,
    Undecided,
    Verdict,
)
from groupmilter.policy.facts import Facts, Identity
from groupmilter.policy.replies import reply_for
from groupmilter.policy.settings import Settings

Verdicts = tuple[Verdict, ...]


def wants_proof(facts: Facts, decision: Decision) -> bool:
    """Tell whether DKIM and SPF must be asked: a rule waits for them, a human will read them, a report hangs on them,
    or they may make the author an insider, whose bounces and copies go other ways.

    :param decision: of the whole message, made without them.
    """
    identity = facts.identity
    if not identity.unasked:
        return False
    could_be = identity.could_be
    if could_be is not None and any(_pending(v) or _looked_at(v, could_be) for v in decision.verdicts):
        return True
    told = _some_refused(decision.verdicts) or _news(decision.verdicts)
    return identity.path_doubtful and told


def certain(verdicts: Verdicts, facts: Facts, settings: Settings) -> Verdicts:
    """Return the verdicts, deferred where a proof might still change them and DNS couldn't tell.

    That includes a message that some refuse: whether the sender is told, or the whole message refused, hangs on his
    return path. What a group inside refuses stops nobody.
    """
    identity = facts.identity
    if identity.unasked:
        return verdicts
    told = identity.path_doubtful and _some_refused(verdicts)
    doubtful = identity.could_be is not None
    return tuple(
        _deferred(verdict, settings) if (doubtful and _pending(verdict)) or told else verdict
        for verdict in verdicts
    )


def _pending(verdict: Verdict) -> bool:
    """Tell whether a rule waits, or a moderator's answer; what is refused is refused, whatever an earlier rule waits
    for.
    """
    if isinstance(verdict.disposition, Refused | Undecided):
        return isinstance(verdict.disposition, Undecided)
    return any(step.answer is Answer.PENDING for step in verdict.trace)


def _looked_at(verdict: Verdict, could_be: Identity) -> bool:
    """Tell whether a human is shown how the sender is proven, or more than a rule depends on it."""
    match verdict.disposition:
        case Held():
            return True
        case Expanded(_, expansion) | Split(_, _, expansion):
            return bool(expansion.holds) or could_be.internal
        case _:
            return False


def _some_refused(verdicts: Verdicts) -> bool:
    """Tell whether some take the message and others don't, so that the sender might be written to."""
    refusals = [v.disposition for v in verdicts if isinstance(v.disposition, Refused)]
    return 0 < len(refusals) < len(verdicts) and not any(refusal.concerns_all for refusal in refusals)


def _news(verdicts: Verdicts) -> bool:
    expanded = (v.disposition for v in verdicts if isinstance(v.disposition, Expanded | Split))
    return any(disposition.expansion.news for disposition in expanded)


def _deferred(verdict: Verdict, settings: Settings) -> Verdict:
    reply = reply_for("proof", verdict.recipient.address.canonical, settings)
    return replace(verdict, disposition=Deferred(reply))
