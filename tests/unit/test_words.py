"""Encoded words and charsets: read wherever they stand, and None where one can't be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.words import decoded, encoded


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?Zo=C3=A9?=", "Zoé"),
        ('"=?iso-8859-1?q?Ren=E9?=" <x>', '"René" <x>'),
        ("=?utf-7?Q?+AEA-?=", "@"),
        ("=?nonsense?Q?a?=", "a"),
        ("=?utf-8?B?A?=", None),
        ("=?utf-8?Q?never ends", "=?utf-8?Q?never ends"),
        ("a =?utf-8?Q?tr=C3=A8s?=\r\n long =?utf-8?Q?=C3=A9t=C3=A9?=\n\tat sea", "a très long été\tat sea"),
        ("=?utf-8?Q?one_?=\r\n =?utf-8?Q?word?=", "one word"),
    ],
)
def test_decoded(text: str, read: str | None) -> None:
    assert decoded(text) == read


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["=?", "utf-8", "?Q?", "?B?", "=", "?=", "A", " "])).map("".join)
)
def test_never_raises(text: str) -> None:
    read = decoded(text)
    assert read is None or isinstance(read, str)


@pytest.mark.parametrize(
    "text", ["plain text", "Très important", "é" * 300, "日本語 " * 40 + "日", "a" * 500]
)
def test_encoded_is_ascii_and_reads_as_it_was(text: str) -> None:
    value = encoded(text)
    assert value.isascii()
    assert not text.isascii() or value == text
    assert all(len(line) <= 76 for line in value.split("\n")) or text.isascii()
    assert all(line.startswith(" ") for line in value.split("\n")[1:])
    assert decoded(value.replace("\n", "")) == text
