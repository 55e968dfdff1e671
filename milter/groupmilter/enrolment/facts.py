"""What a letter or page says of a request: who asks for what, why, until when, and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from groupmilter.enrolment.service import answer_of
from groupmilter.enrolment.wording import refusal
from groupmilter.language.catalogue import marked
from groupmilter.mail.shown import shown
from groupmilter.moderation.excerpt import harmless
from groupmilter.moderation.facts import at, when
from groupmilter.moderation.request import Request, Stage, Wanted
from groupmilter.moderation.sheet import Row, Said, Value, Voice
from groupmilter.moderation.wording import way_in_words

_HEADINGS: Mapping[Wanted, str] = {
    Wanted.JOIN: marked("{who} asks to join {group}"),
    Wanted.LEAVE: marked("{who} asks to leave {group}"),
}
_OUTCOMES: Mapping[tuple[Wanted, Stage], tuple[str, str]] = {
    (Wanted.JOIN, Stage.WAITING): (
        marked("Your request to join {group} waits for its owners"),
        marked("They have been told. You get another letter once they have decided."),
    ),
    (Wanted.LEAVE, Stage.WAITING): (
        marked("Your request to leave {group} waits for its owners"),
        marked("They have been told. You get another letter once they have decided."),
    ),
    (Wanted.JOIN, Stage.DONE): (
        marked("You are now a member of {group}"),
        marked("Messages to the group reach you from now on."),
    ),
    (Wanted.LEAVE, Stage.DONE): (
        marked("You have left {group}"),
        marked("Messages to the group no longer reach you, unless another group of yours is inside it."),
    ),
    (Wanted.JOIN, Stage.REJECTED): (
        marked("Your request to join {group} was declined"),
        marked("Nothing has changed."),
    ),
    (Wanted.LEAVE, Stage.REJECTED): (
        marked("Your request to leave {group} was declined"),
        marked("Nothing has changed."),
    ),
    (Wanted.JOIN, Stage.EXPIRED): (
        marked("Nobody has decided about your request to join {group}"),
        marked("Its time is over. You may ask again."),
    ),
    (Wanted.LEAVE, Stage.EXPIRED): (
        marked("Nobody has decided about your request to leave {group}"),
        marked("Its time is over. You may ask again."),
    ),
    (Wanted.JOIN, Stage.REFUSED): (marked("You can't join {group} by yourself"), ""),
    (Wanted.LEAVE, Stage.REFUSED): (marked("You can't leave {group} by yourself"), ""),
    (Wanted.JOIN, Stage.FAILED): (
        marked("You could not be made a member of {group}"),
        marked("Your request was accepted, but the directory did not take the change."),
    ),
    (Wanted.LEAVE, Stage.FAILED): (
        marked("You could not be taken out of {group}"),
        marked("Your request was accepted, but the directory did not take the change."),
    ),
}
_MOST, _MOST_LINES = 1_000, 24
_ASK_OWNERS = marked("The group's owners can be reached at {owners}")
_WITH_OWNERS = frozenset({Stage.REFUSED, Stage.FAILED, Stage.EXPIRED, Stage.REJECTED})
_ACCEPTED = frozenset({Stage.ACCEPTED, Stage.DONE, Stage.FAILED})


def heading(request: Request, voice: Voice, title: str = "") -> Said:
    """Return who asks for what, as a title.

    :param title: what people call the group; empty: its address.
    """
    who = harmless(request.who, 80)
    return voice.say(_HEADINGS[request.kind], who=who, group=group_in_words(request, title))


def group_in_words(request: Request, title: str) -> str:
    """Return what people call the group of a request, its address where they call it nothing."""
    return harmless(title, 80) or shown(request.group_address)


def rows(request: Request, voice: Voice, now: int, *, named: bool, title: str = "") -> tuple[Row, ...]:
    """Return the facts of a request.

    :param now: seconds since 1970, UTC. ``named``: with who asks, for those who decide. ``title``: see `heading`.
    """
    group = shown(request.group_address)
    found = [Row(voice.say("Group"), f"{harmless(title, 80)} ({group})" if title else group)]
    if named:
        if request.person_name:
            found.append(Row(voice.say("Name"), shown(request.person_name)))
        address = Row(voice.say("Address"), shown(request.address))
        outside = Row(
            voice.say("Address"), shown(request.address),
            voice.say("not of the organisation; confirmed by the address itself"), "doubt",
        )  # fmt: skip
        found.append(address if request.person_uuid else outside)
    found.append(Row(voice.say("Asked"), said=when(request.asked, voice)))
    if request.stage in {Stage.WAITING, Stage.UNCONFIRMED} and request.expires > now:
        found.append(Row(voice.say("Expires"), said=when(request.expires, voice)))
    return (*found, Row(voice.say("Reference"), request.name))


def outcome(request: Request, voice: Voice, owners: str, title: str = "") -> tuple[Said, tuple[Said, ...]]:
    """Return how a request stands, as a heading and what follows, for who asked.

    :param owners: the address by which the group's owners are reached. ``title``: see `heading`.
    """
    first, text = _OUTCOMES.get((request.kind, request.stage)) or _OUTCOMES[request.kind, Stage.WAITING]
    group = group_in_words(request, title)
    said = [voice.say(text)] if text else []
    if request.stage is Stage.REFUSED:
        answer = answer_of(request.note)
        through = ", ".join(map(shown, answer.through))
        said.append(voice.say(refusal(request.kind, answer), group=group, through=through))
    if request.stage in _WITH_OWNERS and owners:
        said.append(voice.say(_ASK_OWNERS, owners=shown(owners)))
    return voice.say(first, group=group), tuple(said)


def story(request: Request, voice: Voice, reader: str) -> Said:
    """Return who decided, when and how, for somebody whose decision came later.

    :param reader: address of who reads it.
    """
    time = at(request.decided or request.finished)
    way: Value = lambda speech: speech.say(way_in_words(request.decided_way))  # noqa: E731 - said in each language
    accepted = request.stage in _ACCEPTED
    if request.stage is Stage.EXPIRED:
        return voice.say("Nobody decided in time; it was closed on {time}.", time=time)
    if request.stage is Stage.WITHDRAWN:
        return voice.say("It was withdrawn on {time}.", time=time)
    if request.decided_by.lower() == reader.lower():
        own = (
            marked("You accepted it on {time}, {way}.")
            if accepted
            else marked("You declined it on {time}, {way}.")
        )
        return voice.say(own, time=time, way=way)
    who: Value = shown(request.decided_by) or (lambda speech: speech.say("Somebody"))
    other = marked("{who} accepted it on {time}, {way}.")
    return voice.say(
        other if accepted else marked("{who} declined it on {time}, {way}."), who=who, time=time, way=way
    )


def lines(text: str) -> tuple[str, ...]:
    """Return somebody's own words, line by line, harmless to show."""
    return tuple(harmless(line, _MOST) for line in text.splitlines()[:_MOST_LINES])
