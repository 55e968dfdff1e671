"""Looking somebody up: what is offered while one types, the page without scripts, and who isn't shown to whom."""

from __future__ import annotations

import re
from html import unescape

from tests.panel.house import House

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
