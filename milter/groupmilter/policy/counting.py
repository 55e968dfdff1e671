"""What an accepted message counts against: the storm guard of every group it reached, and the site's rate limits.

Each once, when it comes. What the desk brings back was counted for the group that was written to; approving many
messages at once must not look like a storm.
"""

from __future__ import annotations

from collections.abc import Iterator

from groupmilter.groups.group import Group
from groupmilter.policy.disposition import Decision, Expanded, Held, Split, ToOwners
from groupmilter.policy.facts import Count, Facts
from groupmilter.policy.friendly import as_owners
from groupmilter.policy.rules import is_reply, reply_count, storm_count
from groupmilter.policy.settings import Settings
from groupmilter.policy.site import limits


def counted(decision: Decision, facts: Facts, settings: Settings) -> tuple[Count, ...]:
    """Return every counter that goes up by one, each once; none for a refused or deferred message."""
    if decision.answer is not None:
        return ()
    return tuple(dict.fromkeys(_counted(decision, facts, settings)))


def _counted(decision: Decision, facts: Facts, settings: Settings) -> Iterator[Count]:
    reply = is_reply(facts)
    for group in _reached(decision, facts):
        yield storm_count(group, settings.storm)
        if reply:
            yield reply_count(group, settings.storm)
        yield from limits(group, facts, settings)


def _reached(decision: Decision, facts: Facts) -> Iterator[Group]:
    """Yield the groups that the message reached; of one that is brought back those inside that nobody had seen yet."""
    if facts.batch is None:
        yield from _groups(decision)
    elif facts.batch.members is None:
        written_to = {recipient.entry.node for recipient in facts.recipients if recipient.entry is not None}
        yield from (group for group in _groups(decision) if group.node not in written_to)


def _groups(decision: Decision) -> Iterator[Group]:
    for verdict in decision.verdicts:
        if isinstance(verdict.disposition, Held):
            yield verdict.disposition.group
        elif isinstance(verdict.disposition, ToOwners):
            yield as_owners(verdict.disposition.group)
        elif isinstance(verdict.disposition, Expanded | Split):
            yield from verdict.disposition.expansion.walked
            yield from verdict.disposition.expansion.holds
