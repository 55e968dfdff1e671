"""Text as people search it, without case and accents: `élodie` finds `Elodie`. Pure; never fails."""

from __future__ import annotations

import unicodedata

# What Unicode takes for letters of their own, and people type without.
_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "’": "'"})
_MOST_WORDS = 8
_LONGEST_WORD = 100


def folded(text: str) -> str:
    """Return a text as searches compare it (Unicode's compatibility decomposition without its marks, casefolded)."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in apart if not unicodedata.combining(character))
    return unicodedata.normalize("NFC", plain.casefold().translate(_LETTERS))


def words(text: str) -> tuple[str, ...]:
    """Return the words of a search, as typed; each has to be found somewhere. No more than eight are looked at."""
    found = dict.fromkeys(word[:_LONGEST_WORD] for word in text.split())
    return tuple(found)[:_MOST_WORDS]
