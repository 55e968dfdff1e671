"""Laying out a sheet: as plain text that reads well at 72 columns, and as HTML for screens of any width.

The sender's text is marked line by line in the one and stands in a frame of its own in the other. The HTML needs no
image, no script, nothing from elsewhere, and still reads where a mail program drops its style sheet. A template that
isn't there is an error of the installation (`jinja2.TemplateNotFound`). Sources: RFC 5322 section 2.1.1, WCAG 2.2.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from groupmilter.moderation.sheet import Choice, Entry, Page, Row, Said, Sheet, Voice, joined

WIDTH = 72
QUOTE = "> "
_ROW_WIDTH = 76
_NARROW_LABEL = 33

LIGHT: Mapping[str, str] = {
    "paper": "#f3f5f7", "sheet": "#ffffff", "ink": "#1a2430", "quiet": "#51606f", "line": "#d3dae1",
    "quoted": "#f3f5f7", "accent": "#1d5fa8", "good": "#17693c", "bad": "#a3261d", "doubt": "#7a4a00",
    "on-button": "#ffffff", "approve": "#17693c", "reject": "#a3261d",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "paper": "#11161c", "sheet": "#1a2129", "ink": "#e7ecf1", "quiet": "#a7b3bf", "line": "#333e4a",
    "quoted": "#11161c", "accent": "#8fc0f5", "good": "#86d9a8", "bad": "#ffaba3", "doubt": "#f3c778",
    "on-button": "#ffffff", "approve": "#1d7a47", "reject": "#c4402f",
}  # fmt: skip


def html(sheet: Sheet, voice: Voice, title: str) -> str:
    """Return a sheet as an HTML document."""
    page = _template().render(
        sheet=sheet, language=voice.first.language, title=title, light=LIGHT, dark=DARK,
        labelled=lambda label: voice.first.say("{label}:", label=joined(label, " · ")),
    )  # fmt: skip
    return page.strip() + "\n"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("letter.html")


def plain(sheet: Sheet, voice: Voice) -> str:
    """Return a sheet as plain text, wrapped; addresses and links stand alone on their lines."""
    blocks = [_paragraphs(said) for said in (sheet.heading, *sheet.paragraphs)]
    blocks.append(_rows(sheet.rows, voice))
    if sheet.quote is not None:
        quoted = (line for one in sheet.quote.lines for line in _wrapped(one, WIDTH - len(QUOTE)) or [""])
        lines = [*_labels(sheet.quote.label), *(f"{QUOTE}{line}".rstrip() for line in quoted)]
        blocks.append("\n".join(lines))
    blocks += _ways(sheet.choices, sheet.page, voice)
    blocks += [_entry(number, entry, voice) for number, entry in enumerate(sheet.entries, 1)]
    blocks.append(_rows(sheet.details, voice))
    blocks += [_paragraphs(said) for said in sheet.notes]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _paragraphs(said: Said) -> str:
    return "\n\n".join("\n".join(_wrapped(text, WIDTH)) for _, text in said)


def _labels(said: Said) -> list[str]:
    """Return what introduces the lines below it, once for each language."""
    return [line for _, text in said for line in _wrapped(text, WIDTH)]


def _rows(rows: tuple[Row, ...], voice: Voice) -> str:
    labels = [voice.first.say("{label}:", label=joined(row.label)) for row in rows]
    width = min(max(map(len, labels), default=0), _NARROW_LABEL) + 1
    return "\n".join(
        line for label, row in zip(labels, rows, strict=True) for line in _row(label, row, width)
    )


def _row(label: str, row: Row, width: int) -> Iterator[str]:
    texts = (*((row.quoted,) if row.quoted else ()), *(text for _, text in row.said))
    lines = [line for text in texts for line in _wrapped(text, _ROW_WIDTH - width)]
    if len(label) > width - 1:
        yield label
        label = ""
    for line in lines:
        yield f"{label:<{width}}{line}".rstrip()
        label = ""


def _ways(choices: tuple[Choice, ...], page: Page | None, voice: Voice) -> Iterator[str]:
    for choice in choices:
        yield "\n".join((*_labels(choice.hint), f"  {choice.address}"))
    if page is not None:
        label = voice.first.say("{label}:", label=joined(page.label))
        yield "\n".join((*_wrapped(label, WIDTH), f"  {page.url}"))


def _entry(number: int, entry: Entry, voice: Voice) -> str:
    """Return one of many: its page, or the addresses where there is none."""
    page = [(entry.page.label, entry.page.url)] if entry.page else []
    ways = page or [(choice.label, choice.address) for choice in entry.choices]
    head = _wrapped(entry.title, WIDTH - 4)
    lines = [f"{number:>2}. {head[0] if head else ''}", *(f"    {line}" for line in head[1:])]
    lines += [f"    {line}" for row in entry.rows for line in _short(row, voice)]
    for label, target in ways:
        lines += [f"    {voice.first.say('{label}:', label=joined(label))}", f"  {target}"]
    return "\n".join(lines)


def _short(row: Row, voice: Voice) -> list[str]:
    text = " – ".join(part for part in (row.quoted, joined(row.said)) if part)
    return _wrapped(voice.first.say("{label}:", label=joined(row.label)) + " " + text, WIDTH - 4)


def _wrapped(text: str, width: int) -> list[str]:
    """Return lines of at most so many columns; where letters are wide, half as many of them."""
    wide = any(unicodedata.east_asian_width(character) in "WF" for character in text)
    # A whole address or link stays in one piece; what has no blank at all is broken, for it may be anybody's text.
    longest = max(map(len, text.split(" ")), default=0)
    return textwrap.wrap(
        text, width // 2 if wide else width, break_long_words=wide or longest > 3 * width, break_on_hyphens=False
    )  # fmt: skip
