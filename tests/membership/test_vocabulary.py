"""Fields as people write them."""

from __future__ import annotations

import pytest

from groupmilter.directory.profile_fields import GROUP, Scalar
from groupmilter.membership.vocabulary import ADDRESSES_OF, LISTS, SINGLES, BadWish, field_of, scalar, written


def test_every_canonical_field_is_a_single_or_a_list() -> None:
    assert {*SINGLES, *LISTS, *ADDRESSES_OF.values(), "member_of"} == set(GROUP)
    assert not set(SINGLES) & set(LISTS)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("moderated", ("moderated", "")),
        ("Require-Authentication", ("require_authentication", "")),
        ("member_addresses", ("members", "")),
        ("mail_tip", ("mail_tip", "")),
        ("mail_tip.FR", ("mail_tip", "fr")),
        ("mail-tip.pt-BR", ("mail_tip", "pt-br")),
    ],
)
def test_names_of_fields(text: str, field: tuple[str, str]) -> None:
    assert field_of(text) == field


@pytest.mark.parametrize("text", ["colour", "", "name.fr", "mail_tip.;x", "mail_tip.=", "member_of"])
def test_names_of_none(text: str) -> None:
    with pytest.raises(BadWish):
        field_of(text)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("moderated", "Yes", True),
        ("moderated", "oui", True),
        ("hidden", "FALSE", False),
        ("notify", "Internal", "internal"),
        ("hold_hours", "72", 72),
        ("hold_hours", "3d", 72),
        ("approvals", "2", 2),
        ("max_size", "10MB", 10_000_000),
        ("max_size", "10 Mo", 10_000_000),
        ("max_size", "500\u00a0ko", 500_000),
        ("max_size", "10mib", 10_485_760),
        ("max_size", "0", 0),
        ("name", "  Été ", "Été"),
        ("hold_hours", "", None),
    ],
)
def test_values(field: str, text: str, value: Scalar) -> None:
    assert scalar(field, text) == value
    assert scalar(field, written(value)) == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("moderated", "maybe"), ("notify", "loudly"), ("hold_hours", "0"), ("hold_hours", "-1"), ("approvals", "2d"),
        ("max_size", "big"), ("approvals", "99999999999"), ("hold_hours", "١"),
    ],
)  # fmt: skip
def test_values_of_none(field: str, text: str) -> None:
    with pytest.raises(BadWish, match=r"is wanted|wants a size"):
        scalar(field, text)
