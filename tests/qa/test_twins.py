"""What people read: each page has its twin in the other language, built alike, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.qa.source import ROOT, tracked

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"https?:|mailto:")
NAMES = {
    "commands": "commandes",
    "identity": "identite",
    "install": "installation",
    "membership": "adhesion",
    "panel": "panneau",
}
PAGES = sorted(path for path in tracked() if path.suffix == ".md")


def twins() -> list[tuple[Path, Path]]:
    """Return the pages in English, each with the one in French."""
    docs = ROOT / "docs"
    pages = sorted(docs.glob("*.md"))
    beside = [path for path in PAGES if path.name.endswith(".fr.md")]
    return [
        *((page, docs / "fr" / f"{NAMES.get(page.stem, page.stem)}.md") for page in pages),
        *((path.with_name(path.name.replace(".fr.", ".")), path) for path in beside),
    ]


def built(page: Path) -> list[tuple[int, int, int, int]]:
    """Return how a page is built, by section: the heading's level, rows of tables, points of lists, blocks of code."""
    parts = re.split(r"^(#+) .*$", FENCED.sub("\0", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return [
        (
            len(level),
            len(re.findall(r"^\|", text, re.MULTILINE)),
            len(re.findall(r"^ *(?:[-*]|\d+\.) ", text, re.MULTILINE)),
            text.count("\0"),
        )
        for level, text in zip(parts[1::2], parts[2::2], strict=True)
    ]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_french_page_is_somebodys_twin() -> None:
    assert {french for _, french in twins()} >= set((ROOT / "docs" / "fr").glob("*.md"))


@pytest.mark.parametrize(("english", "french"), twins(), ids=named)
def test_twins_are_built_alike(english: Path, french: Path) -> None:
    assert built(french) == built(english)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for _, heading in HEADING.findall(text))
    return {one.strip().replace(" ", "-") for one in words}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if ELSEWHERE.match(link):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []
