"""A group of 100,000 members: every page of it comes from the mirror, and one more member is one more value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.panel.calling import calling
from tests.panel.clubs import dissolved, founded, person
from tests.panel.house import House, csrf

MANY = 100_000
NAME = "everybody"


@pytest.fixture(scope="module")
def crowd(home: House) -> Iterator[str]:
    """The group; its members' page."""
    lines = "".join(f"dgMemberAddress: m{n:06}@far{n % 7}.example\n" for n in range(MANY))
    yield f"{founded(home, NAME, lines)}/members"
    dissolved(home, NAME)


def test_every_page_is_there(home: House, crowd: str) -> None:
    with home.person("zoe") as zoe:
        first = zoe.get(crowd).text
        assert 'All <span class="quiet">100,001</span>' in first
        assert 'From outside <span class="quiet">100,000</span>' in first
        assert "Page 1 of 2001" in first
        assert "m000000@far0.example" in first
        middle = zoe.get(f"{crowd}?page=1000").text
        assert f"m{999 * 50:06}@" in middle
        last = zoe.get(f"{crowd}?page=2001").text
        assert "Zoë Cœurdacier" in last
        assert last.count('name="who"') == 1
        assert zoe.get(f"{crowd}?page=99999").status_code == 200
        assert "m077777@" in zoe.get(f"{crowd}?q=m077777").text
        only = zoe.get(f"{crowd}?kind=person").text
        assert "Zoë Cœurdacier" in only
        assert "m000000@" not in only


def test_one_more_is_added_and_taken_out(home: House, crowd: str) -> None:
    with home.person("zoe") as zoe:
        token = csrf(zoe.get(f"{crowd}/import"))
        answer = zoe.post(crowd, data={"csrf": token, "members.add": "jean"})
        assert answer.headers["location"] == f"{crowd}?added=1&were=0"
        assert person("jean") in home.office.values(NAME, "member")
        one = "m000000@far0.example"
        answer = zoe.post(f"{crowd}/remove", data={"csrf": token, "who": [one, person("jean")]})
        assert answer.headers["location"] == f"{crowd}?removed=2"
        there = home.office.values(NAME, "dgMemberAddress")
        assert len(there) == MANY - 1
        assert one not in there


def test_all_of_them_are_exported(home: House, crowd: str) -> None:
    with home.person("zoe") as zoe:
        assert zoe.get(f"{crowd}/export").text.count("\r\n") >= MANY


def test_all_of_them_come_by_the_api(home: House, crowd: str) -> None:
    with calling(home, "zoe") as zoe:
        last = zoe.get(crowd, params={"offset": 99_900, "limit": 500}).json()
        assert last["total"] == last["offset"] + len(last["items"]) >= MANY
        export = zoe.get(f"{crowd}/export")
        assert export.status_code == 200, export.text
        assert export.text.count("\r\n") >= MANY
