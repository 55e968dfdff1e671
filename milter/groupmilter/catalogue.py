"""The sentences of pages in each language: gettext catalogues, compiled in memory from their .po files.

English is what stands in the code; a sentence without a translation is shown in English. Source: GNU gettext manual.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "fr")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The catalogues, by language."""

    translations: Mapping[str, gettext.NullTranslations]

    def __call__(self, language: str, sentence: str) -> str:
        """Return a sentence in a language, as it is where there is no translation."""
        known = self.translations.get(language)
        return known.gettext(sentence) if known is not None else sentence


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
