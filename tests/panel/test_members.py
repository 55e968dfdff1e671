"""The members of a group: the list, who sees it, adding and taking out, against a real directory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from tests.membership.offices import GROUPS, PEOPLE
from tests.panel.clubs import dissolved, founded, members, name_of
from tests.panel.house import House, csrf, sent

from groupmilter.groups.ticket import digest

TWIN = f"uid=jean2,{PEOPLE}"
OUTSIDE = "somebody@elsewhere.example"


@pytest.fixture
def club(home: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """A group of Zoë's with one member; its members' page."""
    name = f"club{digest(request.node.nodeid) % 10**8}"
    yield f"{founded(home, name)}/members"
    dissolved(home, name)


def added(client: httpx.Client, path: str, *lines: str, **fields: str | list[str]) -> httpx.Response:
    return sent(client, path, **{"members.add": ["", "\n".join(lines)], **fields})


def boxes(page: httpx.Response, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', page.text)


# the list


def test_the_list_shows_everybody_with_what_they_are(home: House) -> None:
    home.office.slapd.modify(
        f"dn: cn=projet-arctique,{GROUPS}\nadd: member\nmember: uid=gone,{PEOPLE}\nmember: cn=equipe,{GROUPS}\n"
    )
    path = f"/groups/{home.group('projet-arctique').uuid}/members"
    with home.person("zoe", "fr") as zoe:
        home.until(lambda: "uid=gone" in zoe.get(path).text)
        page = zoe.get(path)
        assert "<h2>Appartenance</h2>" in page.text
        for words in (
            "Zoë Cœurdacier",
            "Absent de l’annuaire",
            "laboratoire@polar.example",
            "Équipe technique",
        ):
            assert words in page.text
        assert f'href="/groups/{home.group("equipe").uuid}"' in page.text
        assert len(boxes(page, "who")) == 7
        assert "José Muñoz" in zoe.get(path, params={"q": "munoz"}).text
        assert "Zoë" not in zoe.get(path, params={"q": "munoz"}).text.partition('id="found"')[2]
        outside = zoe.get(path, params={"kind": "outsider"}).text.partition("<tbody>")[2]
        assert "polar.example" in outside
        assert "Muñoz" not in outside
        assert "Aucun membre n’est trouvé." in zoe.get(path, params={"q": "nobody"}).text
        assert zoe.get(path, params={"kind": "odd", "page": "x"}).status_code == 200


def test_dynamic_members_are_told_apart(home: House) -> None:
    path = f"/groups/{home.group('ventes').uuid}/members"
    with home.person("helene") as helene:
        page = helene.get(path)
        assert page.text.count('<span class="mark">By a rule</span>') == 2
        assert boxes(page, "who") == []
        assert len(boxes(page, "rule")) == 2


def test_whoever_only_looks_gets_no_form(home: House) -> None:
    path = f"/groups/{home.group('equipe').uuid}/members"
    with home.person("pierre") as pierre:
        page = pierre.get(path)
        assert "Zoë Cœurdacier" in page.text
        for word in ('name="who"', 'name="members.add"', "/members/import", "/members/dynamic"):
            assert word not in page.text
        for place in ("/import", "/dynamic"):
            assert pierre.get(path + place).status_code == 404


def test_hidden_members_are_for_owners_and_administrators(home: House) -> None:
    path = f"/groups/{home.group('direction').uuid}/members"
    for uid, sees in (("pierre", False), ("zoe", False), ("anais", True), ("administrator", True)):
        with home.person(uid) as client:
            assert ("Hélène Lefèvre" in client.get(path).text.partition("<main")[2]) is sees, uid
            assert (client.get(f"{path}/export").status_code == 200) is sees, uid
            assert ("Hélène" in client.get(path, params={"q": "helene"}).text.partition("<main")[2]) is sees


def test_a_hidden_group_among_the_members_keeps_its_name(home: House, club: str) -> None:
    with home.person("zoe") as zoe, home.person("pierre") as pierre, home.person("anais") as anais:
        home.office.slapd.modify(
            f"dn: cn={name_of(home, club)},{GROUPS}\nadd: member\nmember: cn=cellule-de-crise,{GROUPS}\n"
        )
        home.until(lambda: "Cellule de crise" in anais.get(club).text)
        assert "Cellule" in zoe.get(club).text, "an owner sees what is in the list"
        assert "A hidden group" in pierre.get(club).text
        assert "Cellule" not in pierre.get(club).text
        assert "A hidden group" not in pierre.get(club, params={"q": "crise"}).text
        assert "crise@" not in pierre.get(f"{club}/export").text


def test_the_list_comes_in_pages(home: House, club: str) -> None:
    lines = "".join(f"dgMemberAddress: m{n:03}@far.example\n" for n in range(120))
    home.office.slapd.modify(f"dn: cn={name_of(home, club)},{GROUPS}\nadd: dgMemberAddress\n{lines}")
    with home.person("zoe", "fr") as zoe:
        home.until(lambda: "m049@" in zoe.get(club).text)
        first, last = zoe.get(club).text, zoe.get(f"{club}?page=3").text
        assert "Page 1 sur 3" in first.replace("\u00a0", " ")
        assert 'rel="next" href="' in first
        assert "m119@" in last
        assert "Zoë Cœurdacier" in last
        assert 'rel="next"' not in last


# adding


@pytest.mark.parametrize(
    ("written", "attribute", "value"),
    [
        ("pierre.durand@masociete.example", "member", f"uid=pierre,{PEOPLE}"),
        ("Pierre Durand <PIERRE.DURAND@masociete.example>", "member", f"uid=pierre,{PEOPLE}"),
        ("Hélène Lefèvre", "member", f"uid=helene,{PEOPLE}"),
        ("bob", "member", f"uid=bob,{PEOPLE}"),
        ("lefevre", "member", f"uid=helene,{PEOPLE}"),
        ("Muñoz, José", "member", f"uid=jose,{PEOPLE}"),
        ("Munoz José", "member", f"uid=jose,{PEOPLE}"),
        ("sales@masociete.example", "member", f"cn=sales-uk,{GROUPS}"),
        (OUTSIDE, "dgMemberAddress", OUTSIDE),
    ],
)
def test_one_is_added_by_address_or_name(
    home: House, club: str, written: str, attribute: str, value: str
) -> None:
    with home.person("zoe") as zoe:
        answer = sent(zoe, club, **{"members.add": written})
        assert answer.headers["location"] == f"{club}?added=1&were=0"
        assert value in home.office.values(name_of(home, club), attribute)
        page = zoe.get(answer.headers["location"]).text
        assert "New members: 1." in page
        assert 'All <span class="quiet">2</span>' in page, "the page shows what was just added"
        again = sent(zoe, club, **{"members.add": written})
        assert again.headers["location"] == f"{club}?added=0&were=1"
        assert "Members already: 1." in zoe.get(again.headers["location"]).text


def test_many_are_added_at_once(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        answer = added(zoe, club, "jean@masociete.example; Pierre Durand", f"{OUTSIDE}, x@far.example", "zoe")
        assert answer.headers["location"] == f"{club}?added=4&were=1"
    row = next(row for row in reversed(home.office.journal("group-edit")) if row.actor.startswith("zoe"))
    assert json.loads(row.after)["members"] == [f"uid=jean,{PEOPLE}", f"uid=pierre,{PEOPLE}"]
    assert row.way == "panel"


def test_what_is_not_clear_is_asked_and_nobody_is_added_before(home: House, club: str) -> None:
    home.office.slapd.add(
        f"dn: {TWIN}\nobjectClass: inetOrgPerson\nuid: jean2\ncn: Jean Dupont\nsn: Dupont\n"
        "mail: jean.dupont2@masociete.example\n"
    )
    lines = ("Jean Dupont", "lefev", "bob", "nobody@masociete.example", "x@y@z")
    with home.person("zoe", "fr") as zoe:
        page = added(zoe, club, *lines)
        assert page.status_code == 422
        for words in ("Tout le monde n’est pas reconnu", "jean.dupont2@masociete.example", "Hélène Lefèvre"):
            assert words in page.text
        assert "\n".join(lines) in page.text, "what was typed is kept"
        assert members(home, club) == {f"uid=zoe,{PEOPLE}"}
        choice = {
            "csrf": csrf(page), "members.add": "Jean Dupont\nlefev\nbob",
            "whom.1.of": "Jean Dupont", "whom.1": TWIN, "whom.2.of": "lefev", "whom.2": f"uid=helene,{PEOPLE}",
        }  # fmt: skip
        answer = zoe.post(club, data=choice)
        assert answer.headers["location"] == f"{club}?added=3&were=0"
    assert members(home, club) == {f"uid={uid},{PEOPLE}" for uid in ("zoe", "jean2", "helene", "bob")}
    home.office.slapd.delete(TWIN)


def test_those_who_are_clear_can_be_added_alone(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        page = added(zoe, club, "bob", "nobody@masociete.example", rest="yes")
        assert page.status_code == 422
        assert "New members: 1." in page.text
        assert re.search(r"<textarea[^>]*>\nnobody@masociete.example</textarea>", page.text)
        assert members(home, club) == {f"uid=zoe,{PEOPLE}", f"uid=bob,{PEOPLE}"}


def test_an_empty_field_a_group_itself_and_too_many_are_told(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        empty = added(zoe, club, " ; ")
        assert (empty.status_code, "Write an address or a name." in empty.text) == (422, True)
        itself = added(zoe, club, f"{name_of(home, club)}@masociete.example")
        assert "A group can&#39;t be a member of itself." in itself.text
        many = added(zoe, club, *(f"m{n}@far.example" for n in range(20_001)))
        assert (many.status_code, "At most 20000 at a time." in many.text) == (422, True)


def test_a_hidden_group_is_nobody_to_whoever_may_not_see_it(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        for written in ("crise@masociete.example", "Cellule de crise", f"cn=cellule-de-crise,{GROUPS}"):
            page = added(zoe, club, written)
            assert page.status_code == 422, written
            assert "Nobody in the directory is called so" in page.text
            assert "Jürgen" not in page.text
    assert members(home, club) == {f"uid=zoe,{PEOPLE}"}


def test_what_was_typed_is_text_and_nothing_else(home: House, club: str) -> None:
    odd = '<script>alert(1)</script>" onfocus="alert(2)'
    with home.person("zoe") as zoe:
        page = added(zoe, club, odd)
        assert "<script>alert" not in page.text
        assert 'onfocus="' not in page.text
        assert "<script>alert" not in zoe.get(club, params={"q": odd, "members.add": odd}).text


def test_nobody_else_adds_or_takes_out(home: House, club: str) -> None:
    with home.person("pierre") as pierre:
        token = csrf(pierre.get("/groups"))
        for path, fields in (
            (club, {"members.add": "pierre"}),
            (f"{club}/remove", {"who": f"uid=zoe,{PEOPLE}"}),
            (f"{club}/remove", {"who": f"uid=zoe,{PEOPLE}", "confirmed": "yes"}),
            (f"{club}/contact", {"contact_name": "X", "contact_address": OUTSIDE}),
            (f"{club}/dynamic", {"url.add": "ldap:///dc=x??sub?(uid=x)"}),
            (f"{club}/import", {"text": "pierre", "how": "exact"}),
        ):
            answer = pierre.post(path, data={"csrf": token, **fields})
            assert answer.status_code in (403, 404), path
    assert members(home, club) == {f"uid=zoe,{PEOPLE}"}


# taking out


def test_a_few_are_taken_out_at_once(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        added(zoe, club, "bob", "jean", OUTSIDE)
        answer = zoe.post(
            f"{club}/remove", data={"csrf": csrf(zoe.get(club)), "who": [f"uid=bob,{PEOPLE}", OUTSIDE]}
        )
        assert answer.headers["location"] == f"{club}?removed=2"
        assert "Taken out: 2." in zoe.get(answer.headers["location"]).text
        assert members(home, club) == {f"uid=zoe,{PEOPLE}", f"uid=jean,{PEOPLE}"}
        assert home.office.values(name_of(home, club), "dgMemberAddress") == []
        none = zoe.post(f"{club}/remove", data={"csrf": csrf(zoe.get(club))})
        assert (none.status_code, "Tick those who are to be taken out." in none.text) == (422, True)


def test_an_address_beyond_ascii_is_taken_out_as_it_is_shown(home: House, club: str) -> None:
    with home.person("zoe") as zoe:
        added(zoe, club, "rené@café.example")
        [written] = boxes(zoe.get(f"{club}?kind=outsider"), "who")
        answer = zoe.post(f"{club}/remove", data={"csrf": csrf(zoe.get(club)), "who": written})
        assert (answer.status_code, written) == (303, "rené@xn--caf-dma.example"), answer.text
        assert home.office.values(name_of(home, club), "dgMemberAddress") == []


def test_many_are_shown_again_first(home: House, club: str) -> None:
    addresses = [f"m{n}@far.example" for n in range(8)]
    with home.person("zoe", "fr") as zoe:
        added(zoe, club, *addresses)
        asked = zoe.post(f"{club}/remove", data={"csrf": csrf(zoe.get(club)), "who": addresses})
        assert asked.status_code == 200
        assert "Rien n’est encore modifié." in asked.text
        assert boxes(asked, "who") == addresses
        assert len(home.office.values(name_of(home, club), "dgMemberAddress")) == 8
        done = {"csrf": csrf(asked), "who": addresses, "confirmed": "yes"}
        assert zoe.post(f"{club}/remove", data=done).headers["location"] == f"{club}?removed=8"
    assert home.office.values(name_of(home, club), "dgMemberAddress") == []


def test_who_comes_by_a_rule_is_excluded_from_it(home: House) -> None:
    path, francois = f"/groups/{home.group('ventes').uuid}/members", f"uid=francois,{PEOPLE}"
    with home.person("helene") as helene:
        token = csrf(helene.get(path))
        asked = helene.post(f"{path}/remove", data={"csrf": token, "rule": francois})
        assert "They are excluded, though a rule finds them: 1" in asked.text
        assert "François Noël" in asked.text
        helene.post(f"{path}/remove", data={"csrf": token, "rule": francois, "confirmed": "yes"})
        assert francois in home.office.values("ventes", "dgExcludedMember")
        assert "François" not in helene.get(path).text
        back = {"csrf": token, "excluded.remove": francois}
        assert helene.post(f"{path}/dynamic", data=back).headers["location"] == f"{path}/dynamic?said=saved"
        assert "François" in helene.get(path).text


# contacts


def test_an_external_contact_is_made_and_added(home: House, club: str) -> None:
    with home.person("zoe", "fr") as zoe:
        wrong = sent(zoe, club, **{"members.add": "x"})
        assert wrong.status_code == 422
        fields = {
            "csrf": csrf(zoe.get(club)),
            "contact_name": "Éva Nova",
            "contact_address": "jean@masociete.example",
        }
        ours = zoe.post(f"{club}/contact", data=fields)
        assert ours.status_code == 422
        assert 'value="Éva Nova"' in ours.text
        assert "notre propre organisation" in ours.text
        answer = zoe.post(f"{club}/contact", data={**fields, "contact_address": "eva@nova.example"})
        assert answer.headers["location"] == f"{club}?added=1"
        assert "Éva Nova" in zoe.get(club).text
    assert "eva@nova.example" in home.office.slapd.search(
        "ou=contacts,dc=masociete,dc=example", "(mail=*)", "mail"
    )


def test_a_group_that_is_gone_meanwhile_is_not_there(home: House) -> None:
    path = f"{founded(home, 'brief')}/members"
    with home.person("zoe") as zoe:
        token = csrf(zoe.get(path))
        dissolved(home, "brief")
        for place, fields in (
            ("", {"members.add": "jean"}),
            ("/remove", {"who": f"uid=zoe,{PEOPLE}"}),
            ("/import", {"text": "jean"}),
            ("/dynamic", {"excluded.add": "jean"}),
        ):
            answer = zoe.post(path + place, data={"csrf": token, **fields})
            assert answer.status_code in (403, 404), place
