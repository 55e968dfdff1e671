"""Answers by mail, as the milter has proven them: the first decides, and whoever is too late or wrong is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.directory.mirrors import person
from tests.moderation.corresponding import Post, corresponding, text
from tests.moderation.ledgers import NOW

from groupmilter.directory.entry import Put
from groupmilter.groups.ticket import Action, Kind, digest
from groupmilter.moderation.item import DESK, Arrival, Event, Item, State
from groupmilter.policy.facts import Strength

ANNA, BERT, OWNER, BOSS = (f"{name}@example.org" for name in ("anna", "bert", "owner", "boss"))


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with corresponding(tmp_path, Put(person("boss", preferredLanguage="fr"))) as made:
        yield made


def answered(
    post: Post,
    item: Item | int,
    name: str = "anna",
    action: Action = Action.APPROVE,
    body: str = "",
    strength: Strength = Strength.LOGIN,
    field: str = "X: y",
) -> None:
    """Take a person's answer about an item (or about one with this digest)."""
    about = item if isinstance(item, int) else item.digest
    arrival = Arrival(
        ticket="t", content="c", file="f", kind=Kind.ANSWER, group=about, sender=digest(f"person-{name}"),
        strength=strength, reason=action, return_path=f"{name}@example.org", message_id="<answer@example.org>",
    )  # fmt: skip
    octets = f"Return-Path: <{name}@example.org>\nSubject: Reject: hello\n{field}\n\n{body}\n".encode()
    post.answers.take(arrival, octets)
    post.turn()


def actions(post: Post) -> list[str]:
    return [row.action for row in post.hold.ledger.audit()]


@pytest.mark.parametrize("name", ["anna", "owner", "boss"])
def test_whoever_may_decides(post: Post, name: str) -> None:
    item = post.held(1)
    answered(post, item, name, body="fine\n-- \nAnna")
    now = post.item(item)
    assert (now.state, now.decided_by, now.way, now.comment) == (
        State.APPROVED,
        f"{name}@example.org",
        "mail",
        "",
    )
    (row,) = post.hold.ledger.audit(action="approve")
    assert (row.actor, row.origin) == (f"{name}@example.org", "<answer@example.org>")
    assert post.mta.taken == []


def test_what_stands_above_the_quote_is_the_reason_of_a_rejection(post: Post) -> None:
    item = post.held(1)
    answered(
        post, item, action=Action.REJECT, body="Not here.\nTry sales.\n\nOn 1 Jan 2026, x wrote:\n> spam"
    )
    assert (post.item(item).state, post.item(item).comment) == (State.REJECTED, "Not here.\nTry sales.")


def test_what_has_no_group_any_more_can_only_be_rejected(post: Post) -> None:
    item = post.held(1, group="group-gone")
    answered(post, item, "boss")
    assert post.item(item).state is State.HELD
    (letter,) = post.letters(BOSS)
    assert "Il n’y a plus de groupe auquel remettre le message" in text(letter)
    assert "token-nowhere" in actions(post)
    answered(post, item, "boss", Action.REJECT)
    assert post.item(item).state is State.REJECTED


def test_later_answers_are_told_who_was_first(post: Post) -> None:
    item = post.held(1)
    answered(post, item, "anna", Action.REJECT)
    answered(post, item, "boss", Action.APPROVE)
    assert post.item(item).state is State.REJECTED
    (letter,) = post.letters(BOSS)
    assert letter["Subject"] == "Déjà décidé : hello (sales)"
    assert f"{ANNA} l’a rejeté le" in text(letter)
    assert "decided-before" in actions(post)


def test_a_change_of_mind_comes_too_late_as_well(post: Post) -> None:
    item = post.held(1)
    answered(post, item, action=Action.REJECT)
    answered(post, item, action=Action.APPROVE)
    (letter,) = post.letters(ANNA)
    assert "You rejected it on" in text(letter)


def test_the_same_answer_read_again_says_nothing(post: Post) -> None:
    item = post.held(1)
    for _ in range(2):
        answered(post, item)
    assert post.mta.taken == []
    assert actions(post).count("approve") == 1


def test_after_its_time_an_answer_is_told_so(post: Post) -> None:
    item = post.held(1)
    post.hold.ledger.change(item.id, Event.EXPIRE, DESK, NOW)
    answered(post, item)
    assert "Nobody decided in time" in text(post.letters(ANNA)[0])


def test_who_is_no_moderator_is_told_that_nothing_was_decided(post: Post) -> None:
    item = post.held(1)
    answered(post, item, "bert")
    assert post.item(item).state is State.HELD
    (letter,) = post.letters(BERT)
    assert "no longer, among those who decide" in text(letter)
    assert "token-foreign" in actions(post)


def test_of_an_item_that_nobody_knows_any_more(post: Post) -> None:
    answered(post, 12345)
    assert "no longer there" in text(post.letters(ANNA)[0])
    assert "token-gone" in actions(post)


@pytest.mark.parametrize(
    ("strength", "field"),
    [
        (Strength.CLAIMED, "X: y"),
        (Strength.LOGIN, "Auto-Submitted: auto-replied"),
        (Strength.LOGIN, "Precedence: bulk"),
        (
            Strength.LOGIN,
            'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"',
        ),
    ],
)
def test_silence_for_what_nobody_has_written(post: Post, strength: Strength, field: str) -> None:
    item = post.held(1)
    answered(post, item, strength=strength, field=field)
    assert post.item(item).state is State.HELD
    assert post.mta.taken == []
    assert "answer-ignored" in actions(post)


def test_silence_for_somebody_who_is_gone(post: Post) -> None:
    item = post.held(1)
    answered(post, item, "left")
    assert post.item(item).state is State.HELD
    assert post.mta.taken == []
    assert "token-foreign" in actions(post)


def test_an_action_that_decides_nothing(post: Post) -> None:
    item = post.held(1)
    answered(post, item, action=Action.ASK)
    assert post.item(item).state is State.HELD
    assert "answer-ignored" in actions(post)
