"""Letters to owners that come back: who is asked then, once, and what is on record of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import pytest
import structlog
from structlog.typing import FilteringBoundLogger
from tests.enrolment.clubs import ANAIS, ARCTIC, BOB, JEAN, ZOE, Club
from tests.membership.acting import dn_of, panel
from tests.membership.offices import GROUPS
from tests.moderation.corresponding import Mta

from groupmilter import bootstrap
from groupmilter.bootstrap.desk import desk
from groupmilter.bootstrap.enrolment import requests
from groupmilter.bootstrap.parts import ticket_keys
from groupmilter.config.reload import load
from groupmilter.enrolment.notices import REMINDER
from groupmilter.enrolment.service import Requests
from groupmilter.groups.ticket import Keys
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.bounce import Cause, Failure, Report, Tells
from groupmilter.moderation.correspondence import Correspondence
from groupmilter.moderation.item import Arrival, Way, Who
from groupmilter.moderation.mailbox import Folder
from groupmilter.moderation.request import Request
from groupmilter.moderation.returned import Returned
from groupmilter.moderation.submission import NotSubmitted

SERVICE = "groups.masociete.example"
CONTACT = "postmaster@masociete.example"
GONE = Report(Tells.FAILURE, (Failure((ZOE,), Cause.PERMANENT, "5.1.1", "no such user"),), own=True)


def shunted(_: Arrival, __: Report) -> Folder:
    """Where a report about members' mail would go."""
    return Folder.SHUNTED


@dataclass(frozen=True, slots=True)
class Post:
    """Who writes letters about requests, as the desk has it; the MTA is played."""

    club: Club
    mta: Mta
    service: Requests
    correspondence: Correspondence
    keys: Keys

    def turn(self) -> None:
        """Send all that is due."""
        while self.correspondence.send_due():
            pass

    def asked(self) -> list[str]:
        """Who got letters that ask, one after the other."""
        return [envelope.recipients[0][0] for envelope, _ in self.mta.taken if envelope.sender]

    def back(self, address: str, report: Report = GONE) -> Folder | None:
        """Have the last letter to somebody come back."""
        path = next(one.sender for one, _ in self.mta.taken[::-1] if one.recipients[0][0] == address)
        octets = f"Return-Path: <>\nDelivered-To: {path}\n\n".encode()
        reader = Returned(self.correspondence, self.keys, shunted, self.correspondence.log)
        folder = reader.take(read_arrival(octets, "file", self.keys, SERVICE), report)
        self.turn()
        return folder


@pytest.fixture
def post(club: Club) -> Post:
    """Jean has asked to join; Zoé owns the group, Bob administers."""
    panel(club.office, f"panel: {{administrators: '{dn_of('bob')}'}}\n")
    log = cast(FilteringBoundLogger, structlog.get_logger())
    configuration = bootstrap.with_keys(load(club.office.config), log)
    mta = Mta()
    correspondence = replace(desk(configuration, club.ledger, log).correspondence, submitter=mta)
    service = requests(configuration, club.ledger)
    return Post(club, mta, service, correspondence, ticket_keys(configuration.keys))


def waiting(post: Post) -> Request:
    """A request about which letters have gone out."""
    asked = post.club.ask(JEAN, ARCTIC).request
    assert asked is not None
    post.turn()
    return asked


def test_the_next_who_may_decide_is_asked_once_each(post: Post) -> None:
    request = waiting(post)
    assert post.asked() == [ZOE]
    assert post.back(ZOE) is Folder.REPORTS
    assert post.asked() == [ZOE, BOB]
    assert post.back(ZOE) is None
    assert post.back(BOB) is Folder.REPORTS
    assert post.asked() == [ZOE, BOB, CONTACT]
    assert post.back(CONTACT) is Folder.REPORTS
    assert post.asked() == [ZOE, BOB, CONTACT]
    rows = post.club.ledger.audit(action="letter-returned", item=request.name)
    assert [(row.detail, row.group, row.group_uuid) for row in rows] == [
        (who, ARCTIC, request.group_uuid) for who in (ZOE, BOB, CONTACT)
    ]


@pytest.fixture
def both_own(club: Club) -> Iterator[None]:
    """Anaïs owns the group, too."""
    dn = f"cn=projet-arctique,{GROUPS}"
    club.office.slapd.replace(dn, {"owner": [dn_of("zoe"), dn_of("anais")]})
    club.look_again()
    yield
    club.office.slapd.replace(dn, {"owner": dn_of("zoe")})


@pytest.mark.usefixtures("both_own")
def test_an_owner_who_was_reached_is_enough(post: Post) -> None:
    waiting(post)
    assert post.back(ZOE) is Folder.REPORTS
    assert sorted(post.asked()) == [ANAIS, ZOE]
    assert post.back(ANAIS) is Folder.REPORTS
    assert post.asked()[2:] == [BOB]


def test_a_letter_that_is_refused_at_once_is_followed_too_and_tried_again(post: Post) -> None:
    post.mta.refusing[ZOE] = NotSubmitted(550, "5.1.1 unknown")
    waiting(post)
    assert post.asked() == [BOB]
    del post.mta.refusing[ZOE]
    assert [one.address for one in post.club.ledger.letters.due(int(post.club.now) + 5 * 3600)] == [ZOE]


def test_what_was_decided_meanwhile_asks_nobody(post: Post) -> None:
    request = waiting(post)
    post.club.service.decide(request, False, Who(ZOE, Way.COMMAND))
    assert post.back(ZOE) is Folder.REPORTS
    assert post.asked() == [ZOE]


def test_whoever_was_asked_instead_is_reminded_too_and_nobody_beyond(post: Post) -> None:
    request = waiting(post)
    post.back(ZOE)
    post.service.notices.ask(request, REMINDER)
    post.turn()
    assert post.asked() == [ZOE, BOB, ZOE, BOB]


def test_a_delay_changes_nothing_and_what_tells_something_has_no_return_path(post: Post) -> None:
    request = waiting(post)
    assert post.back(ZOE, Report(Tells.DELAY)) is None
    assert post.asked() == [ZOE]
    post.club.service.decide(request, False, Who(ZOE, Way.COMMAND))
    post.turn()
    assert [one.sender for one, _ in post.mta.taken if one.recipients[0][0] == JEAN] == [""]
