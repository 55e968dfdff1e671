"""The letters about requests: confirm, decide, remember, and what came of it. Pure; never raises for a request.

French, English, or both where nobody knows which somebody reads. What somebody gave as his reason is text in a place of
its own and never looks like ours; no letter names an owner to who asked. Sources: RFC 3834.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from email.message import EmailMessage
from urllib.parse import quote

from groupmilter.enrolment.facts import heading, lines, outcome, rows, story
from groupmilter.language.catalogue import LANGUAGES, Catalogue, marked
from groupmilter.language.speech import Speech
from groupmilter.mail.shown import shown
from groupmilter.moderation import layout
from groupmilter.moderation.excerpt import harmless
from groupmilter.moderation.request import Request, Stage
from groupmilter.moderation.sheet import Choice, Page, Quote, Said, Sheet, Voice, joined
from groupmilter.moderation.stationery import Addressee, Stationery, before_at, fill, refer
from groupmilter.moderation.ways import above

_ASKING: Mapping[bool, str] = {False: marked("To decide"), True: marked("Reminder, to decide")}


@dataclass(frozen=True, slots=True)
class Doors:
    """How a letter's reader acts: addresses and a page that are his alone; empty where there is none."""

    accept: str = ""
    decline: str = ""
    confirm: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class RequestLetters:
    """Composes the letters about requests of a site.

    :param language: which comes first where both are written. ``zone``: in which times are said; None for the host's.
    :param title: what people call the group of a request; empty: its address. Whoever isn't of the organisation, or
        hasn't proven that he asked, isn't told it.
    """

    service_domain: str
    catalogue: Catalogue
    language: str = "fr"
    zone: tzinfo | None = None
    title: Callable[[Request], str] = lambda _: ""

    def confirm(self, request: Request, to: Addressee, doors: Doors, now: int) -> EmailMessage:
        """Return the question whether it was really the reader who wrote: the only letter to somebody unproven."""
        voice = self._voice(to)
        ask = voice.say("Please confirm")
        sheet = Sheet(
            heading=heading(request, voice),
            paragraphs=(
                voice.say("Somebody, probably you, has asked for this by mail. Nothing happens unless you confirm it."),
            ),
            rows=rows(request, voice, now, named=False),
            choices=(_choice("approve", voice.say("Confirm"), voice.say(
                "To confirm, reply to this letter, or send an empty message to:"), doors.confirm),),
            page=_page(doors, voice.say("Or confirm on this page")),
            notes=(voice.say("If it wasn't you, do nothing: you will hear no more of it."),),
        )  # fmt: skip
        letter = self._letter(to, request, ask, "confirm", now, voice)
        letter["Reply-To"] = doors.confirm
        return _filled(letter, sheet, voice)

    def ask(
        self, request: Request, to: Addressee, doors: Doors, now: int, *, reminder: bool = False
    ) -> EmailMessage:
        """Return the request to decide; to somebody who can't, what waits and how it is decided on the server."""
        voice, title = self._voice(to), self.title(request)
        decides = bool(doors.accept)
        stranded = () if decides else (
            voice.say(
                "No owner of this group has an address that takes mail. Please see to it that one has. Until then the "
                "request can be decided on the server, with:"
            ),
            (("en", f"groupmilter requests show {request.name}"),),
        )  # fmt: skip
        sheet = Sheet(
            heading=heading(request, voice, title),
            paragraphs=stranded,
            rows=rows(request, voice, now, named=True, title=title),
            quote=_quote(request, voice),
            choices=self._choices(doors, voice) if decides else (),
            page=_page(doors, voice.say("Or decide on this page")),
            notes=_notes(voice) if decides else (),
        )
        kind = "reminder" if reminder else "request"
        letter = self._letter(to, request, voice.say(_ASKING[reminder]), kind, now, voice, title)
        if reminder:
            refer(letter, self._stationery.message_id(f"{request.name}.request", to.address))
        return _filled(letter, sheet, voice)

    def outcome(self, request: Request, to: Addressee, owners: str, now: int) -> EmailMessage:
        """Return how a request stands, for who asked.

        :param owners: the address by which the group's owners are reached.
        """
        voice, title = self._voice(to), self.title(request) if request.person_uuid else ""
        first, more = outcome(request, voice, owners, title)
        given = request.stage is Stage.REJECTED and request.comment
        sheet = Sheet(
            heading=first,
            paragraphs=more,
            rows=rows(request, voice, now, named=False, title=title),
            quote=Quote(voice.say("The reason given:"), lines(request.comment)) if given else None,
        )
        kind = f"outcome.{request.stage.value}"
        return _filled(self._letter(to, request, first, kind, now, voice, title), sheet, voice)

    def late(self, request: Request, to: Addressee, now: int) -> EmailMessage:
        """Return that somebody else was first: who, when and how."""
        voice, title = self._voice(to), self.title(request)
        sheet = Sheet(
            heading=voice.say("Your decision came too late and changes nothing."),
            paragraphs=(story(request, voice, to.address),),
            rows=rows(request, voice, now, named=True, title=title),
        )
        letter = self._letter(to, request, voice.say("Already decided"), f"late.{now}", now, voice, title)
        refer(letter, self._stationery.message_id(f"{request.name}.request", to.address))
        return _filled(letter, sheet, voice)

    @property
    def _stationery(self) -> Stationery:
        return Stationery(self.service_domain, self.zone)

    def _letter(
        self, to: Addressee, request: Request, label: Said, kind: str, now: int, voice: Voice, title: str = ""
    ) -> EmailMessage:
        group = harmless(title, 80) or shown(before_at(request.group_address))
        subject = joined(label)
        if "outcome" not in kind:
            about = heading(request, Voice((voice.first,)), title)[0][1]
            subject = voice.first.say("{label}: {subject}", label=subject, subject=about)
        name = voice.first.say("Members of {group}", group=group)
        return self._stationery.letter(to, name, subject, f"{request.name}.{kind}", now)

    def _choices(self, doors: Doors, voice: Voice) -> tuple[Choice, ...]:
        accept, decline = voice.say("Accept"), voice.say("Decline")
        return (
            _choice("approve", accept, voice.say("To accept, send an empty message to:"), doors.accept),
            _choice("reject", decline, voice.say(
                "To decline, send a message to (what you write in it is the reason):"), doors.decline, above(voice)),
        )  # fmt: skip

    def _voice(self, to: Addressee) -> Voice:
        wanted = to.language[:2].lower()
        first = self.language if self.language in LANGUAGES else "en"
        both = (first, *(language for language in LANGUAGES if language != first))
        languages = (wanted,) if wanted in LANGUAGES else both
        return Voice(tuple(Speech(language, self.catalogue, self.zone) for language in languages))


def _choice(kind: str, label: Said, hint: Said, address: str, body: str = "") -> Choice:
    subject = label[0][1]
    url = f"mailto:{quote(address, safe='@+')}?subject={quote(subject, safe='')}"
    return Choice(kind, label, hint, address, f"{url}&body={quote(body, safe='')}" if body else url)


def _page(doors: Doors, label: Said) -> Page | None:
    return Page(label, doors.link) if doors.link else None


def _quote(request: Request, voice: Voice) -> Quote | None:
    if not request.reason:
        return None
    return Quote(voice.say("The reason, in their own words:"), lines(request.reason))


def _notes(voice: Voice) -> tuple[Said, ...]:
    return (
        voice.say(
            "To decide by mail, write from your own account: you have to be logged in to your mail server, and "
            "nobody else can use these addresses. A reply to this letter decides nothing."
        ),
        voice.say("The reason of a refusal is written to who asked."),
    )


def _filled(letter: EmailMessage, sheet: Sheet, voice: Voice) -> EmailMessage:
    fill(letter, layout.plain(sheet, voice), layout.html(sheet, voice, str(letter["Subject"])))
    return letter
