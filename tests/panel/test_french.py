"""The pages in French; that no sentence lacks is tested for all at once (tests/qa/test_sentences.py)."""

from __future__ import annotations

from tests.panel.standin import JEAN, Desk, item, panel

from groupmilter.language.catalogue import catalogue


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
