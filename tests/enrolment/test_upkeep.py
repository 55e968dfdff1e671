"""What the desk does about requests at each turn, over a real directory."""

from __future__ import annotations

import pytest
import structlog
from tests.enrolment.clubs import ARCTIC, JEAN, NEWS, STRANGER, ZOE, Club
from tests.membership.offices import GROUPS, PEOPLE

from groupmilter.enrolment.upkeep import Upkeep
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.request import Request, Stage


@pytest.fixture
def upkeep(club: Club) -> Upkeep:
    """The steps, by the club's clock."""
    log = structlog.get_logger()
    return Upkeep(club.service, Attempts(log), lambda: club.now, log)


def waiting(club: Club) -> Request:
    asked = club.ask(JEAN, ARCTIC).request
    assert asked is not None
    return asked


def test_what_is_accepted_by_mail_is_written_at_the_next_turn(club: Club, upkeep: Upkeep) -> None:
    asked = waiting(club)
    club.service.decide(asked, True, Who(ZOE, Way.MAIL))
    assert f"uid=jean,{PEOPLE}" not in club.office.values("projet-arctique", "member")
    assert upkeep.carry_out()
    assert club.again(asked).stage is Stage.DONE
    assert f"uid=jean,{PEOPLE}" in club.office.values("projet-arctique", "member")
    [row] = club.office.journal("group-edit")
    assert (row.actor, row.way) == (ZOE, "mail"), "the journal names who has decided"
    assert not upkeep.carry_out()


def test_owners_are_reminded_once_and_then_it_is_over(club: Club, upkeep: Upkeep) -> None:
    asked = waiting(club)
    assert not upkeep.remind()
    club.now = asked.remind
    assert upkeep.remind()
    assert not upkeep.remind()
    assert club.told() == [("request", ZOE), ("reminder", ZOE)]
    club.now = asked.expires
    assert upkeep.expire()
    assert club.again(asked).stage is Stage.EXPIRED
    assert ("outcome", JEAN) in club.told()
    assert not upkeep.expire()


def test_what_nobody_confirms_leaves_no_trace_of_the_address_but_in_the_journal(
    club: Club, upkeep: Upkeep
) -> None:
    asked = club.ask(STRANGER, NEWS, way=Way.MAIL, proven=False).request
    assert asked is not None
    club.now = asked.expires
    assert upkeep.expire()
    assert club.ledger.requests.get(asked.id) is None
    [row] = club.office.journal("request-expire")
    assert (row.before, row.after) == ("unconfirmed", "")


def test_the_directory_being_down_keeps_nothing_else_waiting(club: Club, upkeep: Upkeep) -> None:
    asked = waiting(club)
    club.service.decide(asked, True, Who(ZOE, Way.MAIL))
    club.office.slapd.stop()
    try:
        assert upkeep.carry_out()
        stands = club.again(asked)
        assert (stands.stage, stands.attempts) == (Stage.ACCEPTED, 1)
        assert not upkeep.carry_out(), "not before its time"
    finally:
        club.office.slapd.start()
    club.now = stands.next_attempt
    assert upkeep.carry_out()
    assert club.again(asked).stage is Stage.DONE


def test_whoever_is_no_owner_any_more_lets_nobody_in(club: Club, upkeep: Upkeep) -> None:
    """What was accepted by mail is written later: the directory is asked once more then."""
    asked = waiting(club)
    club.service.decide(asked, True, Who(ZOE, Way.MAIL))
    club.office.slapd.modify(f"dn: cn=projet-arctique,{GROUPS}\nreplace: owner\nowner: uid=anais,{PEOPLE}\n")
    try:
        upkeep.carry_out()
        stands = club.again(asked)
        assert (stands.stage, stands.note) == (Stage.FAILED, "whoever accepted it no longer decides about it")
        assert f"uid=jean,{PEOPLE}" not in club.office.values("projet-arctique", "member")
    finally:
        club.office.slapd.modify(
            f"dn: cn=projet-arctique,{GROUPS}\nreplace: owner\nowner: uid=zoe,{PEOPLE}\n"
        )


def test_who_is_gone_meanwhile_joins_nothing(club: Club, upkeep: Upkeep) -> None:
    add = (
        "dn: uid=kurz,ou=people,dc=masociete,dc=example\nchangetype: add\nobjectClass: inetOrgPerson\nuid: kurz\n"
        "cn: Kurz Da\nsn: Da\nmail: kurz.da@masociete.example\n"
    )
    club.office.slapd.modify(add)
    club.look_again()
    asked = club.ask("kurz.da@masociete.example", ARCTIC).request
    assert asked is not None
    club.service.decide(asked, True, Who(ZOE, Way.MAIL))
    club.office.slapd.modify("dn: uid=kurz,ou=people,dc=masociete,dc=example\nchangetype: delete\n")
    club.look_again()
    assert upkeep.carry_out()
    stands = club.again(asked)
    assert (stands.stage, stands.note) == (Stage.FAILED, "the person is gone")
