"""What a moderator sees of a message: all of it that a mail program would show, and none of its own marks."""

from __future__ import annotations

import re
import time

import pytest
from tests.panel.hostile import MARK, corpus

from groupmilter.moderation.preview import Text, preview
from groupmilter.moderation.safe_html import document, rewritten, whole

URL = "http://127.0.0.1:9"
HOSTILE = corpus(URL)
_TAG = re.compile(r"<\s*/?\s*([a-zA-Z0-9]+)([^<>]*)>")
_KNOWN = {
    "html", "head", "meta", "title", "style", "body", "main", "span", "p", "b", "i", "u", "div", "table", "tbody", "tr",
    "td", "hr",
}  # fmt: skip
_ATTRIBUTES = re.compile(r"""(?: (?:charset|name|content|class|style|align|width|height)="[^"<>]*")*""")


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_nothing_of_a_messages_own_marks_is_left(name: str) -> None:
    seen = preview(HOSTILE[name])
    page = document(seen.html)
    for tag, attributes in _TAG.findall(page):
        assert tag.lower() in _KNOWN, (tag, attributes)
        assert _ATTRIBUTES.fullmatch(attributes.rstrip(" /")), (tag, attributes)
    styles = re.findall(r'style="([^"]*)"', page)
    assert not [style for style in styles if "url" in style or "\\" in style or "position" in style]


@pytest.mark.parametrize("name", sorted(name for name in HOSTILE if name.startswith("mutation-")))
def test_what_is_written_reads_as_itself(name: str) -> None:
    seen = preview(HOSTILE[name])
    once = rewritten(seen.html[0])
    as_read = once.replace(' class="image"', "").replace(
        "&#9635;", "\N{WHITE SQUARE CONTAINING BLACK SMALL SQUARE}"
    )
    assert rewritten(as_read) == as_read
    assert "seen" in once


def test_bombs_cost_little() -> None:
    began = time.process_time()
    for text in ('<a "' * 60_000, "<!--" * 60_000, '<p a="' * 40_000, "<" * 200_000, "<p " + "a " * 120_000):
        rewritten(text)
    for text in ("<div>" * 60_000, "<ul><li>" * 30_000, "<b>" * 40_000 + "</p>" * 30_000, "<b a='" * 40_000):
        document((text,))
    for message in HOSTILE.values():
        document(preview(message).html)
    assert time.process_time() - began < 60


def test_a_link_tells_where_it_leads_and_leads_nowhere() -> None:
    page = rewritten(
        '<p>Your <a href="https://evil.example/log-in?a=1&amp;b=2">bank &lt;www.bank.example&gt;</a>!'
    )
    assert page == (
        '<p>Your <span class="link">bank &lt;www.bank.example&gt;</span>'
        ' <span class="where">https://evil.example/log-in?a=1&amp;b=2</span>!</p>'
    )
    for address in (
        "javascript:alert(1)?href=x",
        "search-ms:query=a",
        "//evil.example",
        "http://[bad",
        "x-y:z",
    ):
        assert rewritten(f"<a HREF = '{address}' style='color:red' class=link>my href</a>") == (
            f'<span class="link">my href</span> <span class="where">{address}</span>'
        )
    assert rewritten("<a>no address</a>") == '<span class="link">no address</span>'


def test_a_link_in_a_link_has_an_address_of_its_own() -> None:
    page = rewritten("<a href=outer>a<table><tr><td><a href=inner>b</a></td></tr></table>c</a>")
    assert re.sub("</?t[^>]*>", "", page) == (
        '<span class="link">a<span class="link">b</span> <span class="where">inner</span>c</span>'
        ' <span class="where">outer</span>'
    )


def test_what_is_left_open_without_end_is_not_copied_without_end() -> None:
    bold = "".join(f"<b style='margin:{n}px'>" for n in range(5))
    assert rewritten(f"<div>{bold}</div>" + "<div>x</div>" * 3_000).count("margin:4px") == 3_001
    kinds = "".join(f"<b style='margin:{n}px'>" for n in range(1_000))
    odd = "".join(f"<b title='>{n}'>" for n in range(1_000))
    for start in (kinds, odd):
        page = rewritten(f"<div>{start}</div>" + "<div>x</div>" * 3_000)
        assert len(page) < 100_000
        assert page.count("x") == 3_000


def test_too_much_is_cut_and_said_to_be_so() -> None:
    assert whole(("a<b>c", "", "x" * 262_144, "<" * 19_999))
    assert not whole(("x" * 262_145,))
    assert not whole(("<" * 10_000, "<" * 10_001, "x"))
    page = document(("<p>" * 20_000 + "shown", "too much<p>not shown"))
    assert "shown" in page
    assert "not shown" not in page
    assert preview(HOSTILE["huge"]).cut
    assert not preview(HOSTILE["links"]).cut


def test_what_a_browser_shows_is_shown() -> None:
    assert rewritten(
        "1 < 2 <b>and</b> <unknown x='>'>this<script>not this</script><!-- nor --> &eacute;"
    ) == ("1 &lt; 2 <b>and</b> this é")
    assert rewritten(
        '<p align="center" onclick="x" style="color:#f00; background: url(x); top: 0">a</p><td>b</td>'
    ) == ('<p align="center" style="color:#f00">a</p>b')
    assert rewritten('<img src="http://x" alt="a &quot;cat&quot;">') == (
        '<span class="image">&#9635; a &quot;cat&quot;</span>'
    )
    for around in ("svg", "math", "noscript", "video", "object", "o:p", "foreignObject", "button"):
        assert rewritten(f"<{around}><p>seen<text>too</text></p></{around}>") == "<p>seentoo</p>"


def test_both_faces_of_an_alternative_are_shown() -> None:
    seen = preview(HOSTILE["alternative"])
    assert seen.texts == (Text("harmless"),)
    assert "hidden offer" in document(seen.html)
    assert seen.attachments == ()


def test_an_attached_message_is_shown_with_its_name() -> None:
    seen = preview(HOSTILE["nested"])
    assert [text.text.strip() for text in seen.texts] == ["see below"]
    assert [(one.name, one.kind) for one in seen.attachments] == [("hello", "message/rfc822")]
    assert "inside" in document(seen.html)
    forwarded = HOSTILE["nested"].replace(b"text/html; charset=utf-8", b"text/plain")
    assert preview(forwarded).texts[1].within == "hello"


def test_files_are_named_by_what_they_are() -> None:
    first, second = preview(HOSTILE["names"]).attachments
    assert MARK in first.name
    assert first.kind == "text/html"
    assert (first.size, second.size) == (1, 1)
    assert "\u202e" not in second.name


def test_text_keeps_its_lines_and_loses_what_turns_it_round() -> None:
    [text] = preview(HOSTILE["direction"]).texts
    assert not set("\u202e\u202c\u2067\u2069\u200b") & set(text.text)
    assert len(text.text) < 100
    assert preview(b"Subject: x\n\n  two\n\tlines \n").texts == (Text("  two\n\tlines \n"),)


def test_what_cannot_be_taken_apart_is_said_to_be_so() -> None:
    assert not preview(HOSTILE["bomb"]).readable
    assert preview(HOSTILE["long-line"]).cut
    assert preview(b"").readable
