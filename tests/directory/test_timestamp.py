"""Times as directories write them."""

from __future__ import annotations

import pytest

from groupmilter.directory.timestamp import moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("19700101000001Z", 1),
        ("20261126110734Z", 1_795_691_254),
        ("20261126110734.918273Z", 1_795_691_254),
        ("134401648540000000", 1_795_691_254),
        ("116444736010000000", 1),
    ],
)
def test_a_time_is_seconds_since_1970(text: str, seconds: int) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "20261399000000Z", "20261126110734", "now", "16010101000000Z", "1" * 40]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text) == 0
