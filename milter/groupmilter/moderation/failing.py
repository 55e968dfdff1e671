"""What owners are told each week: which members' mail failed, why, and whether they still get any. Pure.

The reasons are other servers' words and are shown as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groupmilter.mail.shown import shown
from groupmilter.moderation.bounce import Cause
from groupmilter.moderation.bounce_book import Standing, Suspension
from groupmilter.moderation.facts import at, when
from groupmilter.moderation.sheet import Entry, Row, Said, Sheet, Voice

_MOST_ADDRESS = 320
_MOST_WHY = 200


@dataclass(frozen=True, slots=True)
class Week:
    """One week of a group's failed deliveries.

    :param group: its address. ``since``, ``until``: seconds since 1970, UTC.
    :param members: those that are listed; ``count``: how many there are.
    :param suspensions: by address.
    """

    group: str
    since: int
    until: int
    members: Sequence[Standing]
    count: int
    suspensions: Mapping[str, Suspension]


def heading(week: Week, voice: Voice) -> Said:
    """Return how many members are concerned."""
    return voice.counted(
        "Mail to {number} member did not arrive", "Mail to {number} members did not arrive", week.count
    )


def sheet(week: Week, voice: Voice) -> Sheet:
    """Return the content of the letter."""
    more = week.count - len(week.members)
    rest = (voice.counted("And to {number} more.", "And to {number} more.", more),) if more > 0 else ()
    return Sheet(
        heading=heading(week, voice),
        paragraphs=(
            voice.say(
                "Mail servers report that messages to this group could not be delivered to these members. Please "
                "correct their addresses, or take them out of the group."
            ),
        ),
        rows=(
            Row(voice.say("To the group"), shown(week.group, _MOST_ADDRESS)),
            Row(voice.say("Beginning"), said=when(week.since, voice)),
            Row(voice.say("End"), said=when(week.until, voice)),
        ),
        entries=tuple(_entry(one, week.suspensions.get(one.address), voice) for one in week.members),
        notes=(*rest, *_notes(voice)),
    )


def _entry(one: Standing, suspension: Suspension | None, voice: Voice) -> Entry:
    reason = shown(one.why or one.status, _MOST_WHY)
    none = () if reason else voice.say("the reports give none")
    number = voice.counted("{number} message in all", "{number} messages in all", one.messages)
    state, tone = _state(one, suspension, voice), "doubt" if _stopped(suspension) else ""
    rows = (
        Row(voice.say("Undelivered"), said=number),
        Row(voice.say("Last report"), said=when(one.last, voice)),
        Row(voice.say("Reason"), reason, none),
        Row(voice.say("Group mail"), said=state, tone=tone),
    )
    return Entry(shown(one.address, _MOST_ADDRESS), rows)


def _stopped(suspension: Suspension | None) -> bool:
    return suspension is not None and not suspension.probing


def _state(one: Standing, suspension: Suspension | None, voice: Voice) -> Said:
    if suspension is None:
        if one.cause == Cause.MESSAGE:
            return voice.say("goes on: a message was refused, not the address")
        return voice.say("goes on")
    if suspension.probing:
        return voice.say("goes on, on trial since {time}", time=at(suspension.probing))
    if suspension.until:
        return voice.say("suspended; it is tried again from {time}", time=at(suspension.until))
    return voice.say("suspended")


def _notes(voice: Voice) -> tuple[Said, ...]:
    return (
        voice.say(
            "Only addresses outside the organisation are suspended, after failures of several days; the directory "
            "stays as it is. An administrator can end that at once."
        ),
        voice.say("The reasons are the words of other mail servers."),
    )
