"""What a letter says of a held message: who wrote it and how sure that is, why it waits, how large it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from groupmilter.language.catalogue import marked
from groupmilter.mail.shown import shown
from groupmilter.moderation.attaching import attachment_names
from groupmilter.moderation.excerpt import harmless
from groupmilter.moderation.item import Item
from groupmilter.moderation.remembering import author
from groupmilter.moderation.sheet import Row, Said, Value, Voice
from groupmilter.moderation.wording import PROOFS, proof, sound

_WHY: Mapping[str, str] = {
    "moderation": marked("messages to this group need approval"),
    "storm": marked("unusually many messages came in a short time"),
    "rate-limit": marked("more messages came than a rule allows in a time"),
    "replay": marked(
        "the same message came before; its sender may have tried again, or somebody else has sent a copy"
    ),
    "bound": marked("the group is too large to be expanded at once"),
    "": marked("the reason isn't known any more"),
}

_BY_RULE = marked("a rule of the organisation says so ({rule})")


def what(item: Item, message: bytes, voice: Voice) -> tuple[Row, ...]:
    """Return what a moderator wants to know first: for which group, from whom, about what, with which files."""
    files = ", ".join(harmless(name) for name in attachment_names(message))
    attached = (Row(voice.say("Attachments"), files),) if files else ()
    return (to_group(item, voice), *sender(item, voice), subject(item, voice), *attached)


def details(item: Item, voice: Voice, releases: bool) -> tuple[Row, ...]:
    """Return what else there is to know.

    :param releases: whether it goes out when nobody decides.
    """
    rows = [
        Row(voice.say("Held because"), said=_why(item.terms.why, voice)),
        received(item, voice),
        Row(voice.say("Size"), said=voice.each(lambda speech: speech.size(item.arrival.size))),
    ]
    if item.terms.expires:
        rows.append(Row(voice.say("Expires"), said=_expiry(item.terms.expires, voice, releases)))
    return (*rows, *agreement(item, voice), *dealing(item, voice), reference(item, voice))


def agreement(item: Item, voice: Voice) -> tuple[Row, ...]:
    """Return how many have approved, and who, where that takes several."""
    needed, names = item.terms.approvals, ", ".join(shown(one.name) for one in item.approved_by)
    if needed <= 1:
        return ()
    said = voice.say("{number} of {needed}", number=len(item.approved_by), needed=needed)
    return (Row(voice.say("Approvals"), names, said),)


def dealing(item: Item, voice: Voice) -> tuple[Row, ...]:
    """Return who says that he is dealing with a message, and since when."""
    if item.claim is None:
        return ()
    return (Row(voice.say("Being dealt with"), shown(item.claim.name), when(item.claim.at, voice)),)


def still_missing(missing: int, voice: Voice) -> tuple[Said, ...]:
    """Return how many others have to approve before a message goes out."""
    return (
        voice.say("The message still waits. Approvals of others that are missing: {number}.", number=missing),
    )


def to_group(item: Item, voice: Voice) -> Row:
    """Return for which group a message is."""
    return Row(voice.say("To the group"), shown(item.terms.group_address))


def received(item: Item, voice: Voice) -> Row:
    """Return when a message came."""
    return Row(voice.say("Received"), said=when(item.arrival.sent or item.recorded, voice))


def sender(item: Item, voice: Voice) -> tuple[Row, ...]:
    """Return who sent a message, how that is proven, and what else stands in its From field."""
    word = proof(item.arrival)
    proven, tone = voice.say(PROOFS[word]), "good" if sound(word) else "doubt"
    address = author(item)
    # What can't be read as one address is the sender's own text.
    named = address or harmless(item.arrival.author, 200)
    name = item.arrival.author.rpartition("<")[0].strip(' "')
    nobody = () if item.arrival.author else voice.say("nobody is named")
    if item.terms.sender_name:
        rows = [Row(voice.say("Sender"), shown(item.terms.sender_name), proven, tone)]
        rows.append(Row(voice.say("From"), named, nobody))
    else:
        rows = [Row(voice.say("From"), named, (*nobody, *proven), tone)]
    if address and name and name.lower() not in {address, item.terms.sender_name.lower()}:
        rows.append(Row(voice.say("Name given"), harmless(name)))
    return tuple(rows)


def subject(item: Item, voice: Voice) -> Row:
    """Return what a message calls itself."""
    text = harmless(item.arrival.subject)
    return Row(voice.say("Subject"), text, () if text else voice.say("(no subject)"))


def title(item: Item, voice: Voice) -> str:
    """Return what a message calls itself, for a place that has room for one language."""
    return harmless(item.arrival.subject, 90) or voice.first.say("(no subject)")


def reference(item: Item, voice: Voice) -> Row:
    """Return the name of an item, by which an administrator finds it."""
    return Row(voice.say("Reference"), item.name)


def when(time: int, voice: Voice) -> Said:
    """Return a time in each language."""
    return voice.each(lambda speech: speech.when(time))


def at(time: int) -> Value:
    """Return a time as the value of a sentence."""
    return lambda speech: speech.when(time)


def why_held(why: str) -> str:
    """Return the sentence for why something waits; one with ``{rule}`` for a rule of the site."""
    return _WHY.get(why, _BY_RULE)


def _why(why: str, voice: Voice) -> Said:
    return voice.say(why_held(why), rule=harmless(why, 60))


def _expiry(time: int, voice: Voice, releases: bool) -> Said:
    if releases:
        return voice.say("{time}; it is released then unless somebody decides", time=at(time))
    return voice.say("{time}; it is rejected then unless somebody decides", time=at(time))
