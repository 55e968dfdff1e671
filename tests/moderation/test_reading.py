"""Bodies are read as people read them, whatever is in them, in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groupmilter.mail.words import in_charset
from groupmilter.moderation.attaching import attachment_names, why_not_attached
from groupmilter.moderation.excerpt import excerpt
from groupmilter.moderation.reading import parts_of, text_of, text_of_html


def message(body: bytes, kind: str = "text/plain", encoding: str = "8bit") -> bytes:
    return f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\nno header\n", "no header\n"),
        (message("été".encode(), "text/plain; charset=utf-8"), "été"),
        (message(b"\xe9t\xe9", "text/plain; charset=iso-8859-1"), "été"),
        (message(b"\xe9t\xe9", "text/plain; charset=unknown-8bit"), "�t�"),
        (message(b"\xe9t\xe9", "text/plain; charset=punycode"), "�t�"),
        (message(b"=C3=A9t=C3=A9=\n!", "text/plain; charset=utf-8", "quoted-printable"), "été!"),
        (message(b"w6l0w6k=", "text/plain; charset=utf-8", "base64"), "été"),
        (message(b"!!not base64!!", "text/plain", "base64"), "anything"),
        (message(b"<p>one</p><p>two", "text/html"), "\none\n\ntwo"),
        (message(b"x", "image/png"), ""),
        (b"Content-Disposition: attachment\n\nhidden", ""),
        (b"", ""),
    ],
)
def test_the_text_of_a_message(octets: bytes, text: str) -> None:
    found = text_of(octets)
    assert found == text or (b"!!not" in octets and found)


ALTERNATIVE = b"""\
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

%s
--b
Content-Type: text/html

<b>html</b>
--b--
"""


def test_an_empty_plain_part_gives_way_to_the_other() -> None:
    assert text_of(ALTERNATIVE % b"plain") == "plain"
    assert text_of(ALTERNATIVE % b"  ") == "html"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a<br>b<BR/>c", "a\nb\nc"),
        ("<head><title>t</title></head><style>p{}</style>x<script>alert('<p>')</script>y", "xy"),
        ("<!-- <p>not</p> -->yes<!-- open", "yes"),
        ("1 < 2 &amp; 3 > 2 &eacute;&#233;&#xe9;", "1 < 2 & 3 > 2 ééé"),
        ("&#" + "9" * 6000 + ";x", "�x"),
        ("&#x" + "f" * 6000 + ";x", "�x"),
        ("a<blockquote>b", "a\n> b"),
        ("a<hr>b", "a\n____________________\nb"),
        ("<a href='x'>link</a><img src=x onerror=y>", "link"),
        ("open <b", "open "),
        ("<", "<"),
        ("<style>never closed", ""),
        ("</style>x<!doctype html>y<?php z ?>", "xy"),
    ],
)
def test_html_without_its_marks(source: str, text: str) -> None:
    assert text_of_html(source) == text


@pytest.mark.parametrize(
    "charset", [None, "", "utf-8", "zlib", "idna", "unicode_escape", "\0", "a" * 10_000, "rot13"]
)
def test_any_charset_is_read_somehow(charset: str | None) -> None:
    assert in_charset(b"plain", charset) == "plain"


def nested(depth: int, tail: bytes) -> bytes:
    levels = (f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n".encode() for n in range(depth))
    return b"Subject: x\n" + b"".join(levels) + b"\n" + tail


BOMBS = {
    "nested": nested(1_000, b"x\n" * 200_000),
    "nested a little": nested(50, b"x\n" * 500_000),
    "nested messages": b"Content-Type: message/rfc822\n\n" * 9_000,
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 200_000,
    "digest": b"Content-Type: multipart/digest; boundary=b\n\n" + b"--b\n\n\n" * 100_000,
    "reports": b"Content-Type: message/delivery-status\n\n" + b"a: b\n\n" * 100_000,
    "headers": b"".join(b"X-%d: y\n" % number for number in range(100_000)),
    "quotes": b"To: " + b'"' * 8_000 + b"\n\nx\n",
    "parameters": b"Content-Type: text/plain; "
    + b"".join(b"a*%d=b; " % n for n in range(60_000))
    + b"\n\nx\n",
    "semicolons": b"Content-Disposition: attachment; filename=" + b";" * 500_000 + b"\n\nx\n",
    "quoted name": b'Content-Disposition: attachment; filename="' + b'\\"' * 250_000 + b"\n\nx\n",
    "comments": message(b"<!--" * 200_000, "text/html"),
    "declarations": message(b"<!a" * 200_000, "text/html"),
    "styles": message(b"<style>" * 100_000, "text/html"),
    "open tags": message(b"<a " * 200_000, "text/html"),
    "entities": message(b"&#9" * 200_000 + b"&" * 100_000, "text/html"),
    "equal signs": message(b"=" * 500_000, "text/plain", "quoted-printable"),
    "punycode": message(b"a-" + b"b" * 400_000, "text/plain; charset=punycode"),
    "uuencoded": message(b"begin 644 x\n" * 50_000, "text/plain", "x-uuencode"),
    "one line": message(b"a" * 1_000_000),
    "marks": message(b"\xcc\x81" * 250_000, "text/plain; charset=utf-8"),
    "imitations": message(b"approve+ /decide/ " * 50_000),
    "names": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\nContent-Disposition: attachment; filename=x\n\n" * 10_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_in_no_time(name: str) -> None:
    bomb = BOMBS[name]
    for read in (text_of, excerpt, attachment_names, lambda octets: why_not_attached(octets, 256_000)):
        begun = time.process_time()
        read(bomb)
        assert time.process_time() - begun < 3


def test_what_can_not_be_taken_apart_is_not() -> None:
    assert parts_of(BOMBS["nested"]) is None
    assert parts_of(BOMBS["parameters"]) is None
    assert why_not_attached(nested(60, b"x\n"), 256_000) == "unfit"
    assert excerpt(BOMBS["nested"]) == ((), False)


TYPES = st.sampled_from(
    [
        b"text/plain",
        b"text/html",
        b"multipart/mixed; boundary=b",
        b"message/rfc822",
        b"a/b; name*0*=x'y'%zz",
        b"\xff",
    ]
)
ENCODINGS = st.sampled_from([b"base64", b"quoted-printable", b"x-uuencode", b"8bit", b"\xff"])
BODIES = st.binary(max_size=300) | st.lists(
    st.sampled_from(
        [b"--b\n", b"\n", b"Content-Type: text/plain; charset=\xff\n", b"begin 644 a\n", b"<p>", b"&#"]
    ),
    max_size=20,
).map(b"".join)


@given(TYPES, ENCODINGS, BODIES)
@example(b"text/plain; charset*=x'y'%zz", b"8bit", b"x")
@example(b'text/plain; charset="\0"', b"8bit", b"x")
@example(b"text/plain; charset=hex", b"8bit", b"x")
@example(b"a/b; name*=bogus'x'%e9; name=\xff", b"base64", b"=")
def test_reading_never_raises(kind: bytes, encoding: bytes, body: bytes) -> None:
    octets = b"Content-Type: " + kind + b"\nContent-Transfer-Encoding: " + encoding + b"\n\n" + body
    assert isinstance(text_of(octets), str)
    lines, _ = excerpt(octets)
    assert sum(map(len, lines)) <= 1100
    assert len(lines) <= 25
    attachment_names(octets)
    assert why_not_attached(octets, 256_000) in {"", "program", "unfit"}
