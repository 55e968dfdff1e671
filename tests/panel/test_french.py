"""French and English are equals: each sentence of the pages is in the French catalogue, with the same places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.panel.standin import JEAN, Desk, item, panel

from groupmilter.catalogue import catalogue
from groupmilter.moderation.remembering import REFUSALS
from groupmilter.panel import deciding, pages

PANEL = Path(pages.__file__).parent
_SENTENCE = re.compile(r'\bt\("([^"]+)"')
_PLACE = re.compile(r"\{[^}]*\}")


def sentences() -> Iterator[str]:
    for path in sorted([*PANEL.glob("templates/*.html"), *PANEL.glob("*.py")]):
        yield from _SENTENCE.findall(path.read_text(encoding="utf-8"))
    yield from (*REFUSALS, deciding.UNREACHABLE, deciding.NOT_WRITTEN)


def test_there_are_sentences() -> None:
    assert len(set(sentences())) > 80


@pytest.mark.parametrize("sentence", sorted(set(sentences())))
def test_each_sentence_is_there_in_french(sentence: str) -> None:
    french = catalogue()("fr", sentence)
    assert french != sentence
    assert sorted(_PLACE.findall(french)) == sorted(_PLACE.findall(sentence))
    assert "'" not in french, "the apostrophe is ’"
    assert not re.search(r"[^\u00a0][:;»!?]|«[^\u00a0]", french), "no-break spaces as French wants them"
    assert catalogue()("en", sentence) == sentence


def test_the_page_in_french() -> None:
    desk = Desk(owners=frozenset({JEAN.uuid}))
    with panel(desk, catalogue()) as site:
        text = site.ask(f"/decide/{desk.token(desk.put(item()))}").text
    for shown in (
        "Un message attend votre décision",
        "Vous décidez en tant que",
        "n’importe qui",
        "Tapez ce mot",
    ):
        assert shown in text
    assert "Approve" not in text.replace('value="approve"', "")
