"""The sentences of letters and pages in each language: gettext catalogues, compiled in memory from their .po files.

English is what stands in the code; a sentence without a translation is shown in English, and a test finds it. Source:
GNU gettext manual.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "fr")

Translate = Callable[[str, str], str]
"""Returns the text of a language (first) for an English sentence (second)."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The catalogues, by language."""

    translations: Mapping[str, gettext.NullTranslations]

    def __call__(self, language: str, sentence: str) -> str:
        """Return a sentence in a language, as it is where there is no translation."""
        known = self.translations.get(language)
        return known.gettext(sentence) if known is not None else sentence

    def counted(self, language: str, one: str, many: str, number: int) -> str:
        """Return the form of a sentence that a number wants; by English rules where there is no translation.

        :param one, many: the English sentence for 1 and for any other number.
        """
        known = self.translations.get(language)
        if known is None:
            return one if number == 1 else many
        return known.ngettext(one, many, number)


def marked(sentence: str) -> str:
    """Return a sentence as it is, marked for the catalogue, that is said elsewhere by its name."""
    return sentence


def catalogue() -> Catalogue:
    """Return the catalogues that ship with the program."""
    return Catalogue({language: _read(language) for language in LANGUAGES})


def _read(language: str) -> gettext.NullTranslations:
    path = files("groupmilter") / "locale" / language / "LC_MESSAGES" / "groupmilter.po"
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
