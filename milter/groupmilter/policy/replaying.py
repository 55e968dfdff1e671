"""What is remembered of an accepted message, so that it is known when it comes again (rule ``replay``). Pure."""

from __future__ import annotations

from dataclasses import replace

from groupmilter.policy.disposition import Decision, Expanded, Held, Split
from groupmilter.policy.facts import Facts
from groupmilter.policy.sighting import Sighting


def taken(decision: Decision, facts: Facts) -> Sighting | None:
    """Return what to remember of an accepted message: the groups that took it now and hadn't seen it before."""
    if facts.sighting is None or facts.seen is None or decision.answer is not None:
        return None
    groups = [
        v.disposition.group for v in decision.verdicts if isinstance(v.disposition, Expanded | Held | Split)
    ]
    fresh = tuple(dict.fromkeys(group.uuid for group in groups if group.uuid not in facts.seen))
    return replace(facts.sighting, groups=fresh) if fresh else None
