"""The beginning of a held message as a letter may quote it: nothing in it can pass for a line of ours. Pure.

A letter's addresses and links are what a moderator acts upon, so whatever looks like them in the sender's own text is
taken out; the rest is text, line by line, each marked as the sender's where it is shown. Never raises.
"""

from __future__ import annotations

import re

from groupmilter.mail.shown import prose
from groupmilter.moderation.reading import text_of

_MOST = 1_000
_MOST_LINES = 24
_MOST_SUBJECT = 160
_TAKEN_OUT = "[…]"
_PLUS = "[+\N{FULLWIDTH PLUS SIGN}\N{SMALL PLUS SIGN}\N{SUPERSCRIPT PLUS SIGN}]"
_IMITATIONS = re.compile(rf"(?i)\b(?:approve|reject|confirm)\s?{_PLUS}\s?\S*|\S*/\s?decide\s?/\S*")


def harmless(text: str, most: int = _MOST_SUBJECT) -> str:
    """Return one line of an outsider's text without what imitates our addresses and links."""
    return _IMITATIONS.sub(_TAKEN_OUT, prose(text, most))


def excerpt(message: bytes) -> tuple[tuple[str, ...], bool]:
    """Return the first lines of a message's text, and whether there is more of it."""
    lines: list[str] = []
    left = _MOST
    for line in text_of(message).splitlines():
        clean = harmless(line, left + 1)
        if not clean and (not lines or not lines[-1]):
            continue
        if len(clean) > left or len(lines) == _MOST_LINES:
            return (*lines, f"{clean[:left]}…") if left > 1 and len(lines) < _MOST_LINES else tuple(
                lines
            ), True
        lines.append(clean)
        left -= len(clean)
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines), False


def own_lines(text: str) -> tuple[str, ...]:
    """Return what a moderator wrote, line by line."""
    return tuple(prose(line, _MOST) for line in text.splitlines()[:_MOST_LINES])
