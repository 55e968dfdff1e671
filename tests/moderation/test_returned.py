"""Letters that come back: who is asked then, and what a report about one can't bring about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.directory.mirrors import group, person, person_dn
from tests.moderation.corresponding import CONTACT, Post, corresponding
from tests.moderation.holding import SERVICE
from tests.moderation.ledgers import KEYS

from groupmilter.directory.entry import Put
from groupmilter.groups.ticket import LETTER, Kind, Ticket, seal
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.bounce import Cause, Failure, Report, Tells
from groupmilter.moderation.item import Arrival, Event, Item, Way, Who
from groupmilter.moderation.mailbox import Folder
from groupmilter.moderation.returned import Returned
from groupmilter.moderation.submission import NotSubmitted

ANNA, BERT, OWNER, BOSS = (f"{name}@example.org" for name in ("anna", "bert", "owner", "boss"))
GONE = Report(Tells.FAILURE, (Failure((ANNA,), Cause.PERMANENT, "5.1.1", "no such user"),), own=True)


def sales(*moderators: str, approvals: int = 1) -> Put:
    """The group, with who moderates it."""
    who = [person_dn(one) for one in moderators]
    return Put(group("sales", "bert", dgModerated="TRUE", dgModerator=who, dgApprovalsNeeded=str(approvals)))


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with corresponding(tmp_path, Put(person("boss"))) as made:
        yield made


def asked(post: Post, *numbers: int) -> list[Item]:
    """Messages that somebody was asked about."""
    items = [post.held(number) for number in numbers or (1,)]
    for item in items:
        post.correspondence.ask(item)
    post.turn()
    return items


def path_to(post: Post, address: str) -> str:
    """The return path of the last letter to somebody."""
    return [envelope.sender for envelope, _ in post.mta.taken if envelope.recipients[0][0] == address][-1]


def arrived(path: str, sender: str = "") -> Arrival:
    """A mail to a return path."""
    octets = f"Return-Path: <{sender}>\nDelivered-To: {path}\n\n".encode()
    return read_arrival(octets, "file", KEYS, SERVICE)


def back(post: Post, path: str, report: Report = GONE, sender: str = "") -> Folder | None:
    """What becomes of a mail to a return path."""
    reader = Returned(post.correspondence, KEYS, members, post.correspondence.log)
    folder = reader.take(arrived(path, sender), report)
    post.turn()
    return folder


def members(_: Arrival, __: Report) -> Folder | None:
    return Folder.SHUNTED


def to(post: Post) -> list[str]:
    """Who got letters, one after the other."""
    return [envelope.recipients[0][0] for envelope, _ in post.mta.taken]


def test_one_ring_after_the_other_is_asked_once_each(post: Post) -> None:
    (item,) = asked(post)
    for number, who in enumerate((ANNA, OWNER, BOSS), 1):
        assert back(post, path_to(post, who)) is Folder.REPORTS
        assert len(to(post)) == number + 1
        assert back(post, path_to(post, who)) is None
    assert to(post) == [ANNA, OWNER, BOSS, CONTACT]
    assert str(post.letters(OWNER)[0]["Subject"]).startswith("To approve")
    assert back(post, path_to(post, CONTACT)) is Folder.REPORTS
    assert len(to(post)) == 4
    rows = post.hold.ledger.audit(action="letter-returned", item=item.name)
    assert [row.detail for row in rows] == [ANNA, OWNER, BOSS, CONTACT]
    (first, *_) = post.hold.ledger.search.letters_about(item.id)
    assert (first.returned, first.why) == (True, "refused: 5.1.1 no such user")


def test_a_moderator_who_was_reached_is_enough(tmp_path: Path) -> None:
    with corresponding(tmp_path, sales("anna", "bert")) as post:
        asked(post)
        back(post, path_to(post, ANNA))
        assert to(post) == [ANNA, BERT]
        back(post, path_to(post, BERT))
        assert to(post) == [ANNA, BERT, OWNER]


def test_where_several_have_to_approve_so_many_are_asked(tmp_path: Path) -> None:
    with corresponding(tmp_path, sales("anna", "bert", approvals=2), Put(person("boss"))) as post:
        asked(post)
        back(post, path_to(post, ANNA))
        assert to(post) == [ANNA, BERT, OWNER]
        back(post, path_to(post, OWNER))
        assert to(post) == [ANNA, BERT, OWNER, BOSS]


def test_where_several_have_to_approve_a_refused_letter_is_followed_too(tmp_path: Path) -> None:
    with corresponding(tmp_path, sales("anna", "bert", approvals=2)) as post:
        post.mta.refusing[BERT] = NotSubmitted(550, "5.1.1 unknown")
        asked(post)
        assert to(post) == [ANNA, OWNER]


def test_what_was_decided_meanwhile_asks_nobody(post: Post) -> None:
    (item,) = asked(post)
    post.hold.ledger.change(item.id, Event.REJECT, Who(OWNER, Way.PANEL), post.hold.now)
    back(post, path_to(post, ANNA))
    assert to(post) == [ANNA]


def test_a_reminder_that_comes_back_is_followed_by_a_request(post: Post) -> None:
    (item,) = asked(post)
    post.correspondence.ask(item, "reminder")
    post.turn()
    back(post, path_to(post, ANNA))
    assert to(post) == [ANNA, ANNA, OWNER]
    assert str(post.letters(OWNER)[0]["Subject"]).startswith("To approve")


def test_whoever_was_asked_instead_is_reminded_too(post: Post) -> None:
    (item,) = asked(post)
    for who in (ANNA, OWNER, BOSS):
        back(post, path_to(post, who))
    assert to(post) == [ANNA, OWNER, BOSS, CONTACT]
    post.correspondence.ask(item, "reminder")
    post.turn()
    assert to(post)[4:] == [ANNA, OWNER, BOSS, CONTACT]


def test_whoever_was_reached_is_reminded_and_nobody_beyond(post: Post) -> None:
    (item,) = asked(post)
    back(post, path_to(post, ANNA))
    post.correspondence.ask(item, "reminder")
    post.turn()
    assert to(post) == [ANNA, OWNER, ANNA, OWNER]


def test_of_a_summary_everything_goes_on(tmp_path: Path) -> None:
    with corresponding(tmp_path, per_hour=1) as post:
        items = asked(post, 1, 2, 3)
        post.turn(660)
        assert len(post.letters(ANNA)) == 2
        back(post, path_to(post, ANNA))
        waiting, count = post.hold.ledger.letters.waiting(OWNER, 9)
        sent = [row.item for row in post.hold.ledger.audit(action="request-sent") if row.detail == OWNER]
        numbers = {item.name: item.id for item in items}
        assert {numbers[name] for name in sent} | {one.item_id for one in waiting} == {
            items[1].id,
            items[2].id,
        }
        assert (len(sent), count) == (1, 1)


@pytest.mark.parametrize(
    ("report", "sender"),
    [(GONE, "anna@example.org"), (Report(Tells.AUTOMATIC), ""), (Report(Tells.DELAY), ""), (Report(), "")],
)
def test_what_is_no_report_of_a_failure_changes_nothing(post: Post, report: Report, sender: str) -> None:
    asked(post)
    assert back(post, path_to(post, ANNA), report, sender) is None
    assert to(post) == [ANNA]
    assert post.hold.ledger.audit(action="letter-returned") == ()


def test_a_return_path_serves_for_its_own_letter_alone(post: Post) -> None:
    (item,) = asked(post)
    ticket = Ticket(Kind.BOUNCE, post.hold.now, 1, item.digest, reason=LETTER)
    for other in (replace(ticket, nonce=2), replace(ticket, group=item.digest ^ 1)):
        assert back(post, f"bounce+{seal(other, KEYS)}@{SERVICE}") is None
    assert to(post) == [ANNA]
    assert back(post, f"bounce+{seal(replace(ticket, reason=0), KEYS)}@{SERVICE}") is Folder.SHUNTED
    assert back(post, f"bounce+{seal(ticket, KEYS)}@{SERVICE}") is Folder.REPORTS
