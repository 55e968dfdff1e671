"""Text that somebody outside wrote, made fit to be shown: nothing hidden, reordered or endless. Pure; never raises.

Sources: Unicode Standard Annex 9 (what turns the direction of writing round), Unicode general categories, Unicode
Technical Standard 39 section 5 (scripts in one name), RFC 5890 section 4.4 (domains that look like others).
"""

from __future__ import annotations

import re
import unicodedata

from groupmilter.mail.address import readable

_ODD = "\N{REPLACEMENT CHARACTER}"
# Soft hyphens, joiners and marks of emoji: in prose they are common and only invisible.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"))
_UNUSUAL = re.compile(r"[^\n\t -~]")
# Marks that are heaped upon one letter reach into the lines around it.
_HEAPED = re.compile(r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})"
                     r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")  # fmt: skip

_ENCODED = re.compile(
    r"(?<![\w.-])(?:[a-z0-9-]+\.)*xn--[a-z0-9-]+(?:\.[a-z0-9-]+)*(?![\w-])", re.IGNORECASE | re.ASCII
)
# The marks of European alphabets: accents, dot above, diaeresis, ring, caron, comma, cedilla, ogonek.
_MARKS = frozenset(
    map(chr, (*range(0x300, 0x305), 0x306, 0x307, 0x308, 0x30A, 0x30B, 0x30C, 0x326, 0x327, 0x328))
)
_LETTERS = frozenset("ßæœøåłđðþ")
_EAST = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL"})


def spelt_out(text: str) -> str:
    """Return text whose domains stand in U-labels, as people write them, where nobody can take them for another.

    A domain stays in A-labels where one of its labels has letters that look like those of another alphabet: Cyrillic
    and Greek below a name of another script, Latin ones that are no letter of Europe with a mark on it, mixtures.
    """
    return _ENCODED.sub(lambda found: _domain(found.group()), text) if "xn--" in text.lower() else text


def _domain(encoded: str) -> str:
    plain = readable(encoded.lower())
    labels = plain.split(".")
    top = _scripts(labels[-1]) - {"LATIN"}
    return plain if all(_unlike_others(label, top) for label in labels) else encoded


def _unlike_others(label: str, top: frozenset[str]) -> bool:
    if label.isascii():
        return not label.startswith("xn--")
    scripts = _scripts(label)
    if scripts == {"LATIN"}:
        return all(_european(letter) for letter in label)
    return scripts <= _EAST or (len(scripts) == 1 and scripts <= {"CYRILLIC", "GREEK"} and scripts == top)


def _european(letter: str) -> bool:
    parts = unicodedata.normalize("NFD", letter)
    return letter in _LETTERS or (parts[0].isascii() and _MARKS.issuperset(parts[1:]))


def _scripts(label: str) -> frozenset[str]:
    """Return the scripts of a label's letters, by their Unicode names; digits and hyphens have none."""
    return frozenset(
        unicodedata.name(letter, "UNKNOWN").split()[0] for letter in label if letter not in "-0123456789"
    )


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
