"""Held messages in the panel: who sees what, deciding one or several, whoever comes late, senders remembered."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.panel.calling import person
from tests.panel.house import House, csrf, sent
from tests.panel.watching import PLAIN, held, link

from groupmilter import bootstrap
from groupmilter.moderation.circle import called
from groupmilter.moderation.item import DESK, Event, Item, State, Way, Who
from groupmilter.moderation.remembering import BY_RULE
from groupmilter.moderation.rows import About, Letter
from groupmilter.moderation.transitions import WAITING
from groupmilter.panel.holding import visible
from groupmilter.panel.waiting import waiting
from groupmilter.policy.facts import Strength

HELENE = Who("helene.lefevre@masociete.example", Way.COMMAND)


def state(home: House, item: Item) -> State:
    found = home.parts.ledger.item(item.id)
    assert found is not None
    return found.state


def test_moderators_owners_and_administrators_see_what_waits_and_nobody_else(home: House) -> None:
    item = held(home)
    for uid, sees in (
        ("jean", True),
        ("helene", True),
        ("administrator", True),
        ("pierre", False),
        ("zoe", False),
    ):
        with home.person(uid) as client:
            listed = client.get("/held").text + client.get("/held?state=decided").text
            assert (item.name in listed) is sees, uid
            for path in ("", "/html", "/original"):
                expected = 404 if not sees or path == "/html" else 200
                assert client.get(f"/held/{item.name}{path}").status_code == expected, (uid, path)
            answer = client.post(
                f"/held/{item.name}", data={"csrf": csrf(client.get("/account")), "decision": "approve"}
            )
            assert answer.status_code == (303 if sees and uid == "jean" else 409 if sees else 404)
    assert state(home, item) is State.APPROVED


def test_the_navigation_counts_what_waits_for_whoever_looks(home: House) -> None:
    item = held(home)
    with home.person("jean") as client, home.person("zoe") as other:
        before = _counted(client.get("/account").text)
        assert before > 0
        assert "Held messages, " not in other.get("/account").text
        held(home)
        assert _counted(client.get("/account").text) == before + 1
        assert _counted(sent(client, f"/held/{item.name}").text) == before + 1, "on a page of errors too"
        sent(client, f"/held/{item.name}", decision="reject")
        assert _counted(client.get("/groups").text) == before
    with home.anybody() as nobody:
        assert 'waiting"' not in nobody.get("/login").text


def test_as_many_are_counted_as_are_listed_what_was_put_aside_too(home: House) -> None:
    item = held(home)
    aside = replace(item.arrival, ticket="of-nobody", file="of-nobody", group=0)
    home.parts.ledger.record(aside, item.terms, State.SHUNTED, item.recorded)
    counts = []
    for uid in ("jean", "administrator", "zoe"):
        somebody = person(home, uid)
        counts.append(waiting(home.parts, somebody).held)
        listed = visible(home.parts, somebody, WAITING)
        assert home.parts.ledger.overview.count(listed) == counts[-1], uid
    assert counts[1] > counts[0] > counts[2]


def test_letters_call_a_group_as_people_see_it(home: House) -> None:
    item = held(home)
    assert called(item.terms.group_address, home.parts.lookups) == home.group("commercial").name
    assert called("nobody@masociete.example", home.parts.lookups) == "nobody"


def _counted(page: str) -> int:
    found = re.search(
        r'aria-label="Held messages, (\d+) waiting">Held messages <span class="count" aria-hidden="true">\1<',
        page,
    )
    return int(found[1]) if found else 0


def test_a_message_tells_what_a_decision_needs(home: House) -> None:
    item = held(home, strength=Strength.DMARC)
    with home.person("jean") as client:
        page = client.get(f"/held/{item.name}").text
    for wanted in (
        "Marie Martin &lt;marie@partner.example&gt;", "Proven by the sender&#39;s domain (DMARC).",
        "messages to this group need approval", "Jean Dupont", "Hélène Lefèvre", "(Owner)", item.name, "\n  see you.",
        f"/groups/{home.group('commercial').uuid}", "Message held",
    ):  # fmt: skip
        assert wanted in page, wanted
    assert "<iframe" not in page


def test_a_rejection_goes_with_its_reason(home: House) -> None:
    item, other = held(home), held(home)
    with home.person("jean") as client:
        answer = sent(client, f"/held/{item.name}", decision="reject", reason="  Too\x00 loud.\r\nSorry ")
        assert answer.headers["location"] == f"/held/{item.name}?said=message-rejected"
        assert "Rejected: the message goes to nobody." in client.get(answer.headers["location"]).text
        sent(client, f"/held/{other.name}", decision="reject", canned="This is already known to the group.")
    rows = home.parts.ledger.search.history(item)
    assert [(row.action, row.actor, row.way, row.origin) for row in rows][-1] == (
        "reject", "jean.dupont@masociete.example", "panel", "127.0.0.1",
    )  # fmt: skip
    assert rows[-1].detail == "Too loud.\nSorry"
    assert home.parts.ledger.search.history(other)[-1].detail == "This is already known to the group."


@pytest.mark.parametrize(
    ("fields", "wrong"), [({}, "decision"), ({"decision": "reject", "reason": "x" * 2001}, "reason")]
)
def test_what_is_missing_is_named_and_what_was_typed_stays(
    home: House, fields: dict[str, str], wrong: str
) -> None:
    item = held(home)
    with home.person("jean", "fr") as client:
        answer = sent(client, f"/held/{item.name}", **{"reason": "Parce que <b>", **fields})
    assert answer.status_code == 422
    assert f'id="{wrong}-wrong"' in answer.text
    assert (fields.get("reason") or "Parce que &lt;b&gt;") in answer.text
    assert state(home, item) is State.HELD


def test_who_comes_late_is_told_who_decided(home: House) -> None:
    item = held(home)
    with home.person("jean") as client:
        token = csrf(client.get(f"/held/{item.name}"))
        home.parts.ledger.change(item.id, Event.REJECT, HELENE, int(home.parts.now()), comment="Not now")
        answer = client.post(f"/held/{item.name}", data={"csrf": token, "decision": "approve"})
    assert answer.status_code == 409
    assert "Your decision came too late and changes nothing." in answer.text
    assert "helene.lefevre@masociete.example" in answer.text
    assert "Reason given: <bdi>Not now</bdi>" in answer.text
    assert 'name="decision"' not in answer.text
    assert state(home, item) is State.REJECTED


def test_several_are_decided_after_a_page_that_asks(home: House) -> None:
    one, two, three = held(home), held(home), held(home)
    names = [one.name, two.name, "nonesuch"]
    with home.person("jean") as client:
        asked = sent(client, "/held", item=names, decision="reject")
        assert asked.status_code == 200
        assert "Reject these messages?" in asked.text
        assert "if-reject" not in asked.text, "the reason is in sight"
        assert set(re.findall(r'name="item" value="([^"]+)"', asked.text)) == {one.name, two.name}
        assert {state(home, each) for each in (one, two, three)} == {State.HELD}
        home.parts.ledger.change(two.id, Event.APPROVE, HELENE, int(home.parts.now()))
        confirmed = {"item": names, "decision": "reject", "confirmed": "yes", "reason": "Spam"}
        late = client.post("/held", data={"csrf": csrf(asked), **confirmed})
        assert late.status_code == 409
        assert two.name in late.text
        assert one.name not in late.text
        done = sent(client, "/held", item=[three.name], decision="approve", confirmed="yes")
        assert done.headers["location"] == "/held?said=messages-approved"
        none = sent(client, "/held", decision="approve")
        assert none.headers["location"] == "/held?said=no-message-chosen"
        assert 'class="box warn said"' in client.get(none.headers["location"]).text, "nothing was done"
        assert 'class="box good said"' in client.get(done.headers["location"]).text
    assert [state(home, each) for each in (one, two, three)] == [
        State.REJECTED,
        State.APPROVED,
        State.APPROVED,
    ]


def test_all_of_a_page_are_chosen_at_once_without_scripts(home: House) -> None:
    items = [held(home) for _ in range(3)]
    with home.person("jean") as client:
        page = client.get("/held").text
        assert not _ticked(page)
        chosen = client.get(_leads(page, "Choose all that are shown here")).text
        assert _ticked(chosen) >= {item.name for item in items}
        assert _ticked(chosen) == set(re.findall(r'name="item" value="([^"]+)"', chosen))
        assert not _ticked(client.get(_leads(chosen, "Choose none")).text)
        assert not _ticked(client.get("/held?state=decided&ticked=1").text)
        assert not _ticked(client.get("/held?ticked=2").text), "of another page"
    assert {state(home, item) for item in items} == {State.HELD}


def _leads(page: str, words: str) -> str:
    [found] = re.findall(rf'<a href="([^"]+)">{words}</a>', page)
    return html.unescape(found)


def _ticked(page: str) -> set[str]:
    return set(re.findall(r'name="item" value="([^"]+)" checked', page))


def test_nobody_decides_several_that_are_not_his(home: House) -> None:
    item = held(home)
    with home.person("pierre") as client:
        token = csrf(client.get("/account"))
        data = {"csrf": token, "item": item.name, "decision": "approve", "confirmed": "yes"}
        assert client.post("/held", data=data).headers["location"] == "/held?said=no-message-chosen"
    assert state(home, item) is State.HELD


def test_decided_messages_and_groups_are_filters(home: House) -> None:
    item = held(home)
    home.parts.ledger.change(item.id, Event.EXPIRE, DESK, int(home.parts.now()))
    with home.person("jean") as client:
        assert item.name not in client.get("/held").text
        assert item.name in client.get("/held?state=decided").text
        assert item.name not in client.get("/held?state=decided&group=contact@masociete.example").text
        page = client.get(f"/held/{item.name}").text
    assert "Nobody decided in time" in page
    with home.person("zoe") as client:
        assert "Nothing waits for you." in client.get("/held").text


def test_an_owner_has_a_sender_remembered_on_his_own_behalf(home: House) -> None:
    message = PLAIN.replace(b"marie@partner.example>\nSub", b"nina@new.example>\nSub")
    item = held(home, message, strength=Strength.DMARC)
    with home.person("jean") as client:
        assert 'name="allow"' not in client.get(f"/held/{item.name}").text, "a moderator is no owner"
    with home.person("helene") as client:
        page = client.get(f"/held/{item.name}").text
        assert ("nina@new.example" in page, "others go on waiting" in page) == (True, True)
        answer = sent(client, f"/held/{item.name}", decision="approve", allow="yes")
        assert answer.headers["location"] == f"/held/{item.name}?said=sender-allowed"
        assert "proven to be his needs no approval" in client.get(answer.headers["location"]).text
    assert "nina@new.example" in home.office.values("commercial", "dgModerationBypassAddress")
    row = home.parts.ledger.audit(action="group-edit")[-1]
    assert (row.actor, row.way, row.group) == (
        "helene.lefevre@masociete.example",
        "panel",
        "commercial@masociete.example",
    )


def test_a_rule_holds_whoever_sends_so_always_allow_is_not_offered(home: House) -> None:
    item = held(home, PLAIN.replace(b"marie@partner.example>\nSub", b"lou@new.example>\nSub"))
    repeat = replace(item, terms=replace(item.terms, why="replay"))
    assert home.parts.decisions.unremembered(item, allow=True) is None
    assert home.parts.decisions.unremembered(repeat, allow=True) == BY_RULE
    assert home.parts.decisions.unremembered(repeat, allow=False) is None


def test_a_moderator_who_adds_the_field_himself_has_nobody_remembered(home: House) -> None:
    item = held(
        home, PLAIN.replace(b"marie@partner.example>\nSub", b"mo@new.example>\nSub"), strength=Strength.DMARC
    )
    with home.person("jean") as client:
        answer = sent(client, f"/held/{item.name}", decision="reject", block="yes")
    assert "Only owners of the group may do that." in answer.text
    assert "mo@new.example" not in home.office.values("commercial", "dgDeniedSenderAddress")
    assert state(home, item) is State.REJECTED


def test_behind_a_link_too_the_directory_says_who_has_a_sender_remembered(home: House) -> None:
    """Whatever the mirror said when the link was opened: it may be seconds old."""
    message = PLAIN.replace(b"marie@partner.example>\nSub", b"ida@new.example>\nSub")
    item = held(home, message, strength=Strength.DMARC)
    for uid, refusal in (("jean", "Only owners of the group may do that."), ("helene", None)):
        somebody = person(home, uid)
        who = Who(somebody.address, Way.LINK, somebody.uuid)
        assert home.parts.decisions.remember(item, who, True) == refusal
        there = "ida@new.example" in home.office.values("commercial", "dgModerationBypassAddress")
        assert there is (refusal is None)
    row = home.parts.ledger.audit(action="group-edit")[-1]
    assert (row.actor, row.way) == ("helene.lefevre@masociete.example", "link")


def test_an_unproven_address_of_our_own_is_never_blocked(home: House) -> None:
    item = held(home, PLAIN.replace(b"marie@partner.example>\nSub", b"pierre.durand@masociete.example>\nSub"))
    with home.person("helene") as client:
        page = client.get(f"/held/{item.name}").text
        assert 'name="block"' not in page, "what would be refused isn't offered"
        assert "This sender can&#39;t be always blocked from here. That is an address of this" in page
        answer = sent(client, f"/held/{item.name}", decision="reject", block="yes")
    assert "nobody has proven that the message comes from there" in answer.text
    assert state(home, item) is State.REJECTED


def test_the_original_is_only_ever_saved(home: House) -> None:
    item = held(home, PLAIN)
    with home.person("jean") as client:
        answer = client.get(f"/held/{item.name}/original")
    assert answer.content == PLAIN
    assert answer.headers["content-disposition"] == f'attachment; filename="{item.name}.eml"'
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_message_whose_file_is_gone_says_so(home: House) -> None:
    item = held(home)
    Path(bootstrap.mailbox(home.configuration).find(item.arrival.file)).unlink()
    with home.person("jean") as client:
        page = client.get(f"/held/{item.name}")
        assert page.status_code == 200
        assert "The message itself is no longer there" in page.text
        assert client.get(f"/held/{item.name}/original").status_code == 404
        assert client.get("/held/nonesuch00").status_code == 404


def test_where_two_have_to_approve_the_first_is_told_and_a_link_of_the_second_decides(home: House) -> None:
    item = held(home, approvals=2)
    with home.person("jean") as client:
        answer = sent(client, f"/held/{item.name}", decision="approve")
        assert answer.headers["location"] == f"/held/{item.name}?said=message-counted&number=1"
        page = client.get(answer.headers["location"]).text
        assert "Your approval is counted. Approvals of others that are still missing: 1." in page
        assert "1 of 2" in page
        assert "1 of 2" in client.get("/held").text
        several = sent(client, "/held", item=item.name, decision="approve", confirmed="yes")
        assert several.headers["location"] == "/held?said=messages-counted&number=1"
        again = by_link(home, client, item, "jean")
        assert "Your approval is counted." in again
        assert "Approvals of others that are missing: 1." in again
        assert state(home, item) is State.HELD
        assert "<h1>Approved</h1>" in by_link(home, client, item, "helene")
    assert state(home, item) is State.APPROVED


def by_link(home: House, client: httpx.Client, item: Item, uid: str) -> str:
    """Approve by the link of somebody's letter; return the page that answers."""
    url, form = link(home, item, person(home, uid))
    return client.post(url, data=form, headers={"origin": home.url}).text


def test_a_letter_that_came_back_is_told_with_the_reason(home: House) -> None:
    item, letters, now = held(home), home.parts.ledger.letters, int(home.parts.now())
    address = "jean.dupont@masociete.example"
    letters.plan([Letter(0, item.id, "request", address, "Jean", "fr", "uuid", 0, now, "0")])
    [planned] = [one for one in letters.due(now, address=address) if one.item_id == item.id]
    letters.sent([planned.id], now)
    about = About(item.digest, item.name, item.terms.group_address, item.terms.group_uuid)
    letters.returned(planned, about, now, "5.1.1 no such user")
    with home.person("helene") as client:
        page = client.get(f"/held/{item.name}").text
    assert "came back" in page
    assert "5.1.1 no such user" in page
    assert "Letter came back" in page
