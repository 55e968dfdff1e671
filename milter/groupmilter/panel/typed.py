"""What a person types into the form, cleaned and checked. Pure.

The word is what tells people from link scanners, which fetch pages and press buttons: it follows from the token
alone, so nothing is kept, and the word of either language counts, so that changing the language spoils nothing.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from groupmilter.moderation.item import Event
from groupmilter.panel.form import cleaned

_WORDS = {
    "fr": (
        "bleu brun chat clef cuir cube dune faon four gant gris jour lait lion lune miel neuf noir nord nuit ours "
        "pain parc pied pont rose soir thym toit tour vent vert"
    ),
    "en": (
        "bird blue boat book cake city corn desk dune east farm fish gold hand hill iron king lake lamp leaf lion "
        "milk moon nest park pine rain road sand ship snow star tree west wind wood"
    ),
}
FORM = "application/x-www-form-urlencoded"
"""The type in which a form comes."""

_LONGEST_REASON = 2000
_LONGEST_WORD = 40
_MOST_FIELDS = 16
_DECISIONS = {"approve": Event.APPROVE, "reject": Event.REJECT}


@dataclass(frozen=True, slots=True)
class Typed:
    """What came with the form, as it came, cut and without control characters.

    :param decision: None where nothing was chosen.
    :param reason: for the sender of a rejected message. ``word``: as typed.
    :param allow, block: whether the sender shall be remembered, should the decision be that one.
    """

    decision: Event | None = None
    reason: str = ""
    word: str = ""
    allow: bool = False
    block: bool = False

    @property
    def comment(self) -> str:
        """The reason, where one is to be given: an approval has none."""
        return self.reason if self.decision is Event.REJECT else ""

    @property
    def remembers(self) -> bool:
        """Whether the sender is to be remembered along with this decision."""
        return self.allow if self.decision is Event.APPROVE else self.block and self.decision is not None

    def wrong(self, token: str) -> tuple[str, ...]:
        """Return the names of the fields that keep this from being a decision."""
        found = [] if self.decision is not None else ["decision"]
        if len(self.reason) > _LONGEST_REASON:
            found.append("reason")
        if not is_word(self.word, token):
            found.append("word")
        return tuple(found)


def typed(body: bytes) -> Typed:
    """Read a form's body (application/x-www-form-urlencoded); ValueError where it is none."""
    fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    first: Mapping[str, str] = {name: values[0] for name, values in fields.items()}
    return Typed(
        _DECISIONS.get(first.get("decision", "")),
        cleaned(first.get("reason", ""))[: 2 * _LONGEST_REASON],
        cleaned(first.get("word", ""))[:_LONGEST_WORD],
        "allow" in first,
        "block" in first,
    )


def word(token: str, language: str) -> str:
    """Return the word to type for a token."""
    words = (_WORDS.get(language) or _WORDS["en"]).split()
    return words[int.from_bytes(hashlib.sha256(token.lower().encode()).digest()[:4], "big") % len(words)]


def is_word(text: str, token: str) -> bool:
    """Tell whether a person has typed the token's word, of any language, in any case."""
    plain = unicodedata.normalize("NFKC", text).strip(" .\"'«»“”").casefold()
    return any(plain == word(token, language) for language in _WORDS)
