"""In which language a page speaks, and how it says dates. Pure.

What the link asks for goes before the person's own language, that before the browser's. French and English are equals;
who asks for neither gets English.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from markupsafe import Markup, escape

from groupmilter.language.catalogue import LANGUAGES, Translate
from groupmilter.language.speech import (
    difference,
    local_time,
    spoken_clock,
    spoken_date,
    spoken_day,
    spoken_length,
    spoken_moment,
    spoken_number,
    spoken_short_length,
    spoken_size,
)
from groupmilter.language.spoken import Sentence, Spoken

NAMES = {"fr": "Français", "en": "English"}
_DEFAULT = "en"


def chosen(asked: str, person: str, accepted: str) -> str:
    """Return the language of a page.

    :param asked: of the URL. ``person``: preferredLanguage of the directory. ``accepted``: Accept-Language.
    """
    for wish in (asked, *_weighed(person), *_weighed(accepted)):
        language = wish.lower().replace("_", "-").partition("-")[0]
        if language in LANGUAGES:
            return language
    return _DEFAULT


def _weighed(header: str) -> tuple[str, ...]:
    """Return the tags of a language header (RFC 9110 section 12.5.4), the dearest first."""
    wishes = []
    for part in header[:200].split(","):
        tag, _, weight = part.partition(";")
        value = _weight(weight)
        if tag.strip() and value > 0:
            wishes.append((value, tag.strip()))
    return tuple(tag for _, tag in sorted(wishes, key=lambda wish: -wish[0]))


def _weight(text: str) -> float:
    name, _, value = text.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


@dataclass(frozen=True, slots=True)
class Words:
    """What a template says with: ``t`` for sentences, ``when`` for times.

    :param zone: in which times are shown; None for the host's.
    """

    language: str
    translate: Translate
    zone: tzinfo | None = None

    def t(self, sentence: str, **values: object) -> Markup:
        """Return a sentence in this language, escaped, and the values in their places, escaped too.

        :param values: a reason among them (`Spoken`, `Sentence`) is said in this language as well.
        """
        inner = {
            name: self.t(value.sentence, **value.values) if isinstance(value, Spoken | Sentence) else value
            for name, value in values.items()
        }
        translated = escape(self.translate(self.language, sentence))
        # Escaped above; ``format`` escapes each value that isn't markup of our own.
        return translated.format(**inner)

    def number(self, number: int) -> str:
        """Return a number as it is written in this language."""
        return spoken_number(number, self.language)

    def when(self, time: int, *, zone: bool = True) -> Markup:
        """Return a time for people, with the machine's form beside it.

        :param time: seconds since 1970, UTC. ``zone``: whether the difference from UTC is said.
        """
        local = local_time(time, self.zone)
        date, clock = spoken_day(local, self.language), spoken_clock(local, self.language)
        text = self.t("{date} at {time}", date=date, time=clock)
        if zone:
            text += Markup(' <span class="zone">({})</span>').format(difference(local))
        return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="minutes"), text)

    def brief(self, time: int) -> Markup:
        """Return a time as short as a table needs it; seconds since 1970, UTC."""
        local = local_time(time, self.zone)
        text = spoken_moment(local, self.language)
        return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="seconds"), text)

    def day(self, time: int) -> str:
        """Return a day without its year, as an axis has it; seconds since 1970, UTC."""
        return spoken_date(local_time(time, self.zone), self.language)

    def clock(self, time: int) -> str:
        """Return a time without its day, as an axis has it; seconds since 1970, UTC."""
        return spoken_clock(local_time(time, self.zone), self.language)

    def short_length(self, seconds: float) -> str:
        """Return a length of time as an axis has room for it."""
        return spoken_short_length(seconds, self.language)

    def length(self, seconds: float) -> str:
        """Return a length of time."""
        return spoken_length(seconds, self.language)

    def size(self, octets: int) -> str:
        """Return a size."""
        return spoken_size(octets, self.language)
