"""What went wrong as a sentence of the catalogue: English for the log and the terminal, and said in any language. Pure.

Nothing here fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


def said(translated: Callable[[str], str], sentence: str, values: Mapping[str, object]) -> str:
    """Return a sentence in a language, the values in their places.

    :param translated: returns the text of that language for an English one.
    """
    inner = {
        name: said(translated, value.sentence, value.values) if isinstance(value, Spoken) else value
        for name, value in values.items()
    }
    return translated(sentence).format(**inner)
