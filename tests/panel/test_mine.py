"""My groups, joining and leaving, membership approval, and the requests that owners decide, in the browser's forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from tests.membership.offices import GROUPS
from tests.panel.clubs import dissolved, founded, members, person
from tests.panel.filling import filled, form_of
from tests.panel.house import House, csrf

from groupmilter.groups.ticket import digest
from groupmilter.moderation.request import Request, Stage

OPEN = "dgJoinPolicy: open\ndgLeavePolicy: open\n"
APPROVAL = (
    "dgJoinPolicy: approval\ndgLeavePolicy: approval\nmember: uid=bob,ou=people,dc=masociete,dc=example\n"
)


@pytest.fixture
def club(home: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """A group of Zoë's that is open; its page."""
    name = f"open{digest(request.node.nodeid) % 10**8}"
    yield founded(home, name, OPEN)
    dissolved(home, name)


@pytest.fixture
def circle(home: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """A group of Zoë's and Bob's that owners open; its page."""
    name = f"asked{digest(request.node.nodeid) % 10**8}"
    yield founded(home, name, APPROVAL)
    dissolved(home, name)


def mine(group: str, wanted: str) -> str:
    return f"/mine/{group.rpartition('/')[2]}/{wanted}"


def asked(client: httpx.Client, group: str, wanted: str, reason: str = "") -> httpx.Response:
    page = client.get(mine(group, wanted))
    return client.post(mine(group, wanted), data={"csrf": csrf(page), "reason": reason})


def request_of(home: House, uid: str) -> Request:
    """The newest request of somebody."""
    with home.parts.lookups.snapshot() as directory:
        found = directory.by_dn(person(uid))
    assert found is not None
    return home.parts.ledger.requests.find(frozenset(Stage), person=found.uuid)[-1]


def decided(client: httpx.Client, name: str, decision: str, comment: str = "") -> httpx.Response:
    path = f"/requests/{name}"
    token = csrf(client.get("/requests"))
    return client.post(path, data={"csrf": token, "decision": decision, "comment": comment, "request": name})


# my groups


def test_how_i_am_in_a_group_and_why_i_cannot_leave(home: House) -> None:
    with home.person("francois", "fr") as francois:
        page = francois.get("/mine").text.replace("\u00a0", " ")
        assert "Service commercial" in page
        assert "Membre directement" in page.replace("\n", " ").replace("  ", " ")
        assert "Une règle de l’annuaire fait de vous un membre de Équipe des ventes" in page
        assert "par Équipe des ventes" in page
        assert "quittez plutôt ce groupe-là" in page
    with home.person("anais") as anais:
        page = anais.get("/mine").text
        assert "Cellule de crise" in page, "one knows of a hidden group that one is in"
        owned = anais.get("/mine?show=owned").text
        assert "Cellule de crise" in owned
    founded(home, "shut", f"dgLeavePolicy: closed\nmember: {person('bob')}\n")
    with home.person("bob") as bob:
        assert "Nobody can leave The shut on their own" in bob.get("/mine").text
    dissolved(home, "shut")
    with home.person("jean") as jean:
        assert "Service commercial" in jean.get("/mine?show=moderated").text
        assert "You own no group." in jean.get("/mine?show=owned").text
        assert jean.get("/mine?show=odd&page=x&q=nothing").status_code == 200


def test_i_join_and_leave_an_open_group(home: House, club: str) -> None:
    with home.person("pierre") as pierre:
        page = pierre.get("/mine?show=joinable")
        assert f'action="{mine(club, "join")}"' in page.text
        answer = pierre.post(mine(club, "join"), data=form_of(page, mine(club, "join")))
        assert answer.headers["location"] == "/mine?said=joined"
        assert person("pierre") in members(home, club)
        there = pierre.get(answer.headers["location"]).text
        assert "You are a member now." in there
        assert club.rpartition("/")[2] in there
        left = filled(pierre, mine(club, "leave"))
        assert left.headers["location"] == "/mine?said=left"
        assert members(home, club) == {person("zoe")}
        assert "You are no longer a member." in pierre.get(left.headers["location"]).text


def test_each_page_of_a_group_says_how_to_join_or_leave_it(home: House, club: str) -> None:
    support = f"/groups/{home.group('support').uuid}"
    with home.person("pierre") as pierre:
        for place in ("", "/owners", "/members", "/membership", "/delivery"):
            assert pierre.get(club + place).text.count(f'href="{mine(club, "join")}">Join this group<') == 1
        assert mine(support, "join") not in pierre.get(support).text, "it is closed"
        filled(pierre, mine(club, "join"))
        assert f'href="{mine(club, "leave")}">Leave this group<' in pierre.get(club).text
        assert mine(club, "join") not in pierre.get(club).text
    with home.person("zoe") as zoe:
        page = zoe.get(club).text
        assert "Refuse everything" in page
        assert mine(club, "leave") not in page, "the owner's pages are for changing it"


def test_each_page_of_a_group_says_that_a_request_waits(home: House, circle: str) -> None:
    places = ("", "/owners", "/members", "/membership", "/delivery", "/moderation")
    with home.person("pierre") as pierre, home.person("bob", "fr") as bob, home.person("zoe") as zoe:
        assert "Ask to join" in pierre.get(circle).text
        asked(pierre, circle, "join")
        asked(bob, circle, "leave")
        for place in places:
            page = pierre.get(circle + place).text
            assert "Ask to join" not in page, place
            assert "You have asked to join this group." in page, place
            assert "waits for the owners" in page, place
            assert page.count(f'href="{mine(circle, "join")}">See your request<') == 1, place
        page = bob.get(circle).text
        assert "Quitter ce groupe" not in page
        for words in ("Vous avez demandé à quitter ce groupe.", "attend les propriétaires"):
            assert words in page
        assert f'href="{mine(circle, "leave")}">Voir votre demande<' in page
        assert "You have asked" not in zoe.get(circle).text
        form = form_of(
            pierre.get(mine(circle, "join")), f"/requests/{request_of(home, 'pierre').name}/withdraw"
        )
        pierre.post(f"/requests/{request_of(home, 'pierre').name}/withdraw", data=form)
        assert "Ask to join" in pierre.get(circle).text
        assert "You have asked" not in pierre.get(circle).text


def test_what_cannot_be_is_said_why(home: House, club: str) -> None:
    with home.person("pierre", "fr") as pierre:
        closed = f"/groups/{home.group('support').uuid}"
        page = pierre.get(mine(closed, "join"))
        assert "ses propriétaires" in page.text
        assert '<form method="post" action="/mine' not in page.text
        assert asked(pierre, closed, "join").status_code == 409
        hidden = f"/groups/{home.group('cellule-de-crise').uuid}"
        for wanted in ("join", "leave"):
            assert pierre.get(mine(hidden, wanted)).status_code == 404
            token = csrf(pierre.get("/mine"))
            assert pierre.post(mine(hidden, wanted), data={"csrf": token}).status_code == 404
        assert pierre.get(mine(club, "steal")).status_code == 404
        assert asked(pierre, club, "leave").status_code == 409, "he isn't in it"


def test_hidden_groups_are_in_no_list_of_strangers(home: House) -> None:
    home.office.slapd.modify(f"dn: cn=cellule-de-crise,{GROUPS}\nadd: dgJoinPolicy\ndgJoinPolicy: open\n")
    home.until(lambda: home.group("cellule-de-crise").join_policy == "open")
    with home.person("pierre") as pierre:
        assert "Cellule" not in pierre.get("/mine?show=joinable").text
        assert "Cellule" not in pierre.get("/mine?show=joinable&q=crise").text


# asking


def test_i_ask_think_better_of_it_and_ask_again(home: House, circle: str) -> None:
    with home.person("pierre", "fr") as pierre:
        assert "Motif (facultatif)" in pierre.get(mine(circle, "join")).text
        answer = asked(pierre, circle, "join", "Je rejoins l’équipe.")
        assert answer.headers["location"] == "/mine?said=asked"
        page = pierre.get("/mine").text
        assert "Ce que vous avez demandé" in page
        twice = asked(pierre, circle, "join").headers["location"]
        assert twice == "/mine?said=asked-before"
        assert re.search(r'class="box warn said"[^>]*><p>Vous l’aviez déjà demandé', pierre.get(twice).text)
        assert "Vous l’avez déjà demandé" in pierre.get(mine(circle, "join")).text.replace("\u00a0", " ")
        name = request_of(home, "pierre").name
        with home.person("jean") as jean:
            foreign = jean.post(f"/requests/{name}/withdraw", data={"csrf": csrf(jean.get("/mine"))})
            assert foreign.status_code == 404
        back = pierre.post(
            f"/requests/{name}/withdraw", data={"csrf": csrf(pierre.get("/mine")), "back": "/mine"}
        )
        assert back.headers["location"] == "/mine?said=withdrawn"
        assert request_of(home, "pierre").stage is Stage.WITHDRAWN
        late = pierre.post(f"/requests/{name}/withdraw", data={"csrf": csrf(pierre.get("/mine"))})
        assert late.headers["location"] == "/requests?said=request-before"
        assert "retirée" in pierre.get("/requests").text
        assert asked(pierre, circle, "join").headers["location"] == "/mine?said=asked"
        long = asked(pierre, circle, "join", "x" * 1001)
        assert (long.status_code, "1\u00a0000 caractères au plus." in long.text) == (422, True)


def test_an_owner_accepts_and_the_directory_has_it(home: House, circle: str) -> None:
    with home.person("pierre") as pierre, home.person("zoe", "fr") as zoe:
        asked(pierre, circle, "join", "<b>please</b>")
        name = request_of(home, "pierre").name
        page = zoe.get(f"{circle}/membership")
        for words in ("Pierre Durand", "&lt;b&gt;please&lt;/b&gt;", "Demandes en attente", "veut rejoindre"):
            assert words in page.text
        form = form_of(page, f"/requests/{name}") | {"decision": ["accept"], "comment": ["Bienvenue"]}
        answer = zoe.post(f"/requests/{name}", data=form)
        assert answer.headers["location"] == f"{circle}/membership?said=request-done"
        assert person("pierre") in members(home, circle)
        assert name not in zoe.get(f"{circle}/membership").text
        assert decided(zoe, name, "reject").headers["location"] == "/requests?said=accepted-before"
        assert "déjà acceptée" in zoe.get("/requests?said=accepted-before").text
        assert person("pierre") in members(home, circle), "the first decision stands"
        assert "Bienvenue" in pierre.get("/requests").text
    row = next(row for row in reversed(home.office.journal()) if row.action == "request-accept")
    assert (row.actor, row.way) == ("zoe.coeurdacier@masociete.example", "panel")


def test_an_owner_declines_a_leave_and_says_why(home: House, circle: str) -> None:
    with home.person("bob") as bob, home.person("zoe") as zoe:
        assert asked(bob, circle, "leave", "Too much mail").headers["location"] == "/mine?said=asked"
        name = request_of(home, "bob").name
        assert "wants to leave" in zoe.get("/requests").text
        wrong = decided(zoe, name, "perhaps")
        assert (wrong.status_code, "Choose one of the two." in wrong.text) == (422, True)
        long = decided(zoe, name, "reject", "x" * 1001)
        assert (long.status_code, "1,000 characters at most." in long.text) == (422, True)
        assert (
            decided(zoe, name, "reject", "Please stay").headers["location"].endswith("said=request-rejected")
        )
        assert person("bob") in members(home, circle)
        assert "Please stay" in bob.get("/requests").text


def test_nobody_decides_but_owners_and_administrators(home: House, circle: str) -> None:
    with home.person("pierre") as pierre, home.person("jean") as jean, home.person("helene") as helene:
        asked(pierre, circle, "join")
        name = request_of(home, "pierre").name
        for client in (pierre, jean):
            assert (
                "Pierre Durand"
                not in client.get("/requests").text.partition("<main")[2].partition("<h2>You asked")[0]
            )
            assert decided(client, name, "accept").status_code == 404
            assert name not in client.get(f"{circle}/membership").text
        assert request_of(home, "pierre").stage is Stage.WAITING
        assert decided(helene, "aaaaaaaaaa", "accept").status_code == 404
        assert decided(helene, name, "accept").headers["location"] == "/requests?said=request-done"


# membership approval


def test_who_may_join_and_leave_is_set(home: House, club: str) -> None:
    path = f"{club}/membership"
    with home.person("zoe", "fr") as zoe, home.person("pierre", "fr") as pierre:
        page = zoe.get(path)
        for words in (
            "<h2>Approbation d’appartenance</h2>",
            "Ouvert",
            "Fermé",
            "Approbation du propriétaire",
        ):
            assert words in page.text
        wanted = {"join_policy": "approval", "leave_policy": "closed", "join_outsiders": "yes"}
        assert filled(zoe, path, wanted).headers["location"] == f"{path}?said=saved"
        name = home.office.slapd.search(GROUPS, f"(entryUUID={club.rpartition('/')[2]})", "dgJoinPolicy",
                                        "dgLeavePolicy", "dgJoinOutsiders")  # fmt: skip
        for line in ("dgJoinPolicy: approval", "dgLeavePolicy: closed", "dgJoinOutsiders: TRUE"):
            assert line in name
        plain = pierre.get(path)
        assert "Approbation du propriétaire" in plain.text
        assert '<button type="submit">Enregistrer' not in plain.text
        assert mine(club, "join") in plain.text
        token = csrf(pierre.get("/mine"))
        assert pierre.post(path, data={"csrf": token, "join_policy": "open"}).status_code == 404
