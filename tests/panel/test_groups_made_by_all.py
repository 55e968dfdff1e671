"""Where everybody may make groups: within the organisation's rules, and without learning of hidden ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.membership.offices import BASE, PEOPLE
from tests.panel.filling import filled, form_of
from tests.panel.house import ADMINISTRATORS, House, house

RULES = f"""
panel:
  administrators:
    - '{ADMINISTRATORS}'
    - {{group: 'uid=sian,{PEOPLE}', domains: [masociete.example]}}
  create: {{who: everybody, names: ['projet-*', crise], required: [description]}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house where everybody may make groups."""
    with house(tmp_path_factory.mktemp("house"), RULES) as made:
        yield made


def test_whoever_makes_a_group_owns_it(home: House) -> None:
    with home.person("pierre", "fr") as pierre:
        assert ">Nouveau</a>" in pierre.get("/groups").text
        refused = filled(pierre, "/groups/new", {"address": "equipe2"})
        assert refused.status_code == 422
        shown = refused.text
        assert shown.index('href="#address"') < shown.index('href="#description"'), (
            "in the order of the fields"
        )
        again = {"address": "projet-x", "description": "Secret"}
        made = filled(pierre, "/groups/new", again, page=refused, without=["owners.add"])
        assert made.headers["location"] == f"/groups/{home.group('projet-x').uuid}?said=made"
        assert home.office.values("projet-x", "owner") == [f"uid=pierre,{PEOPLE}"]


def test_an_address_of_a_hidden_group_is_taken_and_nobody_learns_by_whom(home: House) -> None:
    typed = {"address": "crise", "description": "Essai", "members.add": "Cellule de crise"}
    with home.person("pierre") as pierre:
        answer = filled(pierre, "/groups/new", typed)
        assert answer.status_code == 422
        assert "This address is taken" in answer.text or "this address is taken" in answer.text
        assert "nobody of the directory has this name or address" in answer.text
        assert "cellule-de-crise" not in answer.text
        assert form_of(answer, "/groups/new")["members.add"] == ["Cellule de crise"]
    with home.person("jurgen", "en") as jurgen:
        answer = filled(jurgen, "/groups/new", typed)
        assert "Cellule de crise &lt;crise@masociete.example&gt;" in answer.text


def test_who_administers_a_domain_sees_its_hidden_groups(home: House) -> None:
    with home.person("sian") as sian:
        assert "Cellule de crise" in sian.get("/groups?flag=hidden").text
        page = sian.get(f"/groups/{home.group('cellule-de-crise').uuid}")
        assert "Delete this group" in page.text


@pytest.mark.parametrize(
    ("wanted", "status", "words", "unseen"),
    [
        ("(description=Contact*)", 422, "dans ce que vous administrez", "Cette règle trouve"),
        ("(departmentNumber=technique)", 200, "Zoë Cœurdacier", "par son nom"),
        ("(sn=Partner)", 200, "Vous ne pouvez voir aucun d’eux par son nom.", "Paul Partner"),
    ],
)
def test_who_administers_a_domain_looks_into_nobody_elses_entries(
    home: House, wanted: str, status: int, words: str, unseen: str
) -> None:
    """Domains part groups, not branches of the directory: a hoster's customers all have entries below the same base."""
    path = f"/groups/{home.group('contact').uuid}/members/dynamic"
    with home.person("sian", "fr") as sian:
        page = sian.get(path, params={"preview": "url", "url": f"ldap:///{BASE}??sub?{wanted}"})
        assert page.status_code == status
        assert words in page.text
        assert unseen not in page.text
        if status == 422:
            set_so = {**form_of(sian.get("/groups"), "/logout"), "url.add": [f"ldap:///{BASE}??sub?{wanted}"]}
            assert sian.post(path, data=set_so).status_code == 403
    assert home.office.values("contact", "memberURL") == []
