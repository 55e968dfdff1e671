"""Encoded words and charsets: read wherever they stand, and None where one can't be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.words import decoded


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
