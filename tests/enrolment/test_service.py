"""The service over a real directory: what is asked, decided, withdrawn and written, and who is told of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.enrolment.clubs import (
    ANAIS,
    ARCTIC,
    BOARD,
    BOB,
    CRISIS,
    EVERYBODY,
    HELENE,
    JEAN,
    JOSE,
    NEWS,
    SALES,
    STRANGER,
    SUPPORT,
    TEAM,
    ZOE,
    Club,
)
from tests.membership.offices import GROUPS, PEOPLE

from groupmilter.enrolment.verdict import Verdict, Why
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.membership.authority import Forbidden
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.request import Stage, Wanted

OWNER = Who(ZOE, Way.PANEL)
HOUR = 3600


def test_an_open_group_is_joined_and_left_at_once(club: Club) -> None:
    club.rule("support", dgJoinPolicy="open")
    joined = club.ask(JEAN, SUPPORT)
    assert (joined.answer.verdict, joined.done) == (Verdict.AT_ONCE, True)
    assert f"uid=jean,{PEOPLE}" in club.office.values("support", "member")
    club.look_again()
    assert club.ask(JEAN, SUPPORT).answer.why is Why.MEMBER
    assert club.ask(JEAN, SUPPORT, Wanted.LEAVE).done
    assert f"uid=jean,{PEOPLE}" not in club.office.values("support", "member")
    assert club.told() == []


def test_an_owner_decides_where_the_group_wants_it_and_who_asked_is_told(club: Club) -> None:
    asked = club.ask(JEAN, ARCTIC, reason="J'y travaille.")
    assert asked.request is not None
    assert asked.request.stage is Stage.WAITING
    assert club.told() == [("request", ZOE)]
    assert not club.ask(JEAN, ARCTIC).new
    assert club.service.pending(club.person(ZOE)) == (asked.request,)
    assert club.service.pending(club.person(BOB)) == ()
    assert (club.service.waiting(club.person(ZOE)), club.service.waiting(club.person(BOB))) == (1, 0)
    assert club.service.may(club.person(ZOE), asked.request)
    assert not club.service.may(club.person(JEAN), asked.request)

    decided = club.service.decide(asked.request, True, OWNER)
    assert (decided.happened, decided.request.stage) == (True, Stage.DONE)
    assert f"uid=jean,{PEOPLE}" in club.office.values("projet-arctique", "member")
    assert ("outcome", JEAN) in club.told()
    late = club.service.decide(asked.request, False, Who(ANAIS, Way.COMMAND))
    assert (late.happened, late.request.decided_by) == (False, ZOE)
    rows = [(row.action, row.actor, row.before, row.after) for row in club.office.journal()]
    assert rows == [
        ("request-join", JEAN, "", "waiting"),
        ("request-accept", ZOE, "waiting", "accepted"),
        ("group-edit", ZOE, rows[2][2], rows[2][3]),
        ("request-finish", ZOE, "accepted", "done"),
    ]


def test_a_rejection_bears_its_reason_and_changes_nothing(club: Club) -> None:
    asked = club.ask(JEAN, ARCTIC)
    assert asked.request is not None
    before = club.office.values("projet-arctique", "member")
    turned = club.service.decide(asked.request, False, OWNER, "Complet.")
    assert (turned.request.stage, turned.request.comment) == (Stage.REJECTED, "Complet.")
    assert club.office.values("projet-arctique", "member") == before
    assert ("outcome", JEAN) in club.told()
    # Who was rejected may ask again.
    assert club.ask(JEAN, ARCTIC).new


def test_who_asked_can_think_better_of_it(club: Club) -> None:
    asked = club.ask(JEAN, ARCTIC)
    assert asked.request is not None
    assert club.service.of(club.person(JEAN)) == (asked.request,)
    assert club.service.withdraw(asked.request, Who(JEAN, Way.PANEL)).happened
    assert not club.service.decide(asked.request, True, OWNER).happened
    assert club.service.of(club.person(JEAN)) == ()


@pytest.mark.parametrize(
    ("who", "group", "wanted", "why"),
    [
        (JEAN, BOARD, Wanted.JOIN, Why.CLOSED),
        (HELENE, BOARD, Wanted.LEAVE, Why.CLOSED),
        (STRANGER, ARCTIC, Wanted.JOIN, Why.OUTSIDER),
        (JEAN, SALES, Wanted.LEAVE, Why.RULED),
        (BOB, ARCTIC, Wanted.LEAVE, Why.NO_MEMBER),
        (JOSE, ARCTIC, Wanted.JOIN, Why.MEMBER),
        (TEAM, ARCTIC, Wanted.JOIN, Why.GROUP),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    club: Club, who: str, group: str, wanted: Wanted, why: Why
) -> None:
    found = club.ask(who, group, wanted)
    assert (found.answer.verdict, found.answer.why, found.request) == (Verdict.REFUSED, why, None)
    assert club.told() == []


def test_who_is_in_by_another_group_learns_by_which(club: Club) -> None:
    club.rule("tous", dgLeavePolicy="open")
    found = club.ask(ZOE, EVERYBODY, Wanted.LEAVE)
    assert (found.answer.why, found.answer.through) == (Why.NESTED, (TEAM,))


def test_a_hidden_group_is_like_none(club: Club) -> None:
    assert club.ask(JEAN, CRISIS).answer == club.ask(JEAN, "nobody@masociete.example").answer
    assert club.ask(HELENE, CRISIS, Wanted.LEAVE).answer.why is Why.NESTED


def test_an_outsider_confirms_first_and_stands_in_the_list_by_his_address(club: Club) -> None:
    asked = club.ask(STRANGER, NEWS, way=Way.MAIL, proven=False)
    assert asked.request is not None
    assert asked.request.stage is Stage.UNCONFIRMED
    assert club.told() == [("confirm", STRANGER)]
    confirmed = club.service.confirm(asked.request, Who(STRANGER, Way.MAIL))
    assert confirmed.request is not None
    assert confirmed.new
    done = club.service.carry_out(confirmed.request, Who(STRANGER, Way.MAIL))
    assert done.stage is Stage.DONE
    assert STRANGER in club.office.values("newsletter", "dgMemberAddress")
    assert not club.service.confirm(asked.request, Who(STRANGER, Way.MAIL)).new
    club.look_again()
    assert club.ask(STRANGER, NEWS, Wanted.LEAVE).done
    assert STRANGER not in club.office.values("newsletter", "dgMemberAddress")


@pytest.mark.parametrize("wanted", list(Wanted))
def test_what_somebody_else_asked_in_his_name_keeps_nobody_from_asking_himself(
    club: Club, wanted: Wanted
) -> None:
    """Anybody can write under a forged address; it waits to be confirmed, and must not stand in the way."""
    who, group = (JEAN, ARCTIC) if wanted is Wanted.JOIN else (JOSE, ARCTIC)
    club.rule("projet-arctique", dgLeavePolicy="approval")
    forged = club.ask(who, group, wanted, Way.MAIL, "Forged.", proven=False).request
    assert forged is not None
    assert forged.stage is Stage.UNCONFIRMED
    asked = club.ask(who, group, wanted, reason="My own words.")
    assert asked.new
    assert asked.request is not None
    assert (asked.request.stage, asked.request.reason) == (Stage.WAITING, "My own words.")
    assert ("request", ZOE) in club.told()
    assert club.ledger.requests.by_digest(forged.digest) is None
    # What is under way is not thrown back by the next forgery.
    again = club.ask(who, group, wanted, Way.MAIL, "Forged.", proven=False)
    assert again.request is not None
    assert again.request.stage is Stage.WAITING


def test_somebody_gets_only_so_many_letters_that_ask_to_confirm(club: Club) -> None:
    for _ in range(5):
        club.ask(STRANGER, NEWS, way=Way.MAIL, proven=False)
    assert club.told() == [("confirm", STRANGER)] * 3
    assert [row.action for row in club.office.journal("confirmation-withheld")] == [
        "confirmation-withheld"
    ] * 2
    club.now += HOUR + 1
    club.ask(STRANGER, NEWS, way=Way.MAIL, proven=False)
    assert club.told() == [("confirm", STRANGER)] * 4


def test_whoever_forges_many_addresses_leaves_room_for_others(club: Club) -> None:
    def wish(address: str, client: str) -> None:
        applicant = club.service.applicant(address, proven=False)
        club.service.ask(NEWS, applicant, Wanted.JOIN, "", Who(address, Way.MAIL), client)

    for number in range(25):
        wish(f"victim{number}@host{number}.example", "203.0.113.9")
    assert len(club.told()) == 20
    wish(STRANGER, "198.51.100.7")
    assert club.told()[20:] == [("confirm", STRANGER)]
    withheld = club.office.journal("confirmation-withheld")
    assert len(withheld) == 5
    assert {(row.origin, row.detail.rpartition(" ")[2]) for row in withheld} == {("203.0.113.9", "(client)")}


def test_what_nobody_confirms_is_forgotten(club: Club) -> None:
    asked = club.ask(STRANGER, NEWS, way=Way.MAIL, proven=False)
    assert asked.request is not None
    club.now = asked.request.expires
    [due] = club.ledger.requests.expiring(int(club.now))
    assert club.service.expire(due).happened
    assert club.ledger.requests.get(due.id) is None


def test_a_request_expires_and_who_asked_is_told(club: Club) -> None:
    asked = club.ask(JEAN, ARCTIC)
    assert asked.request is not None
    assert asked.request.expires - asked.request.asked == 14 * 24 * HOUR
    club.now = asked.request.remind
    assert club.ledger.requests.to_remind(int(club.now)) == (asked.request,)
    club.now = asked.request.expires
    [due] = club.ledger.requests.expiring(int(club.now))
    assert club.service.expire(due).request.stage is Stage.EXPIRED
    assert ("outcome", JEAN) in club.told()


@pytest.mark.parametrize("way", [Way.PANEL, Way.API, Way.LINK, Way.MAIL])
@pytest.mark.parametrize("accept", [True, False])
def test_nothing_is_decided_while_the_directory_cannot_say_who_may(
    club: Club, way: Way, accept: bool
) -> None:
    asked = club.ask(JEAN, ARCTIC)
    assert asked.request is not None
    club.office.slapd.stop()
    try:
        with pytest.raises(DirectoryUnknown):
            club.service.decide(asked.request, accept, Who(ZOE, way))
        assert club.again(asked.request) == asked.request
        assert ("outcome", JEAN) not in club.told()
    finally:
        club.office.slapd.start()
    assert club.service.decide(asked.request, accept, Who(ZOE, way)).happened


@pytest.mark.parametrize("way", [Way.PANEL, Way.API, Way.LINK, Way.MAIL])
@pytest.mark.parametrize("accept", [True, False])
def test_whoever_is_no_owner_any_more_decides_nothing(club: Club, way: Way, accept: bool) -> None:
    """The mirror may be seconds old: the directory is asked."""
    asked = club.ask(JEAN, ARCTIC).request
    zoe = club.person(ZOE)
    assert asked is not None
    club.office.slapd.modify(f"dn: cn=projet-arctique,{GROUPS}\nreplace: owner\nowner: uid=anais,{PEOPLE}\n")
    try:
        assert club.service.may(zoe, asked), "as far as the mirror knows"
        for who in (Who(ZOE, way, zoe.uuid), Who(ZOE, way), Who("nobody@masociete.example", way)):
            with pytest.raises(Forbidden):
                club.service.decide(asked, accept, who)
        assert club.again(asked).stage is Stage.WAITING
        assert club.told() == [("request", ZOE)]
    finally:
        club.office.slapd.modify(
            f"dn: cn=projet-arctique,{GROUPS}\nreplace: owner\nowner: uid=zoe,{PEOPLE}\n"
        )


@pytest.mark.parametrize(
    ("attribute", "wanted"), [("dgJoinPolicy", Wanted.JOIN), ("dgLeavePolicy", Wanted.LEAVE)]
)
def test_a_group_that_was_open_a_moment_ago_is_not_joined_or_left(
    club: Club, attribute: str, wanted: Wanted
) -> None:
    club.rule("projet-arctique", **{attribute: "open"})
    club.office.slapd.replace(f"cn=projet-arctique,{GROUPS}", {attribute: "closed"})
    before = club.office.values("projet-arctique", "member")
    try:
        asked = club.ask(JEAN if wanted is Wanted.JOIN else JOSE, ARCTIC, wanted)
        assert asked.answer.verdict is Verdict.AT_ONCE, "as far as the mirror knows"
        assert asked.request is not None
        assert asked.request.stage is Stage.FAILED
        assert club.office.values("projet-arctique", "member") == before
    finally:
        club.rule("projet-arctique", **{attribute: "approval"})


def test_what_the_directory_cannot_take_now_is_tried_again(club: Club) -> None:
    asked = club.ask(JEAN, ARCTIC)
    assert asked.request is not None
    accepted = club.service.decide(asked.request, True, Who(ZOE, Way.MAIL)).request
    club.office.slapd.stop()
    try:
        request = club.service.carry_out(accepted, OWNER)
        assert request.stage is Stage.ACCEPTED
        assert request.note
        assert request.next_attempt > club.now
        assert ("outcome", JEAN) not in club.told()
    finally:
        club.office.slapd.start()
    club.now = request.next_attempt
    [due] = club.ledger.requests.to_write(int(club.now))
    assert club.service.carry_out(due, OWNER).stage is Stage.DONE
    assert f"uid=jean,{PEOPLE}" in club.office.values("projet-arctique", "member")
    assert ("outcome", JEAN) in club.told()


def test_two_owners_at_once_decide_once(club: Club) -> None:
    asked = club.ask(JEAN, ARCTIC)
    request = asked.request
    assert request is not None
    start = threading.Barrier(2)

    def decide(way: Way) -> bool:
        start.wait()
        return club.service.decide(request, False, Who(ZOE, way)).happened

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, (Way.PANEL, Way.LINK))) == [False, True]
