"""How letters look: readable without a style sheet, in light and dark, at any width; text that fits a terminal."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from tests.moderation.mailing import ALICE, MESSAGE, NOBODY_KNOWS, NOW, held, html, letters, text, ways
from tests.moderation.seeing import contrast, seen

from groupmilter.moderation.layout import DARK, LIGHT, WIDTH

ON_SHEET = ("ink", "quiet", "accent", "good", "bad", "doubt")
PAIRS = [
    *((colour, "sheet") for colour in ON_SHEET),
    ("ink", "quoted"),
    ("ink", "paper"),
    ("on-button", "approve"),
    ("on-button", "reject"),
]


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_contrast(scheme: dict[str, str], front: str, back: str) -> None:
    assert contrast(scheme[front], scheme[back]) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_frame_of_a_quote_and_the_buttons_can_be_seen(scheme: dict[str, str]) -> None:
    for shape in ("quiet", "approve", "reject"):
        assert contrast(scheme[shape], scheme["sheet"]) >= 3


def test_both_schemes_have_the_same_colours() -> None:
    assert set(LIGHT) == set(DARK)


def document() -> str:
    item = held()
    return html(letters().request(item, MESSAGE, NOBODY_KNOWS, ways(item), NOW))


def test_every_colour_of_the_light_has_its_class_for_the_dark() -> None:
    classed = set(re.findall(r"^  \.([\w-]+) \{", document(), re.MULTILINE))
    for tag in re.findall(r"<\w+ [^>]*style=\"[^\"]*(?:background|color):[^\"]*\"[^>]*>", document()):
        classes = re.search(r'class="([^"]*)"', tag)
        assert classes, tag
        assert set(classes[1].split()) & classed, tag


def test_nothing_is_fetched() -> None:
    found = seen(document())
    assert not found.attributes & {"src", "background", "srcset", "data", "action"}
    assert "url(" not in document()
    assert "@import" not in document()
    assert found.tags.isdisjoint({"img", "script", "link", "iframe", "form", "svg"})


def test_each_language_is_marked() -> None:
    assert seen(document()).languages == {"fr", "en"}
    assert document().startswith('<!DOCTYPE html>\n<html lang="fr">')


def test_buttons_are_large_enough_for_a_thumb() -> None:
    buttons = re.findall(r'class="on-button" href="[^"]*" style="([^"]*)"', document())
    assert len(buttons) == 2
    for style in buttons:
        padding, height = re.search(r"padding:(\d+)px", style), re.search(r"line-height:(\d+)px", style)
        assert padding
        assert height
        assert 2 * int(padding[1]) + int(height[1]) >= 44


def test_the_senders_text_stands_in_a_frame_of_its_own() -> None:
    found = seen(document())
    assert "comme convenu au téléphone" in found.quoted
    assert "Approuver" not in found.quoted
    assert found.text.count("comme convenu au téléphone") == 1


LONG = "x" * 70
SHAPES = {
    "long words": f"{LONG} {LONG}\n",
    "one endless word": "y" * 900 + "\n",
    "endless lines": "word " * 150 + "\n",
    "wide letters": "山田" * 200 + "\n",
    "many lines": "z\n" * 900,
    "empty lines": "a\n\n\n\n\n\nb\n",
    "tabs": "\ta\tb\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quote_is_short_and_every_line_of_it_is_marked(shape: str) -> None:
    item = held()
    message = b"Content-Type: text/plain; charset=utf-8\n\n" + SHAPES[shape].encode()
    said = text(letters().request(item, message, ALICE, ways(item), NOW))
    start, end = said.index("sender's words:\n"), said.index("\n\nTo approve")
    quoted = said[start:end].splitlines()[1:]
    assert quoted
    assert all(line == ">" or line.startswith("> ") for line in quoted)
    assert len(quoted) <= 60
    assert not any(one == other == ">" for one, other in pairwise(quoted))
    wide = 2 if shape == "wide letters" else 1
    assert max(len(line) * wide for line in quoted) <= WIDTH + 2 * wide


def test_lines_fit_a_terminal_but_for_addresses_and_links() -> None:
    item = held(
        subject="A subject that is much longer than any line of a terminal could ever be, and goes on and on",
        author=f'"{"Very " * 20}Long" <{"long" * 15}@a-rather-long-domain-name.example>',
    )
    for to in (ALICE, NOBODY_KNOWS):
        for line in text(letters().request(item, MESSAGE, to, ways(item), NOW)).splitlines():
            assert len(line) <= 78 or "@" in line or "/decide/" in line, line


def test_labels_are_aligned() -> None:
    item = held()
    said = text(letters().request(item, MESSAGE, NOBODY_KNOWS, ways(item), NOW))
    rows = [line for line in said.splitlines() if re.match(r"[^ >].* / .*\xa0: +\S", line)]
    assert len(rows) >= 9
    columns = {line.index(line.partition("\xa0:")[2].lstrip()) for line in rows}
    assert len(columns) == 2, "what comes before the quote, and what comes after the ways"
