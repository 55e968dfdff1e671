"""What was put aside, of no group that is known: shown to who administers everything, with what can be done."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from tests.panel.calling import at_fault, calling, person, problem
from tests.panel.house import House, csrf, sent
from tests.panel.test_held_rights import state
from tests.panel.watching import PLAIN, held, link

from groupmilter import bootstrap
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.item import Event, Item, State, Terms, Who
from groupmilter.moderation.item import Way as By
from groupmilter.panel.put_aside import aside

SERVICE = "groups.masociete.example"


def stray(home: House, number: int, to: str = "nobody@masociete.example") -> Item:
    """A message in the hold mailbox with no ticket of ours, recorded as the desk does."""
    octets = b"Return-Path: <marie@partner.example>\nDelivered-To: %s\n%s" % (to.encode(), PLAIN)
    name = f"1795540000.{number}.stray"
    box = bootstrap.mailbox(home.configuration)
    box.prepare()
    Path(box.path, "new").mkdir(exist_ok=True)
    Path(box.path, "new", name).write_bytes(octets)
    arrival = read_arrival(octets, name, bootstrap.ticket_keys(home.configuration.keys), SERVICE)
    assert arrival.kind is None
    now = int(home.parts.now())
    return home.parts.ledger.record(arrival, Terms(), State.SHUNTED, now, f"no ticket of ours: {to}").item


def test_who_administers_everything_sees_it_and_nobody_else(home: House) -> None:
    item = stray(home, 1)
    path = f"/held/{item.name}"
    for uid, sees in (("administrator", True), ("jean", False), ("zoe", False)):
        with home.person(uid) as client, calling(home, uid) as api:
            assert (item.name in client.get("/held").text) is sees, uid
            assert (item.name in api.get("/held", params={"limit": 500}).text) is sees
            assert client.get(path).status_code == (200 if sees else 404)
    with home.person("administrator") as client:
        page = unescape(client.get(path).text)
        assert item.name in client.get("/held?state=waiting").text
    for said in (
        "Put aside", "Why it was put aside:", "It bears no ticket of ours", "nobody@masociete.example",
        "groupmilter held rebuild", "save the original, send it on yourself", "Offer for autumn", "(Administrator)",
    ):  # fmt: skip
        assert said in page, said
    assert 'value="approve"' not in page, "there is no group to which it could go"


def test_it_can_only_be_rejected(home: House) -> None:
    item, waits = stray(home, 2), held(home)
    path = f"/held/{item.name}"
    with home.person("administrator") as client:
        assert sent(client, path, decision="approve").status_code == 422
        alone = sent(client, "/held", item=item.name, decision="approve")
        assert alone.headers["location"] == "/held?said=goes-nowhere"
        both = sent(client, "/held", item=[item.name, waits.name], decision="approve")
        assert "Left out: there is no group any more" in both.text
        assert f'name="item" value="{item.name}"' not in both.text
        assert state(home, item) is State.SHUNTED
        done = client.post(path, data={"csrf": csrf(both), "decision": "reject"})
        assert done.headers["location"] == f"{path}?said=message-rejected"
    assert state(home, item) is State.REJECTED


def test_by_the_api_it_can_only_be_rejected_too(home: House) -> None:
    item, waits = stray(home, 3), held(home)
    path = f"/held/{item.name}/decision"
    with calling(home, "administrator", language="fr") as api:
        wrong = at_fault(problem(api.post(path, json={"decision": "approve"}), 422, "invalid"))
        assert wrong == {"decision": "Il n’y a plus de groupe auquel le remettre."}
        several = {"names": [item.name, waits.name], "decision": "approve"}
        wrong = at_fault(problem(api.post("/held", json=several), 422, "invalid"))
        assert item.name in wrong["decision"]
        assert waits.name not in wrong["decision"]
        assert (state(home, item), state(home, waits)) == (State.SHUNTED, State.HELD), "all or none"
        assert api.post(path, json={"decision": "reject"}).status_code == 200
    assert state(home, item) is State.REJECTED


def test_by_link_it_can_only_be_rejected_too(home: House) -> None:
    item = stray(home, 4)
    lasting = replace(item, terms=Terms(expires=int(home.parts.now()) + 3600))
    url, form = link(home, lasting, person(home, "administrator"))
    with home.anybody() as client:
        answer = client.post(url, data=form, headers={"origin": home.url})
        assert (answer.status_code, "This message can&#39;t be approved" in answer.text) == (409, True)
        assert "It can only be rejected." in answer.text
    assert state(home, item) is State.SHUNTED


def test_what_could_not_be_delivered_says_why_to_its_moderators(home: House) -> None:
    item, by = held(home), Who("root", By.COMMAND)
    now = int(home.parts.now())
    home.parts.ledger.change(item.id, Event.APPROVE, by, now)
    home.parts.ledger.change(item.id, Event.SHUNT, by, now, note="554 5.7.1 <b>no</b>")
    with home.person("jean", "fr") as client:
        page = client.get(f"/held/{item.name}").text
        assert "Il n’a pas pu être remis" in page
        assert "554 5.7.1 &lt;b&gt;no&lt;/b&gt;" in page
        again = sent(client, f"/held/{item.name}", decision="approve")
    assert again.headers["location"].endswith("said=message-approved")


@pytest.mark.parametrize(
    ("note", "goes", "why"),
    [
        ("its group is gone", False, "no longer in the directory"),
        ("a ticket that was used for another message", True, "belongs to another message"),
        ("no ticket of ours: a@b", True, "no ticket of ours"),
        ("550 gone", False, "no longer in the directory"),
        ("550 5.1.1", True, "couldn't be delivered"),
    ],
)
def test_each_reason_has_its_words(home: House, note: str, goes: bool, why: str) -> None:
    item = replace(held(home), state=State.SHUNTED, note=note)
    found = aside(item, goes=goes)
    assert found is not None
    assert why in found.why
    assert aside(replace(item, state=State.HELD), goes=goes) is None
