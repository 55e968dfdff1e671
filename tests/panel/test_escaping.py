"""Whatever somebody else wrote stays text: in the group's address, the sender's, names, reasons and typed words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from tests.panel.standin import JEAN, NOW, Desk, Site, item, panel

from groupmilter.groups.ticket import digest
from groupmilter.moderation.item import State
from groupmilter.panel.pages import shown

CORPUS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "<bdi><form action=//evil.example>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}{name}{0}%s%(x)s",
    "&lt;script&gt;",
    "<!--",
    "]]><x:y xmlns:x='z'>",
    "\x00<\x08b>",
    "＜script＞",
]
ALLOWED = frozenset(
    (
        *(
            "html",
            "head",
            "meta",
            "title",
            "link",
            "body",
            "a",
            "header",
            "p",
            "main",
            "div",
            "dl",
            "dt",
            "dd",
        ),
        *("bdi", "span", "strong", "h1", "time", "form", "fieldset", "legend", "label", "input", "textarea"),
        *("button", "footer", "ul", "li"),
    )
)


class Seen(HTMLParser):
    """Collects tags, attribute names and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def site(desk: Desk) -> Iterator[Site]:
    with panel(desk) as running:
        yield running


def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(text)
    parser.close()
    return parser


@pytest.mark.parametrize("text", CORPUS)
def test_what_others_wrote_stays_text(site: Site, desk: Desk, text: str) -> None:
    desk.people = {digest(JEAN.uuid): replace(JEAN, name=text, address=text)}
    desk.owners = frozenset({JEAN.uuid})
    arrival = replace(item().arrival, author=text)
    held = desk.put(item(arrival=arrival, terms=replace(item().terms, group_address=text)))
    decided = {"decided": NOW, "decided_by": text, "way": text, "comment": text, "arrival": arrival}
    done = desk.put(item(2, State.REJECTED, **{**decided, "arrival": replace(arrival, ticket="ticket-2")}))
    path = f"/decide/{desk.token(held)}"
    pages = [
        site.ask(path + "?lang=en"),
        site.post(path + "?lang=en", decision=text, reason=text, word=text),
        site.ask(f"/decide/{desk.token(done)}?lang=en"),
    ]
    for page in pages:
        assert page.status in (200, 422)
        parsed = seen(page.text)
        assert parsed.tags <= ALLOWED
        assert not any(name.startswith("on") or name in ("style", "src") for name in parsed.attributes)
        assert shown(text) in parsed.text
        assert "\x00" not in page.text


def test_what_others_wrote_turns_nothing_round() -> None:
    assert shown("a\u202eb\u2066c\x07d\u200be") == "a�b�c�d�e"
    assert shown(" deux\r\nlignes\t ici ") == "deux lignes ici"
    assert shown("x" * 1000) == "x" * 320 + "…"
    assert shown("Hélène Lefèvre 山田") == "Hélène Lefèvre 山田"


@pytest.mark.parametrize("path", ["/{}", "/decide/{}", "/nothing?lang={}"])
def test_a_url_is_not_given_back(site: Site, path: str) -> None:
    page = site.ask(path.format(quote('"><script>alert(1)</script>')))
    assert page.status == 404
    assert "alert" not in page.text
    assert "<script" not in page.text
