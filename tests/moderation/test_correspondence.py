"""Whom the desk writes to, how often, and what becomes of a letter that nobody takes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from tests.directory.mirrors import entry, group, person, person_dn
from tests.moderation.corresponding import CONTACT, PANEL, Post, corresponding, text
from tests.moderation.holding import SERVICE
from tests.moderation.ledgers import KEYS, NOW

from groupmilter.directory.entry import Put
from groupmilter.groups.ticket import Action, Kind, digest, unseal_token
from groupmilter.moderation.item import DESK, Event, Item, State, Way, Who, name_of
from groupmilter.moderation.ledger import Letter
from groupmilter.moderation.letters import LISTED
from groupmilter.moderation.mailbox import Folder
from groupmilter.moderation.schema import ITEM, LETTER
from groupmilter.moderation.submission import NotSubmitted

ANNA, BERT, OWNER, BOSS = (f"{name}@example.org" for name in ("anna", "bert", "owner", "boss"))
HOUR = 3600
UNKNOWN = NotSubmitted(550, "5.1.1 unknown")
LATER = NotSubmitted(450, "4.2.1 later")


def mailless(name: str) -> Put:
    """A person without an address."""
    return Put(entry(f"person-{name}", person_dn(name), objectClass="inetOrgPerson", uid=name, cn=name))


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with corresponding(tmp_path, Put(person("boss")), per_hour=3) as made:
        yield made


def test_a_moderator_is_asked_and_it_is_on_record(post: Post) -> None:
    item = post.held(1)
    post.correspondence.ask(item)
    post.turn()
    (letter,) = post.letters(ANNA)
    assert letter["Subject"] == "To approve / À approuver: hello (sales)"
    (envelope, _) = post.mta.taken[0]
    assert (envelope.recipients, envelope.smtputf8) == (((ANNA, "NOTIFY=FAILURE"),), False)
    assert re.fullmatch(rf"bounce\+[a-z2-7]{{48}}@{SERVICE}", envelope.sender)
    assert post.item(item).noticed == post.hold.now
    (row,) = post.hold.ledger.audit(action="request-sent")
    assert (row.item, row.detail) == (item.name, ANNA)
    post.correspondence.ask(item)
    post.turn()
    assert len(post.mta.taken) == 1


def test_the_ways_in_a_letter_are_one_persons_alone(post: Post) -> None:
    item = post.held(1)
    post.correspondence.ask(item)
    post.turn()
    said = text(post.letters(ANNA)[0])
    found = dict(re.findall(rf"^  (approve|reject)\+(\S+)@{re.escape(SERVICE)}$", said, re.MULTILINE))
    link = re.search(rf"^  {PANEL}/decide/(\S+)$", said, re.MULTILINE)
    assert link
    for sealed, kind, action in (
        (found["approve"], Kind.ANSWER, Action.APPROVE),
        (found["reject"], Kind.ANSWER, Action.REJECT),
        (link[1], Kind.LINK, Action.ASK),
    ):
        token = unseal_token(sealed, KEYS)
        assert token is not None
        assert (token.kind, token.action, token.item) == (kind, action, item.digest)
        assert token.moderator == digest("person-anna")
        assert token.expires == item.terms.expires + 2 * 24 * HOUR


def test_a_letter_about_what_was_decided_meanwhile_is_dropped(post: Post) -> None:
    item = post.held(1)
    post.correspondence.ask(item)
    post.hold.ledger.change(item.id, Event.REJECT, DESK, NOW)
    post.turn()
    assert post.mta.taken == []
    assert post.hold.ledger.letters.due(2**40) == ()


def test_who_decides_no_more_gets_no_letter_and_somebody_else_is_asked(post: Post) -> None:
    item = post.held(1)
    post.hold.ledger.letters.plan((Letter(0, item.id, "request", BERT, "", "", "person-bert", 0, NOW, "0"),))
    post.turn()
    post.turn()
    assert post.letters(BERT) == []
    assert len(post.letters(ANNA)) == 1


def test_a_summary_names_nothing_that_somebody_decides_no_more(post: Post) -> None:
    for number in range(1, 7):
        item = post.held(number, subject=f"s{number}")
        post.correspondence.ask(item)
    foreign = post.held(7, subject="foreign", group="group-news")
    post.hold.ledger.letters.plan(
        (Letter(0, foreign.id, "request", ANNA, "", "", "person-bert", 0, NOW, "0"),)
    )
    post.turn()
    post.turn(660)
    (summary,) = (letter for letter in post.letters(ANNA) if "s6" in text(letter) and "s5" in text(letter))
    assert "foreign" not in text(summary)


def test_what_is_not_taken_now_is_tried_again_and_the_item_stays_held(post: Post) -> None:
    item = post.held(1)
    post.mta.refusing[ANNA] = LATER
    post.correspondence.ask(item)
    for seconds in (0, 30, 60, 120):
        post.turn(seconds)
    assert post.mta.asked == 4
    assert (post.item(item).state, post.item(item).noticed) == (State.HELD, 0)
    assert "letter not taken" in post.lines()
    post.mta.refusing.clear()
    post.turn(4 * HOUR)
    assert len(post.letters(ANNA)) == 1


def test_an_mta_that_is_down_is_asked_once_a_turn(post: Post) -> None:
    for number in range(1, 4):
        post.correspondence.ask(post.held(number))
    post.hold.ledger.letters.plan([Letter(0, 0, "invalid", BERT, "", "", "", 0, NOW, "foreign")])
    post.mta.down = True
    assert not post.correspondence.send_due()
    assert post.mta.asked == 1
    assert not post.correspondence.send_due()
    assert post.mta.asked == 2
    post.mta.down = False
    post.turn(HOUR)
    assert (len(post.letters(ANNA)), len(post.letters(BERT))) == (3, 1)


def test_who_is_refused_for_good_is_followed_by_the_next(post: Post) -> None:
    item = post.held(1)
    asked = [ANNA, OWNER, BOSS]
    post.mta.refusing = dict.fromkeys(asked, UNKNOWN)
    post.correspondence.ask(item)
    post.turn()
    assert post.mta.asked == 4
    (letter,) = post.letters(CONTACT)
    assert letter["Subject"] == "Nobody to approve / Personne pour approuver: hello (sales)"
    assert f"groupmilter held show {item.name}" in text(letter)
    assert post.item(item).noticed == post.hold.now, "the clock runs once somebody knows"


def test_of_two_moderators_one_is_enough(tmp_path: Path) -> None:
    both = Put(group("sales", "bert", dgModerated="TRUE", dgModerator=[person_dn("anna"), person_dn("bert")]))
    with corresponding(tmp_path, both) as post:
        post.mta.refusing[ANNA] = UNKNOWN
        post.correspondence.ask(post.held(1))
        post.turn()
        post.turn(HOUR)
        assert [len(post.letters(who)) for who in (ANNA, BERT, OWNER)] == [0, 1, 0]
        post.mta.refusing[BERT] = UNKNOWN
        post.correspondence.ask(post.held(2))
        post.turn()
        assert [len(post.letters(who)) for who in (ANNA, BERT, OWNER)] == [0, 1, 1]


def test_owners_in_the_place_of_moderators_are_not_asked_twice(tmp_path: Path) -> None:
    unmoderated = Put(group("sales", "bert", dgModerated="TRUE"))
    with corresponding(tmp_path, unmoderated, Put(person("boss"))) as post:
        post.mta.refusing[OWNER] = UNKNOWN
        post.correspondence.ask(post.held(1))
        post.turn()
        assert post.mta.asked == 2
        assert len(post.letters(BOSS)) == 1


@pytest.mark.parametrize(
    ("more", "reached"),
    [
        ([Put(person("anna", nsAccountLock="true"))], OWNER),
        ([mailless("anna")], OWNER),
        ([mailless("anna"), mailless("owner"), Put(person("boss"))], BOSS),
        ([mailless("anna"), mailless("owner")], CONTACT),
    ],
)
def test_who_can_not_be_reached_at_all_is_passed_over(tmp_path: Path, more: list[Put], reached: str) -> None:
    with corresponding(tmp_path, *more) as post:
        post.correspondence.ask(post.held(1))
        post.turn()
        assert [envelope.recipients[0][0] for envelope, _ in post.mta.taken] == [reached]


def test_a_contact_who_refuses_is_asked_again_for_ever(tmp_path: Path) -> None:
    with corresponding(tmp_path, mailless("anna"), mailless("owner")) as post:
        post.mta.refusing[CONTACT] = UNKNOWN
        item = post.held(1)
        post.correspondence.ask(item)
        for _ in range(5):
            post.turn(4 * HOUR)
        assert post.mta.asked == 5
        assert (post.item(item).state, post.item(item).noticed) == (State.HELD, 0)


def test_what_only_tells_is_given_up_when_refused_for_good(post: Post) -> None:
    item = post.held(1)
    post.hold.ledger.change(item.id, Event.REJECT, Who(ANNA, Way.MAIL), NOW, comment="no")
    post.hold.ledger.letters.plan([Letter(0, item.id, "rejected", BERT, "", "", "", 0, NOW, "")])
    post.mta.refusing[BERT] = UNKNOWN
    post.turn()
    assert post.hold.ledger.letters.due(2**40) == ()
    assert [row.detail for row in post.hold.ledger.audit(action="letter-refused")] == [BERT]


def test_automatic_mail_is_never_answered(post: Post) -> None:
    item = post.held(1, subject="x\nAuto-Submitted: auto-generated")
    post.hold.ledger.change(item.id, Event.REJECT, Who(ANNA, Way.MAIL), NOW)
    post.hold.ledger.letters.plan([Letter(0, item.id, "rejected", BERT, "", "", "", 0, NOW, "")])
    post.turn()
    assert post.mta.taken == []
    assert post.hold.ledger.letters.due(2**40) == ()


def test_of_a_message_that_is_gone_the_ledger_still_tells(post: Post) -> None:
    one, two = post.held(1), post.held(2)
    post.hold.ledger.change(two.id, Event.REJECT, Who(ANNA, Way.MAIL), NOW, comment="no")
    post.hold.ledger.letters.plan([Letter(0, two.id, "rejected", BERT, "", "", "", 0, NOW, "")])
    for item in (one, two):
        post.hold.mailbox.remove(item.arrival.file)
    post.correspondence.ask(one)
    post.turn()
    assert len(post.letters(ANNA)) == len(post.letters(BERT)) == 1


def test_a_file_that_can_not_be_read_is_tried_again(post: Post) -> None:
    item = post.held(1)
    (path,) = (post.hold.mailbox.path / ".Held" / "cur").iterdir()
    kept = path.read_bytes()
    path.unlink()
    path.mkdir()
    post.correspondence.ask(item)
    post.turn()
    assert (post.mta.taken, post.item(item).state) == ([], State.HELD)
    assert "letter can't be written yet" in post.lines()
    path.rmdir()
    path.write_bytes(kept)
    post.turn(HOUR)
    assert len(post.letters(ANNA)) == 1


def test_more_than_an_hour_may_bring_comes_as_one_summary(post: Post) -> None:
    for number in range(1, 8):
        post.correspondence.ask(post.held(number, subject=f"number {number}"))
    post.turn()
    assert len(post.letters(ANNA)) == 3
    post.turn(599)
    assert len(post.letters(ANNA)) == 3, "what comes too much is gathered first"
    post.turn(1)
    (summary,) = post.letters(ANNA)[3:]
    assert summary["Subject"] == "4 messages wait for your decision / 4 messages attendent votre décision"
    said = text(summary)
    links = re.findall(rf"^  {PANEL}/decide/(\S+)$", said, re.MULTILINE)
    tokens = [unseal_token(link, KEYS) for link in links]
    assert len({token.item for token in tokens if token}) == 4
    assert {token.moderator for token in tokens if token} == {digest("person-anna")}
    assert [f"number {number}" in said for number in range(1, 8)] == [False] * 3 + [True] * 4
    assert all(post.item(item).noticed for item in post.hold.ledger.items({State.HELD}))
    post.turn(10 * HOUR)
    assert len(post.letters(ANNA)) == 4


def test_without_links_a_summary_has_addresses(tmp_path: Path) -> None:
    with corresponding(tmp_path, per_hour=1, panel="") as post:
        for number in range(1, 4):
            post.correspondence.ask(post.held(number))
        post.turn()
        post.turn(600)
        said = text(post.letters(ANNA)[1])
        for action in ("approve", "reject"):
            found = re.findall(rf"^  {action}\+(\S+)@{re.escape(SERVICE)}$", said, re.MULTILINE)
            assert len(set(found)) == 2


def test_letters_that_tell_have_an_hour_of_their_own(post: Post) -> None:
    post.hold.ledger.letters.plan([Letter(0, 0, "invalid", ANNA, "", "en", "", 0, NOW, "gone")] * 5)
    post.correspondence.ask(post.held(1))
    post.turn()
    assert sorted(post.subjects(ANNA)) == ["Nothing was decided."] * 3 + [
        "To approve / À approuver: hello (sales)"
    ]
    post.turn(HOUR + 1)
    assert post.subjects(ANNA).count("Nothing was decided.") == 5


FLOOD = 10_000


def test_a_flood_floods_nobody(tmp_path: Path) -> None:
    with corresponding(tmp_path, per_hour=20) as post:
        letters, ledger = post.hold.ledger.letters, post.hold.ledger
        sample = post.held(1, subject="spam")
        flooded(post, sample)
        letters.plan([Letter(0, sample.id, "request", OWNER, "", "en", "person-owner", 0, NOW, "1")])
        begun = time.process_time()
        post.turn()
        assert len(post.letters(OWNER)) == 1, "who waits behind a flood is served in the same turn"
        assert len(post.letters(ANNA)) == 20
        post.turn(600)
        (summary,) = post.letters(ANNA)[20:]
        assert summary["Subject"] == "9,980 messages wait for your decision"
        assert len(re.findall(rf"{PANEL}/decide/", text(summary))) == LISTED
        assert "And 9,930 more" in text(summary)
        assert len(summary.as_bytes()) < 150_000
        assert next(ledger.search.unasked(), None) is None, "all are told of, so that their time runs"
        for _ in range(59):
            post.turn(60)
        assert len(post.letters(ANNA)) == 20 + 1 + 20, "the next hour begins with single letters again"
        assert letters.waiting(ANNA, 1)[1] == FLOOD - 20 - LISTED - 20
        assert time.process_time() - begun < 60


def flooded(post: Post, sample: Item) -> None:
    """Record many more items like one, each with a letter to anna, all at once."""
    with post.hold.ledger.database.writing() as connection:
        row = dict(connection.execute(select(ITEM).where(ITEM.c.id == sample.id)).mappings().one())
        items = [
            {**row, "id": number, "key": f"key {number}", "digest": number, "name": name_of(number)}
            for number in range(sample.id + 1, sample.id + FLOOD)
        ]
        connection.execute(insert(ITEM), items)
        letter = {"kind": "request", "address": ANNA, "language": "en", "uuid": "person-anna", "planned": NOW}
        connection.execute(insert(LETTER), [letter | {"item_id": item["id"]} for item in (row, *items)])


def test_a_surprise_with_one_letter_keeps_no_other_back(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = post.held(1, subject="odd"), post.held(2)
    request = type(post.correspondence.letters).request

    def surprising(letters: object, item: object, *rest: object, **more: object) -> object:
        if item == one:
            raise RuntimeError("surprise")
        return request(letters, item, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(post.correspondence.letters), "request", surprising)
    for item in (one, two):
        post.correspondence.ask(item)
    post.turn()
    assert len(post.letters(ANNA)) == 1
    assert "surprise with a letter" in post.lines()
    assert post.item(one).state is State.HELD
    monkeypatch.undo()
    post.turn(HOUR)
    assert len(post.letters(ANNA)) == 2


def test_the_folder_of_held_mail_is_only_read(post: Post) -> None:
    post.correspondence.ask(post.held(1))
    before = sorted(post.hold.mailbox.names(Folder.HELD))
    post.turn()
    assert sorted(post.hold.mailbox.names(Folder.HELD)) == before
