"""Several approvals: counted once for each person, by every way, until so many have approved as the group wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.directory.mirrors import group, person, person_dn
from tests.moderation.contenders import agreeing, at_once
from tests.moderation.corresponding import Post, corresponding, text
from tests.moderation.ledgers import url

from groupmilter.directory.entry import Put
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Action, Kind, digest
from groupmilter.moderation.item import DESK, Arrival, Event, Item, State, Way, Who
from groupmilter.moderation.quorum import Approval, added, missing
from groupmilter.policy.facts import Strength

ANNA, BERT, OWNER, BOSS = (f"{name}@example.org" for name in ("anna", "bert", "owner", "boss"))


def wanting(count: int, *moderators: str) -> Put:
    """The group `sales`, which wants so many approvals."""
    dns = [person_dn(name) for name in moderators]
    return Put(group("sales", "bert", dgModerated="TRUE", dgModerator=dns, dgApprovalsNeeded=str(count)))


def who(name: str, way: Way = Way.PANEL) -> Who:
    return Who(f"{name}@example.org", way, f"person-{name}")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with corresponding(tmp_path, wanting(2, "anna", "bert"), Put(person("boss"))) as made:
        yield made


def answered(post: Post, item: Item, name: str, action: Action = Action.APPROVE) -> None:
    """Take a person's answer by mail."""
    arrival = Arrival(
        ticket="t", content="c", file="f", kind=Kind.ANSWER, group=item.digest, sender=digest(f"person-{name}"),
        strength=Strength.LOGIN, reason=action, return_path=f"{name}@example.org", message_id="<a@example.org>",
    )  # fmt: skip
    post.answers.take(arrival, f"Return-Path: <{name}@example.org>\nSubject: Re\n\n\n".encode())
    post.turn()


# the reckoning


@pytest.mark.parametrize(
    ("agreed", "needed", "deciders", "left"),
    [
        ("", 2, "ab", 2), ("a", 2, "ab", 1), ("ab", 2, "ab", 0), ("abc", 2, "abc", 0),
        ("a", 3, "ab", 1), ("ab", 3, "ab", 0), ("a", 2, "", 0), ("a", 2, "b", 1), ("", 2, "", 0),
        ("a", 0, "ab", 0), ("ab", 3, "a", 0), ("ab", 3, "acd", 1),
    ],
)  # fmt: skip
def test_how_many_are_missing(agreed: str, needed: int, deciders: str, left: int) -> None:
    approvals = tuple(Approval(one, one, "mail", 1) for one in agreed)
    assert missing(approvals, needed, frozenset(deciders)) == left


def test_a_person_counts_once_and_the_first_time_stays() -> None:
    first, again = Approval("a", "a", "mail", 1), Approval("a", "a", "link", 2)
    assert added((first,), again) == (first,)
    assert added((first,), Approval("b", "b", "link", 2)) == (first, Approval("b", "b", "link", 2))


# by all ways


def test_the_second_person_decides(post: Post) -> None:
    item = post.held(1)
    first = post.decisions.decide(item, Event.APPROVE, who("anna", Way.LINK))
    assert (first.item.state, first.happened, first.missing) == (State.HELD, True, 1)
    again = post.decisions.decide(item, Event.APPROVE, who("anna", Way.API))
    assert (again.item.state, again.happened, again.missing) == (State.HELD, False, 1)
    last = post.decisions.decide(item, Event.APPROVE, who("bert"))
    assert (last.item.state, last.happened, last.missing) == (State.APPROVED, True, 0)
    assert [(one.name, one.way) for one in last.item.approved_by] == [(ANNA, "link"), (BERT, "panel")]
    assert last.item.decided_by == BERT
    rows = [(row.action, row.actor, row.detail) for row in post.hold.ledger.audit() if row.action != "record"]
    assert rows == [("agree", ANNA, "1/2"), ("approve", BERT, "")]


def test_by_mail_whoever_approves_is_told_what_is_missing(post: Post) -> None:
    item = post.held(1)
    answered(post, item, "anna")
    answered(post, item, "anna")
    assert post.item(item).state is State.HELD
    (letter,) = post.letters(ANNA)
    assert letter["Subject"] == "Counted / Comptée: hello (sales)"
    assert "Approvals of others that are missing: 1." in text(letter)
    assert "1 of 2" in text(letter)
    answered(post, item, "owner")
    assert post.item(item).state is State.APPROVED
    assert post.letters(OWNER) == []


def test_the_first_rejection_decides_even_of_who_has_approved(post: Post) -> None:
    item = post.held(1)
    answered(post, item, "anna")
    answered(post, item, "anna", Action.REJECT)
    assert (post.item(item).state, post.item(item).decided_by) == (State.REJECTED, ANNA)
    late = post.decisions.decide(item, Event.APPROVE, who("bert"))
    assert (late.happened, late.missing, late.item.state) == (False, 0, State.REJECTED)
    assert [one.name for one in late.item.approved_by] == [ANNA]


def test_a_command_and_the_end_of_the_time_decide_alone(post: Post) -> None:
    by_command, expired = post.held(1), post.held(2)
    assert post.decisions.decide(by_command, Event.APPROVE, Who("root", Way.COMMAND)).missing == 0
    assert post.item(by_command).state is State.APPROVED
    post.decisions.decide(expired, Event.APPROVE, who("anna"))
    post.hold.ledger.change(expired.id, Event.EXPIRE, DESK, post.hold.now)
    assert post.item(expired).state is State.EXPIRED


def test_several_at_once_are_each_counted(post: Post) -> None:
    several, one = post.held(1), post.held(2, group="group-news")
    results = post.decisions.decide_each((several, one), Event.APPROVE, who("anna"))
    assert [(result.item.state, result.missing) for result in results] == [
        (State.HELD, 1),
        (State.APPROVED, 0),
    ]


def test_the_number_is_that_of_when_it_came(post: Post) -> None:
    item, single = post.held(1), post.held(2, group="group-news")
    assert (item.terms.approvals, single.terms.approvals) == (2, 1)


# too few persons


def test_where_fewer_may_decide_than_have_to_all_of_them_are_enough(tmp_path: Path) -> None:
    with corresponding(tmp_path, wanting(9, "anna"), Put(person("boss"))) as post:
        item = post.held(1)
        left = [post.decisions.decide(item, Event.APPROVE, who(name)).missing for name in ("anna", "owner")]
        assert left == [2, 1]
        assert post.item(item).state is State.HELD
        assert post.decisions.decide(item, Event.APPROVE, who("boss")).item.state is State.APPROVED


# letters


def test_where_moderators_are_too_few_owners_are_asked_as_well(tmp_path: Path) -> None:
    with corresponding(tmp_path, wanting(2, "anna"), Put(person("boss"))) as post:
        post.correspondence.ask(post.held(1))
        post.turn()
        assert [len(post.letters(one)) for one in (ANNA, OWNER, BOSS)] == [1, 1, 0]


def test_the_reminder_goes_to_who_has_not_approved_and_says_who_has(post: Post) -> None:
    item = post.held(1)
    post.correspondence.ask(item)
    post.turn()
    post.decisions.decide(item, Event.APPROVE, who("anna"))
    post.correspondence.ask(post.item(item), "reminder")
    post.turn()
    assert len(post.letters(ANNA)) == 1
    request, reminder = post.letters(BERT)
    assert "0 of 2" in text(request)
    assert "1 of 2" in text(reminder)
    assert ANNA in text(reminder)
    assert post.letters(OWNER) == []


def test_who_has_approved_meanwhile_is_asked_no_more(post: Post) -> None:
    item = post.held(1)
    post.correspondence.ask(item)
    post.decisions.decide(item, Event.APPROVE, who("anna"))
    post.turn()
    assert (len(post.letters(ANNA)), len(post.letters(BERT))) == (0, 1)


# races and failures


def test_two_at_once_are_two_approvals_and_one_decision(post: Post, tmp_path: Path) -> None:
    items = [post.held(number) for number in range(1, 9)]
    numbers = [item.id for item in items]
    contenders = ("anna", "bert", "anna", "bert")
    at_once(agreeing, [(url(tmp_path), name, numbers) for name in contenders])
    for item in items:
        now = post.item(item)
        assert sorted(one.name for one in now.approved_by) == ["anna", "bert"]
        assert now.state is State.HELD


def test_while_the_directory_cant_be_read_nothing_is_counted(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = post.held(1)

    def unknown(_: object) -> object:
        raise DirectoryUnknown("no mirror")

    monkeypatch.setattr(type(post.hold.lookups), "snapshot", unknown)
    with pytest.raises(DirectoryUnknown):
        post.decisions.decide(item, Event.APPROVE, who("anna"))
    assert post.item(item).approved_by == ()


def test_of_an_item_that_there_is_none_of(post: Post) -> None:
    with pytest.raises(LookupError):
        post.hold.ledger.approvals.add(99, Approval("a", "a", "mail", 1))
