"""A group's members as a file: each difference is shown before anything is written; what is exported comes back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import httpx
import pytest
from tests.membership.offices import GROUPS
from tests.panel.clubs import dissolved, founded, members, name_of, person
from tests.panel.filling import form_of
from tests.panel.house import House, csrf

from groupmilter.groups.ticket import digest

OUTSIDE = "somebody@elsewhere.example"


@pytest.fixture
def club(home: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """A group of Zoë's with one member; its members' page."""
    name = f"file{digest(request.node.nodeid) % 10**8}"
    yield f"{founded(home, name)}/members"
    dissolved(home, name)


def brought(client: httpx.Client, club: str, text: str, how: str = "add") -> httpx.Response:
    """Upload a file."""
    fields = {"csrf": csrf(client.get(f"{club}/import")), "how": how, "text": ""}
    return client.post(f"{club}/import", data=fields, files={"file": ("list.csv", text.encode(), "text/csv")})


def confirmed(client: httpx.Client, club: str, page: httpx.Response) -> httpx.Response:
    """Send the form of the differences as it is."""
    return client.post(f"{club}/import", data=form_of(page, f"{club}/import"))


def tiles(page: httpx.Response) -> list[str]:
    return re.findall(r"<strong>(\d+)</strong><span>", page.text)


def test_a_list_is_compared_and_then_brought(home: House, club: str) -> None:
    with home.person("zoe", "fr") as zoe:
        text = f"Adresse;Nom\njean@masociete.example;Jean\n{OUTSIDE};\nzoe;Zoë\nWho Knows;\n"
        page = brought(zoe, club, text)
        assert page.status_code == 200
        assert tiles(page) == ["2", "0", "1", "1"]
        for words in ("Rien n’est encore modifié.", "Jean Dupont", OUTSIDE, "Who Knows"):
            assert words in page.text
        assert members(home, club) == {person("zoe")}
        answer = confirmed(zoe, club, page)
        assert answer.headers["location"] == f"{club}?added=2&removed=0"
        assert members(home, club) == {person("zoe"), person("jean")}
        again = confirmed(zoe, club, page)
        assert again.status_code == 200
        assert tiles(again) == ["0", "0", "3", "1"]
        assert "Il n’y a rien à modifier." in again.text


def test_a_list_of_all_takes_the_others_out(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        confirmed(zoe, club, brought(zoe, club, "jean\nbob\nalice\n"))
        page = brought(zoe, club, "zoe\nbob\n", "exact")
        assert tiles(page) == ["0", "2", "2", "0"]
        assert "Alice Martin" in page.text
        assert confirmed(zoe, club, page).headers["location"] == f"{club}?added=0&removed=2"
        assert members(home, club) == {person("zoe"), person("bob")}


def test_nobody_leaves_while_somebody_is_not_clear(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        page = brought(zoe, club, "bob\nWho Knows\n", "exact")
        assert tiles(page) == ["1", "0", "0", "1"]
        assert "nobody leaves the group" in page.text
        confirmed(zoe, club, page)
        assert members(home, club) == {person("zoe"), person("bob")}


def test_what_has_changed_meanwhile_is_shown_before_it_is_written(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        page = brought(zoe, club, "zoe\njean\n", "exact")
        home.office.slapd.modify(
            f"dn: cn={name_of(home, club)},{GROUPS}\nadd: member\nmember: {person('bob')}\n"
        )
        second = confirmed(zoe, club, page)
        assert second.status_code == 200
        assert "The group has changed since you looked." in second.text
        assert "Bob Petit" in second.text
        assert members(home, club) == {person("zoe"), person("bob")}
        confirmed(zoe, club, second)
        assert members(home, club) == {person("zoe"), person("jean")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The list names nobody."),
        ("mail,phone\n,123\n", "row 2 names nobody"),
        ('mail\n"open', "no CSV"),
        ("[1]", "a list of entries with email and role is expected"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_lost(
    home: House, club: str, text: str, words: str
) -> None:
    with home.person("zoe") as zoe:
        fields = {"csrf": csrf(zoe.get(f"{club}/import")), "how": "exact", "text": text}
        page = zoe.post(f"{club}/import", data=fields)
        assert page.status_code == 422
        assert words in page.text
        assert form_of(page, f"{club}/import")["text"] == [text.strip()]
        assert 'value="exact" checked' in page.text


def test_what_is_wrong_with_a_file_stands_at_the_file(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        page = brought(zoe, club, "mail,phone\n,123\n")
        assert page.status_code == 422
        assert '<a href="#file">' in page.text
        assert 'aria-describedby="file-hint file-wrong" aria-invalid="true"' in page.text
        assert "text-wrong" not in page.text
        assert tiles(brought(zoe, club, "mail;phone\njean.dupont@masociete.example;1\n;;\n"))[0] == "1"


def test_what_is_exported_is_a_table_that_no_spreadsheet_runs_and_that_is_read_again(
    home: House, club: str
) -> None:
    with home.person("zoe") as zoe:
        confirmed(zoe, club, brought(zoe, club, "+odd@far.example\njean\ncontact@masociete.example\n"))
        answer = zoe.get(f"{club}/export")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"].startswith('attachment; filename="file')
        assert answer.content.startswith(b"\xef\xbb\xbf")
        read = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert {row["address"]: row["kind"] for row in read} == {
            "'+odd@far.example": "outsider",
            "contact@masociete.example": "group",
            "jean.dupont@masociete.example": "person",
            "zoe.coeurdacier@masociete.example": "person",
        }
        same = brought(zoe, club, answer.content.decode("utf-8-sig"), "exact")
        assert tiles(same) == ["0", "0", "4", "0"]


def test_dynamic_members_stand_in_the_file_and_are_not_made_lasting_by_it(home: House) -> None:
    path = f"/groups/{home.group('ventes').uuid}/members"
    with home.person("helene") as helene:
        text = helene.get(f"{path}/export").text
        assert "jean.dupont@masociete.example,Jean Dupont,dynamic" in text
        page = brought(helene, path, text.removeprefix("\ufeff"))
        assert "The list names nobody." in page.text


def test_a_hidden_group_in_a_list_is_nobody(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        page = brought(zoe, club, "crise@masociete.example\nCellule de crise\n")
        assert tiles(page) == ["0", "0", "0", "2"]
        assert "Jürgen" not in page.text
