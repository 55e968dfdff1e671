"""What an outsider writes stays text: it never looks like ours, and gets into no header."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.moderation.mailing import (
    ADDRESS,
    ALICE,
    LINK,
    MESSAGE,
    NOW,
    SENDER,
    SERVICE,
    delivered,
    held,
    html,
    letters,
    text,
    ways,
)
from tests.moderation.seeing import seen
from tests.moderation.test_reading import BOMBS

from groupmilter.groups.ticket import TOKEN_LENGTH
from groupmilter.moderation.item import State
from groupmilter.moderation.letters import Addressee

FORGED = f"""
To approve, send an empty message to:
  approve+{"a" * TOKEN_LENGTH}@{SERVICE}

To reject:
  reject+{"b" * TOKEN_LENGTH}@{SERVICE}
  REJECT +c@{SERVICE}
Or decide on this page:
  https://evil.example/decide/{"c" * TOKEN_LENGTH}
--
Moderation
"""
FORGED_HTML = (
    '<a href="mailto:approve+x@evil.example">Approve</a><form action="https://evil.example"><button>Approve</button>'
    "</form><script>alert(1)</script><img src=https://evil.example/x.png></blockquote></td></table><h1>Decided</h1>"
)


@pytest.mark.parametrize("language", ["en", "fr", ""])
@pytest.mark.parametrize(
    "message",
    [
        b"Subject: x\n\n" + FORGED.encode(),
        b"Content-Type: text/html\n\n" + FORGED_HTML.encode() + FORGED.replace("\n", "<br>").encode(),
        b"Subject: x\n\n" + FORGED.replace("+", "\N{FULLWIDTH PLUS SIGN}").encode(),
        b"Subject: x\n\n" + FORGED.replace("e+", "e\u200b+").replace("t+", "t\u00ad+").encode(),
        b"Content-Type: text/plain\n\n" + FORGED_HTML.encode(),
    ],
)
def test_an_outsiders_text_never_looks_like_ours(message: bytes, language: str) -> None:
    forged = " ".join(FORGED.split())
    item = held(subject=forged[:150], author=f'"{forged[:80]}" <approve+me@evil.example>')
    own = ways(item)
    letter = letters().request(item, message, replace(ALICE, language=language), own, NOW)
    said = text(letter)
    assert ADDRESS.findall(said) == [own.approve, own.reject]
    assert LINK.findall(said) == [own.link]
    marked = said[: said.index(own.approve)].split("\n\n")[-2]
    assert all(line.startswith(">") or line.endswith(":") for line in marked.splitlines())
    assert "decide/c" not in said
    found = seen(html(letter))
    assert [urlsplit(link).path for link in found.links][:2] == [own.approve, own.reject]
    assert found.links[2:] == [own.link]
    assert found.tags <= ALLOWED
    assert not any(name.startswith("on") or name in {"src", "action"} for name in found.attributes)
    assert "approve+a" not in found.text
    assert "decide/c" not in found.text


ALLOWED = frozenset(
    {"html", "head", "meta", "title", "style", "body", "div", "h1", "p", "span", "table", "tr", "th", "td", "bdi",
     "blockquote", "br", "a"}
)  # fmt: skip
FIELDS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding",
}  # fmt: skip


def anything(most: int) -> st.SearchStrategy[str]:
    """Text of any characters, lone surrogates among them."""
    return st.text(st.characters(exclude_categories=()), max_size=most)


@given(
    st.text(max_size=300),
    st.text(max_size=100),
    st.text(max_size=60),
    st.text(max_size=80),
    st.binary(max_size=200),
)
def test_nothing_gets_into_a_header(author: str, subject: str, name: str, group: str, body: bytes) -> None:
    item = held(
        author=author, subject=subject, group_address=group or "x@y.example", comment=body.decode("latin-1")
    )
    to = replace(ALICE, name=name, language="" if len(name) % 2 else "fr")
    made = letters()
    message = b"Subject: x\n" + body
    for letter in (
        made.request(item, message, to, ways(item), NOW),
        made.summary([(item, ways(item))], 2, to, NOW),
        made.decided(replace(item, state=State.REJECTED, decided=NOW), to, NOW),
        made.outcome(item, "rejected", Addressee(SENDER), message, NOW),
    ):
        read = delivered(letter)
        assert set(read.keys()) - {"In-Reply-To", "References"} <= FIELDS
        assert read["From"].addresses[0].addr_spec == f"moderation@{SERVICE}"
        assert [found.addr_spec for found in read["To"].addresses] in ([ALICE.address], [SENDER])
        assert read["Auto-Submitted"] == "auto-generated"
        assert read["X-Auto-Response-Suppress"] == "DR, RN, NRN, OOF, AutoReply"
        assert max(map(len, letter.as_bytes().split(b"\n"))) <= 998


@pytest.mark.parametrize(
    "text_of_others",
    [
        "x\r\nBcc: everybody@x.example",
        "x\n\nBody",
        "x\0y",
        "\u202egnp.exe",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        '"; <script>',
        "a" * 5_000,
        "é" * 5_000,
        "\ud800",
        "👩\u200d💻 " * 50,
        "décision / 4 messages attendent votre décision et la nôtre, à toutes et à tous",
    ],
)
def test_the_subject_is_what_was_meant(text_of_others: str) -> None:
    item = held(subject=text_of_others, group_address=f"{text_of_others}@x.example")
    letter = delivered(letters().request(item, MESSAGE, ALICE, ways(item), NOW))
    subject = str(letter["Subject"])
    assert subject.startswith("To approve: ")
    assert len(subject) <= 200
    assert not re.search(r"[\x00-\x1f\u202e]", subject)
    assert "  " not in subject
    assert letter["Bcc"] is None
    if text_of_others.startswith("décision"):
        assert text_of_others[:85] in subject
    if text_of_others.startswith("=?"):
        assert text_of_others in subject


def test_addresses_beyond_ascii_go_by_smtputf8() -> None:
    to = Addressee("jürgen@köln.example", "Jürgen Ärger, Köln", "en")
    item = held(author="Zoë <zoë@x.example>")
    letter = letters().request(item, MESSAGE, to, ways(item), NOW)
    assert "\n <jürgen@köln.example>\n".encode() in letter.as_bytes()
    assert delivered(letter)["To"].addresses[0].display_name == "Jürgen Ärger, Köln"
    assert "zoë@x.example" in text(letter)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_written_about_in_no_time(name: str) -> None:
    item = held()
    letter = letters().request(item, BOMBS[name], ALICE, ways(item), NOW)
    assert ADDRESS.findall(text(letter)) == [ways(item).approve, ways(item).reject]
    assert len(letter.as_bytes()) < 400_000


@pytest.mark.parametrize("sender_name", ["", "Marie Martin"])
def test_an_author_who_cant_be_read_is_an_outsiders_text_too(sender_name: str) -> None:
    forged = f"https://evil.example/decide/{'c' * TOKEN_LENGTH} approve+{'a' * TOKEN_LENGTH}@{SERVICE}"
    item = held(author=f"{forged} <a@evil.example>, <b@evil.example>")
    item = replace(item, terms=replace(item.terms, sender_name=sender_name))
    own = ways(item)
    said = text(letters().request(item, MESSAGE, ALICE, own, NOW))
    assert ADDRESS.findall(said) == [own.approve, own.reject]
    assert LINK.findall(said) == [own.link]
    assert "a@evil.example" in said
