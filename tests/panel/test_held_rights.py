"""Who decides about held mail is asked of the directory at that moment, whatever the mirror still says; and where the
directory doesn't answer, nothing is decided and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from html import unescape

import pytest
from tests.membership.offices import GROUPS, PEOPLE
from tests.panel.calling import calling, person, problem
from tests.panel.filling import filled, form_of
from tests.panel.house import House, csrf, sent
from tests.panel.watching import held, link

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Action, Kind, digest
from groupmilter.moderation.answers import Answers
from groupmilter.moderation.decision import Problem
from groupmilter.moderation.entitlement import MayNotDecide, Sparing
from groupmilter.moderation.item import Arrival, Event, Item, State, Way, Who
from groupmilter.policy.facts import Strength

NO_LONGER = "You are not, or no longer, among those who decide about this group's mail."
OCTETS = b"Return-Path: <jean.dupont@masociete.example>\nSubject: Approve\n\n\n"
DOWN = "The directory can't be reached at the moment"


@contextmanager
def behind(home: House) -> Iterator[None]:
    """The mirror learns of nothing meanwhile: its database is locked."""
    with closing(sqlite3.connect(home.configuration.site.mirror, timeout=60)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        yield
        lock.rollback()


@contextmanager
def without(home: House, uid: str, group: str = "commercial") -> Iterator[None]:
    """Somebody moderates a group no longer, which the mirror doesn't know yet; in the end he does, and it knows."""
    dn, value = f"cn={group},{GROUPS}", f"dgModerator: uid={uid},{PEOPLE}"
    node = person(home, uid).node
    with behind(home):
        home.office.slapd.modify(f"dn: {dn}\nchangetype: modify\ndelete: dgModerator\n{value}\n")
        yield
    home.until(lambda: node not in home.group(group).moderators)
    home.office.slapd.modify(f"dn: {dn}\nchangetype: modify\nadd: dgModerator\n{value}\n")
    home.until(lambda: node in home.group(group).moderators)


def state(home: House, item: Item) -> State:
    found = home.parts.ledger.item(item.id)
    assert found is not None
    return found.state


def test_a_right_that_was_taken_away_a_moment_ago_is_gone_by_every_way(home: House) -> None:
    item, other = held(home), held(home)
    jean = person(home, "jean")
    with home.person("jean") as client, calling(home, "jean") as api, without(home, "jean"):
        page = client.get(f"/held/{item.name}")
        assert page.status_code == 200, "the mirror still shows it"
        one = client.post(f"/held/{item.name}", data={"csrf": csrf(page), "decision": "approve"})
        several = {"item": [item.name, other.name], "decision": "reject", "confirmed": "yes"}
        many = client.post("/held", data={"csrf": csrf(page), **several})
        for answer in (one, many):
            assert answer.status_code == 403
            assert NO_LONGER in unescape(answer.text)
            assert "Nothing was decided." in answer.text
        refused = problem(
            api.post(f"/held/{item.name}/decision", json={"decision": "reject"}), 403, "forbidden"
        )
        assert refused["detail"] == NO_LONGER
        url, form = link(home, item, jean)
        assert client.post(url, data=form, headers={"origin": home.url}).status_code == 403
        assert not answers(home).consider(answer_of(item, jean.uuid))
        assert {state(home, each) for each in (item, other)} == {State.HELD}
        # Who decides on the server needs no right in the directory.
        assert home.parts.decisions.decide(other, Event.REJECT, Who("root", Way.COMMAND)).happened
    assert home.parts.ledger.search.history(item)[-1].action == "record"


def test_owners_by_groups_and_administrators_are_found_in_the_directory_too(home: House) -> None:
    for uid in ("helene", "administrator", "sian"):
        item, who = held(home), person(home, uid)
        assert home.parts.decisions.decide(
            item, Event.APPROVE, Who(who.address, Way.PANEL, who.uuid)
        ).happened


def test_a_rule_may_name_who_decides_instead_of_the_moderators(home: House) -> None:
    item, jean, zoe = held(home), person(home, "jean"), person(home, "zoe")
    by_rule = replace(item, terms=replace(item.terms, moderators=(zoe.address,)))
    with pytest.raises(MayNotDecide):
        home.parts.decisions.require((by_rule,), Who(jean.address, Way.PANEL, jean.uuid))
    home.parts.decisions.require((by_rule,), Who(zoe.address, Way.PANEL, zoe.uuid))
    with pytest.raises(MayNotDecide):
        home.parts.decisions.require((item,), Who("nobody", Way.PANEL, "no-such-uuid"))


def test_without_the_directory_nothing_is_decided_and_what_was_typed_is_kept(home: House) -> None:
    item, jean = held(home), person(home, "jean")
    path = f"/held/{item.name}"
    with home.person("jean") as client, calling(home, "jean") as api:
        home.office.slapd.stop()
        try:
            answer = filled(client, path, {"decision": "reject", "reason": "Trop <long>"})
            url, form = link(home, item, jean)
            linked = client.post(
                url,
                data={**form, "decision": "reject", "reason": "Trop <long>"},
                headers={"origin": home.url},
            )
            problem(api.post(f"{path}/decision", json={"decision": "approve"}), 503, "directory")
        finally:
            home.office.slapd.start()
        for each in (answer, linked):
            assert each.status_code == 503
            assert each.headers["retry-after"] == "30"
            assert DOWN in unescape(each.text)
            assert "Trop &lt;long&gt;" in each.text
        assert state(home, item) is State.HELD
        assert form_of(answer, path)["decision"] == ["reject"]
        again = filled(client, path, page=answer)
        assert again.headers["location"] == f"{path}?said=message-rejected"
    assert home.parts.ledger.search.history(item)[-1].detail == "Trop <long>"


def answers(home: House) -> Answers:
    """What takes answers by mail, as the desk has it."""
    decisions = home.parts.decisions
    return Answers(home.parts.ledger, home.parts.lookups, decisions, home.parts.now, decisions.require)


def answer_of(item: Item, uuid: str) -> Arrival:
    """Somebody's approval by mail, proven by log-in."""
    return Arrival(
        ticket="t", content="c", file="f", kind=Kind.ANSWER, group=item.digest, sender=digest(uuid),
        strength=Strength.LOGIN, reason=Action.APPROVE, return_path="jean.dupont@masociete.example",
        message_id="<answer@masociete.example>",
    )  # fmt: skip


def test_a_decision_by_mail_waits_for_the_directory_and_what_it_is_about_does_not_expire(home: House) -> None:
    item, ledger = held(home), home.parts.ledger
    soon = int(home.parts.now()) + 60
    ledger.grant(soon, int(home.parts.now()))
    with ledger.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE item SET expires = {soon} WHERE id = {item.id}")
    taking, answer = answers(home), answer_of(item, person(home, "jean").uuid)
    home.office.slapd.stop()
    try:
        with pytest.raises(DirectoryUnknown):
            taking.consider(answer)
    finally:
        home.office.slapd.start()
    kept = ledger.item(item.id)
    assert kept is not None
    assert (kept.state, kept.terms.expires > soon + 1800) == (State.HELD, True)
    assert taking.consider(answer)
    taking.take(answer, OCTETS)
    assert state(home, item) is State.APPROVED
    assert taking.consider(answer), "what is decided needs nobody's word any more"


def test_whoever_may_not_decide_is_told_so_by_mail(home: House) -> None:
    item, jean = held(home), person(home, "jean")
    answers(home).take(answer_of(item, jean.uuid), OCTETS, may=False)
    assert state(home, item) is State.HELD
    row = home.parts.ledger.audit(action=f"token-{Problem.FOREIGN}")[-1]
    assert (row.actor, row.way) == (jean.address, "mail")


def test_the_desk_does_not_ask_again_at_once_where_nobody_answered() -> None:
    now, asked = [0.0], list[str]()

    def require(_: object, who: Who) -> None:
        asked.append(who.name)
        if now[0] < 100:
            raise DirectoryUnknown("nobody answers")

    sparing, who = Sparing(require, lambda: now[0]), Who("jean", Way.MAIL)
    for _ in range(3):
        with pytest.raises(DirectoryUnknown, match="nobody answers"):
            sparing((), who)
    assert len(asked) == 1
    now[0] = 200.0
    sparing((), who)
    sparing((), who)
    assert len(asked) == 3


def test_the_page_of_somebody_who_may_not_leads_back(home: House) -> None:
    item = held(home)
    with home.person("jean", "fr") as client, without(home, "jean"):
        answer = sent(client, f"/held/{item.name}", decision="approve")
    assert "Rien n’a été décidé" in answer.text
    assert 'href="/held"' in answer.text
