"""Text that somebody outside wrote, made fit to be shown: nothing hidden, reordered or endless. Pure; never raises.

Sources: Unicode Standard Annex 9 (what turns the direction of writing round), Unicode general categories.
"""

from __future__ import annotations

import re
import unicodedata

_ODD = "\N{REPLACEMENT CHARACTER}"
# Soft hyphens, joiners and marks of emoji: in prose they are common and only invisible.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"))
_UNUSUAL = re.compile(r"[^\n\t -~]")
# Marks that are heaped upon one letter reach into the lines around it.
_HEAPED = re.compile(r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})"
                     r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")  # fmt: skip


def shown(text: str, most: int = 200) -> str:
    """Return text as one line of at most ``most`` characters, with a sign where something odd stood.

    For addresses and names: what is invisible in them is shown as odd, for two that differ must look different.
    """
    line = "".join(
        " " if c.isspace() else _ODD if unicodedata.category(c)[0] == "C" else c for c in text[: 4 * most]
    )
    line = _HEAPED.sub(r"\1", " ".join(line.split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def prose(text: str, most: int = 200) -> str:
    """Return text as `shown` does, without the invisible characters that prose may have."""
    return shown(text[: 4 * most].translate(_INVISIBLE), most)


def lines(text: str) -> str:
    """Return text of several lines with its blanks, without what is invisible in prose, turns the direction of writing
    round or hides; the length is the caller's to bound.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)
    return _HEAPED.sub(r"\1", _UNUSUAL.sub(_plain, plain))


def _plain(found: re.Match[str]) -> str:
    c = found[0]
    return " " if c.isspace() else _ODD if unicodedata.category(c)[0] == "C" else c
