"""In which language a page speaks, and how it says dates. Pure.

What the link asks for goes before the person's own language, that before the browser's. French and English are equals;
who asks for neither gets English.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from babel.dates import format_date, format_time
from markupsafe import Markup, escape

LANGUAGES = ("fr", "en")
NAMES = {"fr": "Français", "en": "English"}
# Day before month, as in most places where English is read beside French.
_LOCALES = {"fr": "fr", "en": "en_GB"}
_DEFAULT = "en"

Translate = Callable[[str, str], str]
"""Returns the text of a language (first) for an English sentence (second)."""


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
        """Return a sentence in this language, escaped, and the values in their places, escaped too."""
        translated = escape(self.translate(self.language, sentence))
        # Escaped above; ``format`` escapes each value that isn't markup of our own.
        return translated.format(**values)

    def when(self, time: int, *, zone: bool = True) -> Markup:
        """Return a time for people, with the machine's form beside it.

        :param time: seconds since 1970, UTC. ``zone``: whether the difference from UTC is said.
        """
        local = datetime.fromtimestamp(time, tz=self.zone).astimezone(self.zone)
        locale = _LOCALES[self.language]
        date, clock = format_date(local, "full", locale=locale), format_time(local, "HH:mm", locale=locale)
        text = self.t("{date} at {time}", date=date, time=clock)
        if zone:
            text += Markup(' <span class="zone">({})</span>').format(_difference(local))
        return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="minutes"), text)


def _difference(local: datetime) -> str:
    """Return ``UTC+1``, ``UTC−3:30``."""
    minutes = int((local.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "−"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"
