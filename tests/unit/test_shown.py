"""Text of outsiders on one line: nothing hides, nothing turns round, nothing goes on for ever."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.address import canonical_domain
from groupmilter.mail.shown import prose, shown, spelt_out


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Hélène Lefèvre 山田", "Hélène Lefèvre 山田"),
        (" deux\r\nlignes\t ici ", "deux lignes ici"),
        ("a\u2028b\u2029c\x0bd\x0ce\x1cf\x85g", "a b c d e f g"),
        ("a\u202eb\u2066c\u200fd", "a�b�c�d"),
        ("bell\x07 escape\x1b[31m null\0", "bell� escape�[31m null�"),
        ("lone \ud800 private \ue000", "lone � private �"),
        ("pay\u200bpal", "pay�pal"),
        ("xxxx", "xxxx"),
        ("xxxxxx", "xxxx…"),
        ("Z̶̡̢̧̨̛͉̞̩̃̊̋̈́a", "Z̶̡̢a"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    most = 5 if text.startswith("x") else 200
    assert shown(text, most) == line


def test_prose_may_have_what_is_only_invisible() -> None:
    assert prose("Donau\u00addampf\u200bschiff") == "Donaudampfschiff"
    assert prose("👩\u200d💻 ❤\ufe0f") == "👩💻 ❤"
    assert prose("a\u202eb") == "a�b"


@given(st.text(max_size=500), st.integers(2, 300))
def test_always_one_short_line_of_what_can_be_seen(text: str, most: int) -> None:
    for line in (shown(text, most), prose(text, most)):
        assert len(line) <= most
        assert line == " ".join(line.split())
        assert not any(unicodedata.category(c)[0] == "C" for c in line)


def test_a_huge_text_takes_no_time() -> None:
    begun = time.process_time()
    for text in ("\u0301" * 5_000_000, " \n" * 3_000_000, "\u202e" * 5_000_000):
        assert len(shown(text)) <= 200
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("plain", "safe"),
    [
        ("münchen.example", True),
        ("straße.de", True),
        ("x.café.example", True),
        ("例え.jp", True),
        ("한국.kr", True),
        ("правда.рф", True),
        ("дом.com", False),
        ("ελλάδα.gr", False),
        ("аpple.com", False),
        ("аррӏе.com", False),
        ("googıe.com", False),
        ("ɑpple.com", False),
        ("ẹxample.com", False),
        ("日本aa.jp", False),
        ("עברית.example", False),
    ],
)
def test_a_domain_is_written_as_people_do_where_nobody_takes_it_for_another(plain: str, safe: bool) -> None:
    encoded = canonical_domain(plain)
    assert encoded is not None
    assert encoded != plain
    around = "Zoë <a@{}>, b@X.{} xn--."
    assert spelt_out(around.format(encoded, encoded)) == (
        around.format(plain, plain).replace("X.", "x.") if safe else around.format(encoded, encoded)
    )


def test_what_is_no_encoded_domain_stays() -> None:
    for text in ("", "plain.example", "a.xn--a-ecp.ru", "xn--", "uid=x,dc=xn--", "my-xn--mnchen-3ya_x"):
        assert spelt_out(text) == text
