"""Text of outsiders on one line: nothing hides, nothing turns round, nothing goes on for ever."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.shown import prose, shown


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
