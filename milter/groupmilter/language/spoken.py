"""What is wrong as a sentence of the catalogue: English for the log and the terminal, and said in any language. Pure.

Nothing here fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

OTHERS = "{words}"
"""The sentence of what another program has said: a server's answer stays in the server's language."""


class Spoken(Exception):
    """Something can't be had; why is a sentence.

    :param sentence: English, as the catalogue has it (`marked`); ``values`` stand in its places. One of them may be
        `Spoken` itself: the inner reason, which is said in the same language.
    """

    def __init__(self, sentence: str, /, **values: object) -> None:
        super().__init__(sentence.format(**values))
        self.sentence = sentence
        self.values: Mapping[str, object] = values


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the catalogue that is kept until it is known who reads it; `worded` makes one.

    :param places: what stands in its places, by name: text, or a sentence that is said in the same language.
    """

    sentence: str
    places: tuple[tuple[str, str | Sentence], ...] = ()

    @property
    def values(self) -> Mapping[str, object]:
        """What stands in its places."""
        return dict(self.places)

    def __str__(self) -> str:
        """Return it in English."""
        return said(str, self.sentence, self.values)


Fact = str | Sentence
"""Text that is the same in every language, or a sentence."""


def worded(sentence: str, /, **values: Fact) -> Sentence:
    """Return a sentence, English as the catalogue has it (`marked`), with the values for its places."""
    return Sentence(sentence, tuple(values.items()))


def kept(error: Spoken) -> Sentence:
    """Return the sentence of what went wrong, to be kept."""
    values = {
        name: kept(value) if isinstance(value, Spoken) else str(value) for name, value in error.values.items()
    }
    return Sentence(error.sentence, tuple(values.items()))


def said(translated: Callable[[str], str], sentence: str, values: Mapping[str, object]) -> str:
    """Return a sentence in a language, the values in their places.

    :param translated: returns the text of that language for an English one.
    """
    inner = {
        name: said(translated, value.sentence, value.values)
        if isinstance(value, Spoken | Sentence)
        else value
        for name, value in values.items()
    }
    return translated(sentence).format(**inner)
