"""The fields of a list: valid for every address that a group may have, and left out rather than broken."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.address import strict
from groupmilter.policy.listing import list_fields

ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)+>")
URI = re.compile(r"<mailto:([A-Za-z0-9._~!$'*+%-]+)@([a-z0-9.-]+)>")


@pytest.mark.parametrize(
    ("address", "list_id", "post"),
    [
        ("staff@own.example", "<staff.own.example>", "<mailto:staff@own.example>"),
        ("r&d@own.example", "<r&d.own.example>", "<mailto:r%26d@own.example>"),
        ("who?@own.example", "<who?.own.example>", "<mailto:who%3F@own.example>"),
        ("a#1=b/c@own.example", "<a#1=b/c.own.example>", "<mailto:a%231%3Db%2Fc@own.example>"),
        ("équipe@own.example", "<xn--quipe-9ra.own.example>", "<mailto:%C3%A9quipe@own.example>"),
        ("équipe@xn--mnchen-3ya.example", "<xn--quipe-9ra.xn--mnchen-3ya.example>",
         "<mailto:%C3%A9quipe@xn--mnchen-3ya.example>"),
    ],
)  # fmt: skip
def test_addresses(address: str, list_id: str, post: str) -> None:
    fields = list_fields(address, "help@own.example")
    assert fields == {"List-Id": list_id, "List-Post": post, "List-Owner": "<mailto:help@own.example>"}


@pytest.mark.parametrize(
    ("contact", "owner"),
    [
        ("help+mail@own.example", "<mailto:help+mail@own.example>"),
        ("https://help.own.example/mail?x=1", "<https://help.own.example/mail?x=1>"),
        ("the help desk, room 12", None),
        ("https://help.own.example/> x", None),
        ("https://[::1/x", None),
        ("javascript://own.example/x", None),
        ("https:///nowhere", None),
        ("", None),
    ],
)
def test_contacts(contact: str, owner: str | None) -> None:
    assert list_fields("staff@own.example", contact).get("List-Owner") == owner


LOCALS = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=30)


@given(LOCALS)
def test_whatever_a_group_is_called(local: str) -> None:
    address = strict(f"{local}@own.example")
    if address is None:
        return
    fields = list_fields(address, address)
    assert all(value.isascii() for value in fields.values())
    assert ID.fullmatch(fields["List-Id"])
    written = URI.fullmatch(fields["List-Post"])
    assert written is not None
    assert f"{unquote(written[1])}@{written[2]}" == address
