"""Claims on held messages: the others see who is dealing with one; nobody is kept from deciding by it."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import pytest
from tests.panel.calling import calling, person, problem
from tests.panel.house import House, csrf, sent
from tests.panel.test_held_rights import NO_LONGER, state, without
from tests.panel.watching import held, link

from groupmilter.moderation.claim import Claim
from groupmilter.moderation.claiming import Claiming
from groupmilter.moderation.item import Event, Item, State, Way, Who

JEAN, HELENE = "jean.dupont@masociete.example", "helene.lefevre@masociete.example"


def claim(home: House, item: Item) -> Claim | None:
    found = home.parts.ledger.item(item.id)
    assert found is not None
    return found.claim


def who(home: House, uid: str) -> Who:
    somebody = person(home, uid)
    return Who(somebody.address, Way.PANEL, somebody.uuid)


def actions(home: House, item: Item) -> list[tuple[str, str, str]]:
    return [(row.action, row.actor, row.detail) for row in home.parts.ledger.search.history(item)][1:]


def test_the_others_see_who_is_dealing_with_a_message_and_since_when(home: House) -> None:
    item = held(home)
    path = f"/held/{item.name}"
    with home.person("jean") as jean, home.person("helene") as helene:
        answer = jean.post(f"{path}/claim", data={"csrf": csrf(jean.get(path))})
        assert answer.headers["location"] == f"{path}?said=claimed"
        own = unescape(jean.get(answer.headers["location"]).text)
        assert "The others see now that you are dealing with it." in own
        assert "You have been dealing with it since" in own
        assert f'action="{path}/give-back"' in own
        seen = unescape(helene.get(path).text)
        assert f"<bdi>{JEAN}</bdi> has been dealing with it since" in seen
        assert "You may decide all the same." in seen
        assert f'action="{path}/claim"' not in seen
        assert f"<bdi>{JEAN}</bdi> has been dealing with it since" in helene.get("/held").text
        late = helene.post(f"{path}/claim", data={"csrf": csrf(helene.get(path))})
        assert late.headers["location"] == f"{path}?said=claimed-before"
        url, _ = link(home, item, person(home, "helene"))
        assert f"<bdi>{JEAN}</bdi>" in helene.get(url).text, "the page of the link says so, too"
        # It blocks nothing: the first decision stands.
        done = sent(helene, path, decision="approve")
        assert done.headers["location"] == f"{path}?said=message-approved"
    assert claim(home, item) is None
    assert actions(home, item) == [("claim", JEAN, ""), ("approve", HELENE, "")]


def test_it_can_be_given_back_by_who_has_it(home: House) -> None:
    item = held(home)
    path = f"/held/{item.name}"
    with home.person("jean", "fr") as jean, home.person("helene") as helene:
        page = jean.get(path)
        assert "Je m’en occupe" in page.text
        for _ in range(2):
            jean.post(f"{path}/claim", data={"csrf": csrf(page)})
        since = claim(home, item)
        assert since is not None
        assert (since.name, since.person) == (JEAN, person(home, "jean").uuid)
        helene.post(f"{path}/give-back", data={"csrf": csrf(helene.get(path))})
        assert claim(home, item) == since, "it isn't hers"
        answer = jean.post(f"{path}/give-back", data={"csrf": csrf(page)})
        assert answer.headers["location"] == f"{path}?said=given-back"
        assert "Je m’en occupe" in jean.get(path).text
    assert claim(home, item) is None
    assert actions(home, item) == [("claim", JEAN, ""), ("give-back", JEAN, "")]


def test_several_at_once_and_filters(home: House) -> None:
    one, two, three = held(home), held(home), held(home)
    with home.person("jean") as jean, home.person("helene") as helene:
        helene.post(f"/held/{two.name}/claim", data={"csrf": csrf(helene.get("/held"))})
        answer = sent(jean, "/held", item=[one.name, two.name], decision="claim")
        assert answer.headers["location"] == "/held?said=claimed-partly"
        lists = {name: jean.get("/held", params={"claim": name}).text for name in ("mine", "unclaimed")}
        shown = {
            name: {each.name for each in (one, two, three) if each.name in text}
            for name, text in lists.items()
        }
        assert shown == {"mine": {one.name}, "unclaimed": {three.name}}
        asked = sent(jean, "/held", item=[one.name, two.name], decision="reject").text
        assert asked.count("has been dealing with it since") == 1, (
            "whoever decides is told of others' claims before"
        )
        back = sent(jean, "/held", item=[one.name, two.name], decision="give-back")
        assert back.headers["location"] == "/held?said=given-back"
        assert [claim(home, each) is None for each in (one, two, three)] == [True, False, True]
        assert "You are dealing with none of the messages." in jean.get("/held?claim=mine").text
        again = sent(jean, "/held", item=[one.name, three.name], decision="claim")
        assert again.headers["location"] == "/held?said=claimed"
        none = sent(jean, "/held", decision="claim")
        assert none.headers["location"] == "/held?said=no-message-chosen"


def test_only_who_may_decide_claims(home: House) -> None:
    item = held(home)
    with home.person("pierre") as pierre, home.person("jean") as jean:
        assert (
            pierre.post(f"/held/{item.name}/claim", data={"csrf": csrf(pierre.get("/account"))}).status_code
            == 404
        )
        page = jean.get(f"/held/{item.name}")
        with without(home, "jean"):
            refused = jean.post(f"/held/{item.name}/claim", data={"csrf": csrf(page)})
    assert refused.status_code == 403
    assert NO_LONGER in unescape(refused.text)
    assert claim(home, item) is None


def test_a_claim_ends_after_a_while_and_with_its_persons_right(home: House) -> None:
    item, ledger = held(home), home.parts.ledger
    hours = home.parts.claiming.hours
    assert hours == 4
    home.parts.claiming.claim((item,), who(home, "jean"))
    home.parts.claiming.tidy()
    assert claim(home, item) is not None
    later = Claiming(ledger, home.parts.decisions, lambda: home.parts.now() + hours * 3600)
    later.tidy()
    assert claim(home, item) is None
    home.parts.claiming.claim((item,), who(home, "jean"))
    taken = ledger.claims.end(item.id, person(home, "jean").uuid)[0]
    pierre = person(home, "pierre")
    ledger.claims.take(taken.id, Claim(pierre.uuid, pierre.address, int(home.parts.now())))
    home.parts.claiming.tidy()
    assert claim(home, item) is None, "pierre may not decide"
    assert actions(home, item)[1] == ("claim-end", "desk", JEAN)
    assert actions(home, item)[-1] == ("claim-end", "desk", pierre.address)


def test_a_claim_ends_with_whatever_becomes_of_the_message(home: House) -> None:
    decided, counted = held(home), held(home, approvals=2)
    for item in (decided, counted):
        home.parts.claiming.claim((item,), who(home, "jean"))
    home.parts.ledger.change(decided.id, Event.EXPIRE, Who("desk", Way.DESK), int(home.parts.now()))
    changed = home.parts.decisions.decide(counted, Event.APPROVE, who(home, "jean"))
    assert (changed.missing, state(home, counted)) == (1, State.HELD)
    assert (claim(home, decided), claim(home, counted)) == (None, None)
    (late,) = home.parts.claiming.claim((replace(decided, state=State.HELD),), who(home, "jean"))
    assert (late.happened, late.item.claim) == (False, None)


def test_of_two_who_claim_at_once_one_has_it(home: House) -> None:
    item, now = held(home), int(home.parts.now())
    first = home.parts.ledger.claims.take(item.id, Claim("a", "a", now))
    second = home.parts.ledger.claims.take(item.id, Claim("b", "b", now))
    assert [first[1], second[1]] == [True, False]
    assert second[0].claim == Claim("a", "a", now)
    with pytest.raises(LookupError):
        home.parts.ledger.claims.take(10**9, Claim("a", "a", now))


def test_programs_claim_and_give_back(home: House) -> None:
    item = held(home)
    path = f"/held/{item.name}/claim"
    with calling(home, "jean") as jean, calling(home, "helene") as helene, calling(home, "zoe") as zoe:
        problem(zoe.post(path), 404, "not-found")
        for _ in range(2):
            claimed = jean.post(path)
            assert (claimed.status_code, claimed.json()["claimed_by"]) == (200, JEAN)
        assert claimed.json()["claimed"].endswith("Z")
        other = problem(helene.post(path), 409, "claimed")
        assert other["current"]["claimed_by"] == JEAN
        assert helene.delete(path).json()["claimed_by"] == JEAN
        names = {
            wanted: item.name in jean.get("/held", params={"claim": wanted, "limit": 500}).text
            for wanted in ("any", "mine", "unclaimed")
        }
        assert names == {"any": True, "mine": True, "unclaimed": False}
        problem(jean.get("/held", params={"claim": "other"}), 422, "invalid")
        back = jean.delete(path).json()
        assert (back["claimed_by"], back["claimed"]) == ("", None)
        assert (
            helene.post(f"/held/{item.name}/decision", json={"decision": "reject"}).json()["state"]
            == "rejected"
        )
        problem(jean.post(path), 409, "decided")


def test_commands_show_it(home: House) -> None:
    item = held(home)
    home.parts.claiming.claim((item,), who(home, "jean"))
    listed = home.office.asked("held", "list")
    (one,) = [each for each in listed["messages"] if each["name"] == item.name]
    assert (one["claimed_by"], one["claimed"] is not None) == (JEAN, True)
    assert f"{JEAN} has been dealing with it" in " ".join(
        home.office.call("held", "show", item.name).stdout.split()
    )
