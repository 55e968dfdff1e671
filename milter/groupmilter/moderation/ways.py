"""How a letter lets its reader decide: an address for each decision, a page, and how they are used. Pure.

The address of a button opens a new message with its subject; a rejection's has a line of dashes too, above which the
reason is written, so that no signature is taken for one. Source: RFC 6068.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from groupmilter.language.catalogue import marked
from groupmilter.moderation.facts import title
from groupmilter.moderation.item import Item
from groupmilter.moderation.sheet import Choice, Page, Said, Voice

_DASHES = "-- "


@dataclass(frozen=True, slots=True)
class Ways:
    """How one moderator decides about one item: two addresses and a page; empty where there is none."""

    approve: str
    reject: str
    link: str = ""


def choices(item: Item, ways: Ways, voice: Voice, *, brief: bool = False) -> tuple[Choice, ...]:
    """Return the decisions that can be made by mail.

    :param brief: without the line of dashes, where many stand in one letter.
    """
    approve, reject = voice.say("Approve"), voice.say("Reject")
    body = "" if brief else above(voice)
    return (
        Choice("approve", approve, voice.say("To approve, send an empty message to:"), ways.approve,
               _mailto(ways.approve, approve, item, voice)),
        Choice("reject", reject, voice.say("To reject, send a message to (what you write in it is the reason):"),
               ways.reject, _mailto(ways.reject, reject, item, voice, body)),
    )  # fmt: skip


def page(ways: Ways, voice: Voice, *, brief: bool = False) -> Page | None:
    """Return the page on which can be decided, if there is one."""
    if not ways.link:
        return None
    return Page(voice.say("Decide on a page") if brief else voice.say("Or decide on this page"), ways.link)


def notes(voice: Voice) -> tuple[Said, ...]:
    """Return what somebody has to know who decides by mail."""
    return (
        voice.say(
            "To decide by mail, write from your own account: you have to be logged in to your mail server, and "
            "nobody else can use these addresses. A reply to this letter decides nothing."
        ),
        voice.say("The reason of a rejection is written to the sender, if the sender is told at all."),
    )


def above(voice: Voice) -> str:
    """Return the body of a rejection: a line of dashes, above which the reason is written."""
    text = voice.first.say(marked("Above the dashes you may give a reason."))
    return f"\r\n\r\n{_DASHES}\r\n{text}\r\n"


def _mailto(address: str, label: Said, item: Item, voice: Voice, body: str = "") -> str:
    subject = voice.first.say("{label}: {subject}", label=label[0][1], subject=title(item, voice))
    url = f"mailto:{quote(address, safe='@+')}?subject={quote(subject, safe='')}"
    return f"{url}&body={quote(body, safe='')}" if body else url
