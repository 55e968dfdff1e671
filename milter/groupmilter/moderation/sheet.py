"""What a letter says before it is laid out: our sentences in each of its languages, and others' text, kept apart. Pure.

One sheet serves the plain text and the HTML, so that neither can say what the other doesn't.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from groupmilter.language.speech import Speech

Said = tuple[tuple[str, str], ...]
"""One thing, said once in each language of the letter: language and text; equal texts once."""

Value = str | int | Callable[[Speech], str]
"""What fills a place: the same in all languages, or what one of them makes of it."""


@dataclass(frozen=True, slots=True)
class Voice:
    """The languages of one letter, the first one first."""

    speeches: tuple[Speech, ...]

    @property
    def first(self) -> Speech:
        """The language of what can be said once only, such as the subject of an answer."""
        return self.speeches[0]

    def say(self, sentence: str, **values: Value) -> Said:
        """Return a sentence in each language."""
        return self.each(lambda speech: speech.say(sentence, **_filled(values, speech)))

    def counted(self, one: str, many: str, number: int) -> Said:
        """Return the form of a sentence for a number in each language."""
        return self.each(lambda speech: speech.counted(one, many, number))

    def each(self, say: Callable[[Speech], str]) -> Said:
        """Return what each language makes of something."""
        said: dict[str, str] = {}
        for speech in self.speeches:
            said.setdefault(say(speech), speech.language)
        return tuple((language, text) for text, language in said.items())


def _filled(values: dict[str, Value], speech: Speech) -> dict[str, str | int]:
    return {name: value(speech) if callable(value) else value for name, value in values.items()}


def joined(said: Said, between: str = " / ") -> str:
    """Return a short thing said in all languages on one line."""
    return between.join(text for _, text in said)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of facts.

    :param quoted: text of others, shown as such. ``said``: what we say of it.
    :param tone: ``good``, ``doubt`` or empty.
    """

    label: Said
    quoted: str = ""
    said: Said = ()
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to decide by mail: the button, the address behind it, and how it is used."""

    kind: str
    label: Said
    hint: Said
    address: str
    url: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A part of a message as its sender wrote it, under a line that says so."""

    label: Said
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A link to a page, with what it is for."""

    label: Said
    url: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One of several messages: what it is, and how to decide about it."""

    title: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = ()
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A letter's content, from top to bottom."""

    heading: Said
    paragraphs: tuple[Said, ...] = ()
    rows: tuple[Row, ...] = ()
    quote: Quote | None = None
    choices: tuple[Choice, ...] = ()
    page: Page | None = None
    entries: tuple[Entry, ...] = ()
    details: tuple[Row, ...] = ()
    notes: tuple[Said, ...] = ()
