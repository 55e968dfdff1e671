"""Owners decide about requests by mail: the directory is asked before the ledger is locked, never under the lock."""

from __future__ import annotations

from typing import cast

import pytest
import structlog
from structlog.typing import FilteringBoundLogger
from tests.enrolment.clubs import ARCTIC, BOB, JEAN, Club
from tests.membership.offices import GROUPS, PEOPLE

from groupmilter import bootstrap
from groupmilter.bootstrap.enrolment import at_the_desk
from groupmilter.config.reload import load
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Action, Kind, digest
from groupmilter.moderation.answers import Answers
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.decision import Problem
from groupmilter.moderation.item import Arrival
from groupmilter.moderation.request import Request, Stage
from groupmilter.policy.facts import Strength

OCTETS = b"Return-Path: <zoe.coeurdacier@masociete.example>\nSubject: Reject\n\nNot now.\n"
ZOE = "zoe.coeurdacier@masociete.example"


@pytest.fixture
def answers(club: Club) -> Answers:
    """What takes answers by mail, as the desk has it."""
    log = cast(FilteringBoundLogger, structlog.get_logger())
    configuration = bootstrap.with_keys(load(club.office.config), log)
    enrolling = at_the_desk(configuration, club.ledger, Attempts(log), log)
    decided = bootstrap.decisions(configuration, club.ledger)
    return Answers(club.ledger, decided.lookups, decided, lambda: club.now, decided.require, enrolling.mailed)


def waiting(club: Club) -> Request:
    asked = club.ask(JEAN, ARCTIC).request
    assert asked is not None
    assert asked.stage is Stage.WAITING
    return asked


def answer_of(club: Club, request: Request, address: str = ZOE) -> Arrival:
    """A rejection by mail, proven by log-in."""
    return Arrival(
        ticket="t", content="c", file="f", kind=Kind.ANSWER, group=request.digest,
        sender=digest(club.person(address).uuid), strength=Strength.LOGIN, reason=Action.REJECT,
        return_path=address, message_id="<answer@masociete.example>",
    )  # fmt: skip


def test_nobody_is_asked_while_the_ledger_is_locked(club: Club, answers: Answers) -> None:
    """A directory that is slow to answer would keep everybody else from the ledger."""
    request = waiting(club)
    answer = answer_of(club, request)
    assert answers.consider(answer)
    club.office.slapd.stop()
    try:
        with club.ledger.together():
            answers.take(answer, OCTETS)
    finally:
        club.office.slapd.start()
    stands = club.again(request)
    assert (stands.stage, stands.decided_by, stands.comment) == (Stage.REJECTED, ZOE, "Not now.")


def test_an_answer_waits_for_the_directory_and_its_request_does_not_expire(
    club: Club, answers: Answers
) -> None:
    request = waiting(club)
    with club.ledger.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE request SET expires = {int(club.now) + 60}")
    answer = answer_of(club, request)
    club.office.slapd.stop()
    try:
        for _ in range(2):
            with pytest.raises(DirectoryUnknown):
                answers.consider(answer)
    finally:
        club.office.slapd.start()
    stands = club.again(request)
    assert (stands.stage, stands.expires > club.now + 1800) == (Stage.WAITING, True)


def test_whoever_owns_the_group_no_longer_is_told_so(club: Club, answers: Answers) -> None:
    request = waiting(club)
    owners = f"dn: cn=projet-arctique,{GROUPS}\nreplace: owner\nowner: uid={{}},{PEOPLE}\n"
    club.office.slapd.modify(owners.format("anais"))
    try:
        answer = answer_of(club, request)
        assert not answers.consider(answer), "the mirror doesn't know it yet"
        answers.take(answer, OCTETS, may=False)
    finally:
        club.office.slapd.modify(owners.format("zoe"))
    assert club.again(request).stage is Stage.WAITING
    assert ("invalid", ZOE) in club.told()
    assert club.ledger.audit(action=f"token-{Problem.FOREIGN}")
    assert not answers.consider(answer_of(club, request, BOB)), "he never was one"
