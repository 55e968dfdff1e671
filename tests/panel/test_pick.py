"""Looking somebody up: what is offered while one types, the page without scripts, and who isn't shown to whom."""

from __future__ import annotations

import re
from html import unescape

import pytest
from tests.membership.offices import PEOPLE
from tests.panel.clubs import founded, person
from tests.panel.filling import filled, form_of
from tests.panel.house import House, sent

VALUE = re.compile(r'value="([^"]*@[^"]*)"')


def offered(home: House, uid: str, text: str, field: str = "members.add") -> list[str]:
    with home.person(uid) as client:
        answer = client.get("/pick", params={"form": "options", "field": field, field: text})
    assert answer.status_code == 200
    return [unescape(value) for value in re.findall(r'<option value="([^"]*)"', answer.text)]


def test_names_are_offered_while_one_types(home: House) -> None:
    assert offered(home, "zoe", "helene") == ["helene.lefevre@masociete.example"]
    assert "contact@masociete.example" in offered(home, "zoe", "contact", "owners.add")
    assert offered(home, "zoe", "x") == [], "one letter is no search"
    assert offered(home, "zoe", "nobody of this name") == []


def test_an_option_shows_the_name(home: House) -> None:
    with home.person("zoe") as client:
        page = client.get("/pick?form=options&field=q&q=munoz").text
    assert page.strip() == '<option value="jose.munoz@masociete.example" label="José Muñoz"></option>'


def test_hidden_groups_are_offered_to_their_people_only(home: House) -> None:
    crisis = "crise@masociete.example"
    assert crisis not in offered(home, "pierre", "crise")
    for uid in ("jurgen", "anais", "helene"):
        assert crisis in offered(home, uid, "crise"), uid


def test_the_page_leads_back_with_who_was_chosen(home: House) -> None:
    back = f"/groups/{home.group('equipe').uuid}/members"
    with home.person("zoe", "fr") as client:
        page = client.get("/pick", params={"q": "du", "to": back, "field": "members.add"})
        assert "Chercher dans l’annuaire" in page.text
        assert f'<form method="get" action="{back}">' in page.text
        assert "jean.dupont@masociete.example" in VALUE.findall(page.text)
        there = client.get(back, params={"members.add": "jean.dupont@masociete.example"})
        assert 'value="jean.dupont@masociete.example"' in there.text
        two = client.get(f"{back}?members.add=jean&members.add=bob")
        assert re.search(r"<textarea[^>]*>\njean\nbob</textarea>", two.text)
        none = client.get("/pick", params={"q": "nobody of this name"})
        assert "Personne n’est trouvé." in none.text


@pytest.fixture(scope="module")
def named(home: House) -> str:
    """A group of Zoë's, in a house with two people of one surname; the page of its owners."""
    for uid, name in (("ines", "Inès"), ("jules", "Jules")):
        home.office.slapd.add(
            f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name} Aubépin\nsn: Aubépin\n"
            f"mail: {uid}.aubepin@masociete.example\n"
        )
    # What comes later than they do is in the mirror later.
    return f"{founded(home, 'named')}/owners"


def test_a_surname_that_is_offered_is_taken_where_one_person_bears_it(home: House, named: str) -> None:
    with home.person("zoe") as zoe:
        for written, uid in (("lefevre", "helene"), ("O'Brien", "aoife"), ("Petit", "bob")):
            assert filled(zoe, named, {"owners.add": written}).status_code == 303
            assert person(uid) in home.office.values("named", "owner"), written
        moderation = named.replace("/owners", "/moderation")
        assert filled(zoe, moderation, {"bypass.add": "Durand"}).status_code == 303
        assert home.office.values("named", "dgModerationBypass") == [person("pierre")]
        rule = named.replace("/owners", "/members/dynamic")
        assert sent(zoe, rule, **{"excluded.add": "Lewellyn"}).status_code == 422, "it is in nobody's name"
        assert sent(zoe, rule, **{"excluded.add": "llewellyn"}).status_code == 303
        assert home.office.values("named", "dgExcludedMember") == [person("sian")]


def test_of_several_of_a_surname_each_is_named_and_what_was_typed_stays(home: House, named: str) -> None:
    home.until(lambda: len(offered(home, "zoe", "aubepin", "owners.add")) == 2)
    both = "Inès Aubépin <ines.aubepin@masociete.example>, Jules Aubépin <jules.aubepin@masociete.example>"
    for language, words in (
        ("en", f"“aubepin”: several are called so; give the address of the one you mean: {both}."),
        (
            "fr",
            f"« aubepin » : plusieurs personnes ou groupes portent ce nom ; indiquez l’adresse du bon : {both}.",
        ),
    ):
        with home.person("zoe", language) as zoe:
            page = filled(zoe, named, {"owners.add": "aubepin"})
            assert page.status_code == 422
            assert words in re.sub(r"</?bdi>", "", unescape(page.text)).replace("\u00a0", " ")
            assert form_of(page, named)["owners.add"] == ["aubepin"]
            asked = sent(zoe, named.replace("/owners", "/members"), **{"members.add": ["aubepin", ""]})
            assert asked.status_code == 422
            assert 'value="aubepin"' in asked.text
            assert asked.text.count("Aubépin</strong>") == 2
    assert {person("ines"), person("jules")}.isdisjoint(home.office.values("named", "owner"))


@pytest.mark.parametrize("written", ["lefev", "crise", "technique", "e", "le lefevre"])
def test_less_than_a_name_a_hidden_group_and_a_group_by_a_word_are_nobody(
    home: House, named: str, written: str
) -> None:
    before = home.office.values("named", "owner")
    with home.person("zoe") as zoe:
        page = filled(zoe, named, {"owners.add": written})
    assert page.status_code == 422
    assert "nobody of the directory has this name" in page.text
    assert "Cellule" not in page.text
    assert home.office.values("named", "owner") == before


def test_it_leads_nowhere_else(home: House) -> None:
    with home.person("zoe") as client:
        for elsewhere in (
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
        ):
            page = client.get("/pick", params={"to": elsewhere, "q": "jean"}).text
            assert '<p class="crumb"><a href="/">' in page
            assert '<form method="get" action="/">' in page


def test_it_is_for_those_who_are_logged_in(home: House) -> None:
    with home.anybody() as client:
        assert client.get("/pick?q=jean").status_code == 303
