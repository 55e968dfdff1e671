"""What has become of an item, for somebody whose decision came later. Pure."""

from __future__ import annotations

from groupmilter.mail.shown import prose, shown
from groupmilter.moderation.facts import at
from groupmilter.moderation.item import Item, State, Way
from groupmilter.moderation.sheet import Said, Value, Voice
from groupmilter.moderation.wording import way_in_words

_APPROVED = frozenset({State.APPROVED, State.RELEASED, State.REPORTED, State.SHUNTED})


def story(item: Item, voice: Voice, reader: str) -> tuple[Said, ...]:
    """Return who decided, when and how, the reason, and what came after it.

    :param reader: address of who reads it.
    """
    said = [_decision(item, voice, own=item.decided_by.lower() == reader.lower())]
    if item.comment and item.state is State.REJECTED:
        said.append(voice.say("Reason given: {reason}", reason=prose(item.comment, 2_000)))
    if item.state is State.RELEASED:
        said.append(voice.say("It was delivered to the group on {time}.", time=at(item.finished)))
    elif item.state is State.APPROVED:
        said.append(voice.say("It is on its way to the group."))
    return tuple(said)


def _decision(item: Item, voice: Voice, *, own: bool) -> Said:
    time = at(item.decided or item.finished)
    way: Value = lambda speech: speech.say(way_in_words(item.way))  # noqa: E731 - said in each language
    if item.state is State.EXPIRED:
        return voice.say("Nobody decided in time; it was closed on {time}.", time=time)
    if item.state in _APPROVED and item.way == Way.DESK:
        return voice.say("Nobody decided in time; it was released on {time}.", time=time)
    if own and item.state in _APPROVED:
        return voice.say("You approved it on {time}, {way}.", time=time, way=way)
    if own:
        return voice.say("You rejected it on {time}, {way}.", time=time, way=way)
    who: Value = shown(item.decided_by) or (lambda speech: speech.say("Somebody"))
    if item.state in _APPROVED:
        return voice.say("{who} approved it on {time}, {way}.", who=who, time=time, way=way)
    return voice.say("{who} rejected it on {time}, {way}.", who=who, time=time, way=way)
