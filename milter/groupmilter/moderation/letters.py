"""The letters: requests, reminders, summaries, outcomes, reports. Pure; never raises for a message.

French, English, or both where nobody knows which somebody reads. What an outsider wrote is text in a place of its own
and never looks like ours; no letter names a moderator to a sender or can be answered by a machine. Sources: RFC 3834.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from email.message import EmailMessage

from groupmilter.language.catalogue import LANGUAGES, Catalogue, marked
from groupmilter.language.speech import Speech
from groupmilter.mail.reply import Reply
from groupmilter.moderation import failing, layout, ways
from groupmilter.moderation.attaching import why_not_attached
from groupmilter.moderation.excerpt import excerpt, own_lines
from groupmilter.moderation.facts import (
    agreement,
    details,
    received,
    reference,
    sender,
    still_missing,
    subject,
    title,
    to_group,
    what,
    when,
)
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.report import Status, make_report
from groupmilter.moderation.sheet import Entry, Quote, Row, Said, Sheet, Voice, joined
from groupmilter.moderation.stationery import (
    Addressee,
    Stationery,
    before_at,
    enclose_header,
    enclose_original,
    fill,
    refer,
)
from groupmilter.moderation.story import story
from groupmilter.moderation.ways import Ways

__all__ = ["LISTED", "Addressee", "Letters", "Ways"]

LISTED = 50
"""Messages that one summary names."""

_ASKING: Mapping[bool, tuple[str, str]] = {
    False: (marked("To approve"), marked("A message waits for your decision")),
    True: (marked("Reminder, to approve"), marked("A message still waits for your decision")),
}
_ENCLOSED: Mapping[str, str] = {
    "": marked("The whole message is attached."),
    "too-large": marked("The message is too large to be attached."),
    "program": marked("The message may hold a program, so it isn't attached."),
    "unfit": marked("The message can't be carried in an attachment."),
}
_OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "held": (
        marked("Waits for approval"),
        marked("Your message waits for approval"),
        marked("A moderator of the group decides whether its members get it."),
    ),
    "rejected": (
        marked("Not approved"),
        marked("Your message was not approved"),
        marked("The members of the group did not get it."),
    ),
    "expired": (
        marked("Not approved in time"),
        marked("Your message was not approved in time"),
        marked("Nobody decided about it, so the members of the group did not get it."),
    ),
}
_INVALID: Mapping[str, str] = {
    "foreign": marked("You are not, or no longer, among those who decide for this group."),
    "gone": marked("The message that your answer was about is no longer there."),
    "nowhere": marked("There is no group any more to which the message that your answer was about could go."),
}


@dataclass(frozen=True, slots=True)
class Letters:
    """Composes the letters of a site.

    :param largest_attachment: octets up to which the original is attached.
    :param language: which comes first where both are written. ``releases``: whether an expired item goes out.
    :param zone: in which times are said; None for the host's.
    :param called: the name of the group with an address, for those who decide; the sender of held mail isn't told it.
    """

    service_domain: str
    largest_attachment: int
    catalogue: Catalogue
    language: str = "fr"
    releases: bool = False
    zone: tzinfo | None = None
    called: Callable[[str], str] = before_at

    def request(
        self, item: Item, message: bytes, to: Addressee, own: Ways, now: int, *, reminder: bool = False
    ) -> EmailMessage:
        """Return the request to decide about an item, with the original where it can be attached.

        :param own: the ways of this addressee alone; to somebody without any only the facts are told.
        """
        voice = self._voice(to)
        if not own.approve:
            return self._stranded(item, to, voice, now)
        label, heading = _ASKING[reminder]
        unattached = why_not_attached(message, self.largest_attachment)
        sheet = Sheet(
            heading=voice.say(heading),
            rows=what(item, message, voice),
            quote=_quote(message, voice),
            choices=ways.choices(item, own, voice),
            page=ways.page(own, voice),
            details=details(item, voice, self.releases),
            notes=(voice.say(_ENCLOSED[unattached]), *ways.notes(voice)),
        )
        kind = "reminder" if reminder else "request"
        letter = self._letter(to, item, voice, voice.say(label), f"{item.name}.{kind}", now)
        if reminder:
            refer(letter, self._stationery.message_id(f"{item.name}.request", to.address))
        self._fill(letter, sheet, voice)
        if not unattached:
            enclose_original(letter, message)
        return letter

    def _stranded(self, item: Item, to: Addressee, voice: Voice, now: int) -> EmailMessage:
        """Return what the site's contact learns when nobody can be asked; he decides on the server alone."""
        sheet = Sheet(
            heading=voice.say("A message waits, and nobody can be asked"),
            paragraphs=(
                voice.say(
                    "No moderator or owner of this group has an address that takes mail. Please see to it that one "
                    "has. Until then the message can be seen and decided about on the server, with:"
                ),
                (("en", f"groupmilter held show {item.name}"),),
            ),
            rows=(to_group(item, voice), *sender(item, voice), subject(item, voice), reference(item, voice)),
        )  # fmt: skip
        label = voice.say("Nobody to approve")
        letter = self._letter(to, item, voice, label, f"{item.name}.stranded", now)
        self._fill(letter, sheet, voice)
        return letter

    def summary(
        self, items: Sequence[tuple[Item, Ways]], waiting: int, to: Addressee, now: int
    ) -> EmailMessage:
        """Return one letter for many items, each with its ways.

        :param items: the first `LISTED` of them. ``waiting``: how many wait for this addressee in all.
        """
        voice = self._voice(to)
        heading = voice.counted(
            "{number} message waits for your decision", "{number} messages wait for your decision", waiting
        )
        more = waiting - len(items)
        sheet = Sheet(
            heading=heading,
            paragraphs=(
                voice.say("More came than single letters are sent in an hour, so here they are together."),
            ),
            entries=tuple(_entry(item, own, voice) for item, own in items),
            notes=(*_more(more, voice), *ways.notes(voice)),
        )
        name = self._voice_name(voice, "")
        identity = f"summary.{now}"
        letter = self._stationery.letter(to, name, joined(heading), identity, now)
        self._fill(letter, sheet, voice)
        return letter

    def decided(self, item: Item, to: Addressee, now: int) -> EmailMessage:
        """Return that somebody else was first: who, when and how."""
        voice = self._voice(to)
        sheet = Sheet(
            heading=voice.say("Your decision came too late and changes nothing."),
            paragraphs=story(item, voice, to.address),
            rows=(
                to_group(item, voice),
                *sender(item, voice),
                subject(item, voice),
                *agreement(item, voice),
                reference(item, voice),
            ),
        )
        letter = self._letter(to, item, voice, voice.say("Already decided"), f"{item.name}.decided", now)
        refer(letter, self._stationery.message_id(f"{item.name}.request", to.address))
        self._fill(letter, sheet, voice)
        return letter

    def counted(self, item: Item, missing: int, to: Addressee, now: int) -> EmailMessage:
        """Return that somebody's approval counts, and how many others have to approve, too."""
        voice = self._voice(to)
        waits = item.state is State.HELD
        sheet = Sheet(
            heading=voice.say("Your approval is counted."),
            paragraphs=still_missing(missing, voice) if waits else story(item, voice, to.address),
            rows=(
                to_group(item, voice),
                *sender(item, voice),
                subject(item, voice),
                *agreement(item, voice),
                reference(item, voice),
            ),
        )
        letter = self._letter(to, item, voice, voice.say("Counted"), f"{item.name}.counted", now)
        refer(letter, self._stationery.message_id(f"{item.name}.request", to.address))
        self._fill(letter, sheet, voice)
        return letter

    def invalid(self, why: str, to: Addressee, now: int) -> EmailMessage:
        """Return that an answer decided nothing, and why: ``foreign``, ``gone`` or ``nowhere``."""
        voice = self._voice(to)
        known = why if why in _INVALID else "gone"
        heading = voice.say("Nothing was decided.")
        name, identity = self._voice_name(voice, ""), f"invalid.{known}.{now}"
        letter = self._stationery.letter(to, name, joined(heading), identity, now)
        self._fill(letter, Sheet(heading, (voice.say(_INVALID[known]),)), voice)
        return letter

    def failing(self, week: failing.Week, to: Addressee, now: int) -> EmailMessage:
        """Return what owners learn of a week: which members' mail failed."""
        voice = self._voice(to)
        group = self.called(week.group)
        subject = f"{joined(failing.heading(week, voice))} ({before_at(week.group)})"
        identity = f"bounces.{week.group}.{week.until}"
        letter = self._stationery.letter(to, self._voice_name(voice, group), subject, identity, now)
        self._fill(letter, failing.sheet(week, voice), voice)
        return letter

    def outcome(self, item: Item, kind: str, to: Addressee, message: bytes, now: int) -> EmailMessage:
        """Return what the sender learns: ``held``, ``rejected`` or ``expired``; no moderator is named."""
        voice = self._voice(to)
        label, heading, meaning = _OUTCOMES[kind]
        given = kind == "rejected" and item.comment
        expiry = (Row(voice.say("Waits until"), said=when(item.terms.expires, voice)),)
        sheet = Sheet(
            heading=voice.say(heading),
            paragraphs=(voice.say(meaning),),
            rows=(
                to_group(item, voice),
                subject(item, voice),
                *(expiry if kind == "held" and item.terms.expires else ()),
                reference(item, voice),
            ),
            quote=Quote(voice.say("The reason given:"), own_lines(item.comment)) if given else None,
            notes=(voice.say("The header of your message is attached."),),
        )
        letter = self._letter(to, item, voice, voice.say(label), f"{item.name}.{kind}", now, decides=False)
        refer(letter, item.arrival.message_id)
        self._fill(letter, sheet, voice)
        enclose_header(letter, message)
        return letter

    def report(
        self, item: Item, message: bytes, to: str, reply: Reply, reporting_mta: str, group: str
    ) -> EmailMessage:
        """Return a delivery status notification for a group that did not take a message (RFC 3464)."""
        addressee = Addressee(to)
        voice = self._voice(addressee)
        sheet = Sheet(
            heading=self._undelivered(item, voice, group),
            paragraphs=(
                voice.say("If you wrote to others as well, they are not concerned. The reason:"),
                (("", str(reply)),),
            ),
            rows=(subject(item, voice), reference(item, voice)),
            notes=(voice.say("The header of your message is attached."),),
        )
        label = voice.say("Not delivered")
        letter = self._letter(
            addressee, item, voice, label, f"{item.name}.report", item.recorded, decides=False
        )
        refer(letter, item.arrival.message_id)
        status = Status(group, reply, reporting_mta, item.arrival.sent)
        make_report(letter, layout.plain(sheet, voice), status, message)
        return letter

    def _undelivered(self, item: Item, voice: Voice, group: str) -> Said:
        """Return what was not delivered; a group inside that refused isn't named: it may be a hidden member."""
        if item.arrival.partly:
            return voice.say("Your message was not delivered to a part of {group}.", group=group)
        return voice.say("Your message was not delivered to {group}.", group=group)

    # what all letters have in common

    @property
    def _stationery(self) -> Stationery:
        return Stationery(self.service_domain, self.zone)

    def _letter(
        self,
        to: Addressee,
        item: Item,
        voice: Voice,
        label: Said,
        identity: str,
        now: int,
        *,
        decides: bool = True,
    ) -> EmailMessage:
        group = before_at(item.terms.group_address)
        line = voice.first.say("{label}: {subject}", label=joined(label), subject=title(item, voice))
        name = self._voice_name(voice, self.called(item.terms.group_address) if decides else group)
        return self._stationery.letter(to, name, f"{line} ({group})", identity, now)

    def _voice_name(self, voice: Voice, group: str) -> str:
        """Return under which name letters come; without an address in it, which filters take for a forgery."""
        return (
            voice.first.say("Moderation of {group}", group=group) if group else voice.first.say("Moderation")
        )

    def _voice(self, to: Addressee) -> Voice:
        wanted = to.language[:2].lower()
        first = self.language if self.language in LANGUAGES else "en"
        both = (first, *(language for language in LANGUAGES if language != first))
        languages = (wanted,) if wanted in LANGUAGES else both
        return Voice(tuple(Speech(language, self.catalogue, self.zone) for language in languages))

    def _fill(self, letter: EmailMessage, sheet: Sheet, voice: Voice) -> None:
        fill(letter, layout.plain(sheet, voice), layout.html(sheet, voice, str(letter["Subject"])))


def _quote(message: bytes, voice: Voice) -> Quote | None:
    lines, more = excerpt(message)
    beginning, whole = (
        marked("The message begins, in its sender's words:"),
        marked("The message, in its sender's words:"),
    )
    label = beginning if more else whole
    return Quote(voice.say(label), lines) if lines else None


def _entry(item: Item, own: Ways, voice: Voice) -> Entry:
    rows = (to_group(item, voice), *sender(item, voice)[:1], received(item, voice), *agreement(item, voice))
    return Entry(
        title(item, voice),
        rows,
        ways.choices(item, own, voice, brief=True),
        ways.page(own, voice, brief=True),
    )


def _more(more: int, voice: Voice) -> tuple[Said, ...]:
    if more <= 0:
        return ()
    return (
        voice.counted(
            "And {number} more, which follows in the next letters.",
            "And {number} more, which follow in the next letters.",
            more,
        ),
    )
