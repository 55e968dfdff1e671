"""Whether there is room to hold a message: a quota for each group and one for all (specification 3.2)."""

from __future__ import annotations

from groupmilter.groups.group import Group
from groupmilter.groups.ticket import digest
from groupmilter.mail.reply import Reply
from groupmilter.policy.case import Answer, Step
from groupmilter.policy.facts import Facts
from groupmilter.policy.replies import reply_for
from groupmilter.policy.settings import Settings


def no_room(group: Group, facts: Facts, settings: Settings, trace: list[Step]) -> Reply | None:
    """Return the deferral where nothing more can be held for a group; None where there is room.

    What this host's own programs submit is held all the same: deferred, it would come back for ever.
    """
    if not facts.smtp:
        return None
    waiting, quotas = facts.waiting, settings.moderation
    if waiting is None:
        trace.append(Step(group.address, "quota", Answer.HIT, "how much is held can't be told"))
        return reply_for("unknown", group.address, settings)
    own = waiting.groups.get(digest(group.uuid), 0)
    if own < quotas.group_quota and waiting.total < quotas.quota:
        return None
    because = f"{own} messages wait for the group, {waiting.total} in all"
    trace.append(Step(group.address, "quota", Answer.HIT, because))
    return reply_for("hold-quota", group.address, settings)
