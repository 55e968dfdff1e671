"""A client's address as MTAs tell it."""

from __future__ import annotations

import pytest

from groupmilter.mail.client import client_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unknown", None),
        ("192.0.2.1.example", None),
    ],
)
def test_it_is_one_however_it_is_written(text: str, address: str | None) -> None:
    found = client_address(text)
    assert (None if found is None else str(found)) == address
