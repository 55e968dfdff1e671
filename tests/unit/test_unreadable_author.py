"""A From field that can't be read without doubt gives no right, and hides nobody whose name some program shows."""

from __future__ import annotations

import pytest
from tests.support.letters import Office

from groupmilter.mail.address import pattern

ODD = ["a@b <{}>", "{} (a@b)", "Team: {};", "<@x:{}>"]


@pytest.mark.parametrize("odd", ODD)
def test_a_group_in_an_odd_from_field_is_refused_to_persons_too(odd: str) -> None:
    office = Office()
    office.person("jean", login="jean")
    office.person("bob")
    office.group("staff", "m@own.example")
    letter = office.letter("jean@own.example", login="jean").to("bob@own.example")
    assert letter.answered(**{"from": odd.format("staff@own.example")}) == "550 5.7.1"


@pytest.mark.parametrize("odd", ODD)
def test_a_denied_author_is_denied_in_an_odd_from_field_too(odd: str) -> None:
    denied = pattern("bad@out.example")
    assert denied is not None
    office = Office()
    office.group("staff", "m@own.example", denied_addresses=(denied,))
    letter = office.letter("x@out.example").to("staff@own.example")
    assert letter.answered(**{"from": odd.format("bad@out.example")}) == "550 5.7.2"
