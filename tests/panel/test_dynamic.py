"""Rules that find members: by criteria or as a URL, seen before they are set; who may set which; who is excluded."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from tests.membership.offices import BASE
from tests.panel.calling import at_fault, calling, problem
from tests.panel.clubs import dissolved, founded, name_of, person
from tests.panel.house import House, csrf

from groupmilter.groups.ticket import digest

RULE = f"ldap:///{BASE}??sub?(departmentNumber=technique)"
PRYING = f"ldap:///{BASE}??sub?(description=Contact*)"


@pytest.fixture
def club(home: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """A group of Zoë's with one member; the page of its rules."""
    name = f"rule{digest(request.node.nodeid) % 10**8}"
    yield f"{founded(home, name)}/members/dynamic"
    dissolved(home, name)


def looked_at(client: httpx.Client, path: str, **criteria: str) -> httpx.Response:
    return client.get(path, params={"preview": "criteria", **criteria})


def changed(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf": csrf(client.get(path)), **fields})


def test_a_rule_shows_whom_it_finds_and_is_set(home: House, club: str) -> None:
    with home.person("zoe", "fr") as zoe:
        page = looked_at(zoe, club, attribute1="departmentNumber", value1="technique")
        assert page.status_code == 200
        for words in ("Cette règle trouve\u00a0: 2", "Zoë Cœurdacier", "José Muñoz", "Service"):
            assert words in page.text
        assert f'name="url.add" value="{RULE}"' in page.text
        assert home.office.values(name_of(home, club), "memberURL") == []
        answer = changed(zoe, club, **{"url.add": RULE})
        assert answer.headers["location"] == f"{club}?said=saved"
        assert home.office.values(name_of(home, club), "memberURL") == [RULE]
        assert "José Muñoz" in zoe.get(club.removesuffix("/dynamic")).text, "the mirror has it already"
        again = zoe.get(club, params={"preview": "url", "url": RULE}).text
        assert 'name="url.add"' not in again, "it is set already"
        assert changed(zoe, club, **{"url.remove": RULE}).status_code == 303
        assert home.office.values(name_of(home, club), "memberURL") == []


@pytest.mark.parametrize(
    ("criteria", "count"),
    [
        ({"attribute1": "departmentNumber", "value1": "tech*"}, "2"),
        ({"attribute1": "departmentNumber", "value1": "ventes", "attribute2": "sn", "value2": "Dupont"}, "1"),
        ({"attribute1": "departmentNumber", "value1": "technique", "base": BASE, "scope": "one"}, "0"),
        ({"attribute1": "sn", "value1": "*)(uid=*"}, "0"),
        ({"attribute1": "sn", "value1": "nobody"}, "0"),
    ],
)
def test_criteria_say_what_people_mean(home: House, club: str, criteria: dict[str, str], count: str) -> None:
    with home.person("zoe") as zoe:
        assert f"This rule finds: {count}" in looked_at(zoe, club, **criteria).text


def test_owners_ask_for_the_usual_attributes_and_administrators_for_any(home: House, club: str) -> None:
    with home.person("zoe") as zoe, home.person("helene") as helene:
        refused = zoe.get(club, params={"preview": "url", "url": PRYING})
        assert refused.status_code == 422
        assert "only administrators may ask for" in refused.text
        assert "This rule finds" not in refused.text, "whom it finds is not told"
        assert changed(zoe, club, **{"url.add": PRYING}).status_code == 403
        assert "This rule finds: 1" in helene.get(club, params={"preview": "url", "url": PRYING}).text
        assert changed(helene, club, **{"url.add": PRYING}).status_code == 303
        assert home.office.values(name_of(home, club), "memberURL") == [PRYING]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "begin with ldap:///"),
        ("ldap://elsewhere.example/dc=x??sub?(cn=x)", "it names a host"),
        (f"ldap:///{BASE}??sub?(cn=", "its filter is malformed"),
        (f"ldap:///ou=nowhere,{BASE}??sub?(cn=x)", f"at “ou=nowhere,{BASE}” there is no place"),
        ("ldap:///??sub?(cn=x)", "at “” there is no place of this directory"),
        ("ldap:///dc=example??sub?(cn=x)", "at “dc=example” there is no place"),
        ("ldap:///cn=config??sub?(cn=x)", "at “cn=config” there is no place"),
    ],
)
def test_what_is_no_rule_is_told_and_kept(home: House, club: str, url: str, words: str) -> None:
    with home.person("zoe") as zoe, calling(home, "zoe") as api:
        added = changed(zoe, club, **{"url.add": url or "x"})
        assert added.status_code == 422
        assert words in added.text.replace("&#39;", "'")
        sent = api.patch(club.removesuffix("/members/dynamic"), json={"member_urls": {"add": [url or "x"]}})
        assert words in at_fault(problem(sent, 422, "invalid"))["member_urls"]
        assert home.office.values(name_of(home, club), "memberURL") == []
        page = zoe.get(club, params={"preview": "url", "url": url})
        assert page.status_code == 422
        assert words in page.text.replace("&#39;", "'")
        assert f'id="url" name="url" value="{url}"' in page.text
        empty = looked_at(zoe, club, attribute1="sn", value1="")
        assert (empty.status_code, "at least one criterion is wanted" in empty.text) == (422, True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "elle ne commence pas par ldap:///"),
        (
            f"ldap:///{BASE}??sub?(cn=",
            "son filtre est mal formé\u00a0: «\u00a0)\u00a0» attendu au caractère 5",
        ),
        (f"ldap:///{BASE}??all?(cn=x)", "«\u00a0all\u00a0» n’est pas une portée"),
        ("ldap:///<b>??sub?(cn=x)", "«\u00a0&lt;b&gt;\u00a0» n’est pas un nom distinctif (DN)"),
        ("ldap:///dc=example??sub?(cn=x)", "il n’y a aucun endroit de cet annuaire"),
    ],
)
def test_what_is_wrong_with_a_rule_is_french_in_a_french_page(
    home: House, club: str, url: str, words: str
) -> None:
    with home.person("zoe", "fr") as zoe, calling(home, "zoe", language="fr") as api:
        assert words in zoe.get(club, params={"preview": "url", "url": url}).text
        assert words in changed(zoe, club, **{"url.add": url or "x"}).text
        sent = api.patch(club.removesuffix("/members/dynamic"), json={"member_urls": {"add": [url or "x"]}})
        assert unescape(words) in at_fault(problem(sent, 422, "invalid"))["member_urls"]
        nothing = looked_at(zoe, club, attribute1="sn", value1="").text
        assert "Cette règle est inutilisable\u00a0: il faut au moins un critère" in nothing


def test_somebody_is_excluded_and_let_in_again(home: House, club: str) -> None:
    with home.person("zoe", "fr") as zoe:
        changed(zoe, club, **{"url.add": RULE})
        assert changed(zoe, club, **{"excluded.add": "José Muñoz"}).headers["location"].endswith("said=saved")
        assert home.office.values(name_of(home, club), "dgExcludedMember") == [person("jose")]
        assert "José Muñoz" not in zoe.get(club.removesuffix("/dynamic")).text
        assert "José Muñoz" in zoe.get(club).text
        preview = zoe.get(club, params={"preview": "url", "url": RULE}).text.partition("Cette règle trouve")[
            2
        ]
        assert preview.partition("</ul>")[0].count('<span class="mark">Exclus</span>') == 1
        for odd in ("nobody of this name", "somebody@elsewhere.example"):
            page = changed(zoe, club, **{"excluded.add": odd})
            assert page.status_code == 422
            assert f"On ne sait pas qui est désigné par ceci\u00a0: {odd}" in page.text
        changed(zoe, club, **{"excluded.remove": person("jose")})
        assert home.office.values(name_of(home, club), "dgExcludedMember") == []
        assert changed(zoe, club).headers["location"] == f"{club}?said=nothing"
