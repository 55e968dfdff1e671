"""Abuse of held mail, case by case (40 to 45 and 51 to 53 of the faults that are promised), in a house on paper."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.entitled import by_the_mirror
from tests.support.letters import KEYS, OWN, SERVICE
from tests.support.paper_house import SETTINGS, House
from tests.support.paper_mta import Letterhead

from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, Kind, Token, digest, seal_token
from groupmilter.moderation.decision import Asked, Decisions, Problem
from groupmilter.moderation.item import Event, Item, State, Way, Who
from groupmilter.moderation.ledger import Ledger

OUTSIDER = "client@outside.example"
DAY = 86_400
ROOT = Who("root", Way.COMMAND)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    people = {name: house.office.person(name, login=name) for name in ("jean", "anna", "bob", "mallory")}
    moderators = frozenset({people["jean"].node, people["anna"].node})
    for name in ("sales", "news"):
        house.office.group(name, people["bob"], "far@away.example", moderated=True, moderators=moderators)
    yield house
    house.close()


def person(house: House, name: str) -> Person:
    found = house.office.paper.find(f"{name}@{OWN}")
    assert isinstance(found, Person)
    return found


def settle(house: House) -> None:
    house.mta.deliver()
    while house.turn():
        house.mta.deliver()
    house.mta.deliver()


def held(house: House, group: str = "sales") -> Item:
    mark, code = house.write(OUTSIDER, group)
    assert code == 250
    settle(house)
    (item,) = house.ledger.find(message_id=f"<{mark}@outside.example>")
    return item


def state(house: House, item: Item) -> State:
    found = house.ledger.item(item.id)
    assert found is not None
    return found.state


def approval(house: House, item: Item, name: str = "jean") -> str:
    return house.token(item, person(house, name), Kind.ANSWER, Action.APPROVE)


def sent(house: House, sender: str, to: str, content: bytes, login: str = "") -> int:
    with house.times():
        return house.mta.receive(Letterhead(sender, ((to, ""),), login), content)[0]


# 40: the null sender


def test_a_null_sender_is_not_distributed_and_nobody_hears_of_it(house: House) -> None:
    assert sent(house, "", f"sales@{OWN}", b"From: x@outside.example\nMessage-ID: <n@o>\n\nx\n") == 550
    settle(house)
    assert house.mta.copies == []
    assert house.ledger.items(frozenset(State)) == ()


def test_where_a_site_lets_a_null_sender_through_to_be_held_nobody_outside_hears_of_it(
    tmp_path: Path,
) -> None:
    chain = tuple(rule for rule in SETTINGS.chain if rule != "automatic")
    house = House(tmp_path, replace(SETTINGS, chain=chain))
    jean = house.office.person("jean", login="jean")
    house.office.group("sales", "far@away.example", moderated=True, moderators=frozenset({jean.node}))
    assert sent(house, "", f"sales@{OWN}", b"From: x@outside.example\nMessage-ID: <n@o>\n\nx\n") == 250
    settle(house)
    (item,) = house.ledger.items({State.HELD})
    house.ledger.change(item.id, Event.REJECT, ROOT, int(house.now))
    settle(house)
    assert {copy.to for copy in house.mta.copies} == {f"jean@{OWN}"}
    house.close()


# 41: automatic answers; 42: wrong hands and wrong tokens


@pytest.mark.parametrize(
    "fields",
    [
        {"Auto_Submitted": "auto-replied"},
        {"X_Autoreply": "yes"},
        {"Precedence": "bulk"},
        {"Content_Type": "multipart/report; report-type=disposition-notification"},
        {"List_Id": "<x.example>"},
    ],
)
def test_an_automatic_answer_decides_nothing_and_is_on_record(house: House, fields: dict[str, str]) -> None:
    item = held(house)
    house.answer(approval(house, item), "approve", f"jean@{OWN}", "jean", **fields)
    letters = len(house.mta.copies)
    settle(house)
    assert state(house, item) is State.HELD
    assert house.ledger.audit(action="answer-ignored")
    assert len(house.mta.copies) == letters


@pytest.mark.parametrize(
    ("sender", "login"),
    [("jean", ""), ("jean", "mallory"), ("mallory", "mallory"), ("anna", "anna")],
    ids=["forged From", "another's login", "no moderator", "another moderator"],
)
def test_a_right_token_in_a_wrong_hand_decides_nothing(house: House, sender: str, login: str) -> None:
    item = held(house)
    assert house.answer(approval(house, item), "approve", f"{sender}@{OWN}", login) == 550
    settle(house)
    assert state(house, item) is State.HELD


def test_a_token_serves_for_its_own_item_action_person_and_way_only(house: House) -> None:
    item, other = held(house), held(house, "news")
    jean = person(house, "jean")
    link = house.token(item, jean, Kind.LINK)
    foreign = approval(house, item, "mallory")
    damaged = ("a" if (whole := approval(house, item))[-1] != "a" else "b").join((whole[:-1], ""))
    for token, word in ((link, "approve"), (whole, "reject"), (damaged, "approve")):
        assert house.answer(token, word, f"jean@{OWN}", "jean") == 550
    assert house.decisions().open(whole, Kind.LINK) is Problem.FORGED
    house.answer(foreign, "approve", f"mallory@{OWN}", "mallory")
    settle(house)
    assert (state(house, item), state(house, other)) == (State.HELD, State.HELD)
    house.answer(whole, "approve", f"jean@{OWN}", "jean")
    settle(house)
    assert (state(house, item), state(house, other)) == (State.RELEASED, State.HELD)


# 43: tokens again, later, and while the clock moves


@pytest.mark.parametrize("first", [Event.APPROVE, Event.REJECT, Event.EXPIRE])
def test_a_token_used_again_changes_nothing_more(house: House, first: Event) -> None:
    item = held(house)
    tokens = {word: house.token(item, person(house, "jean"), Kind.ANSWER, action)
              for word, action in (("approve", Action.APPROVE), ("reject", Action.REJECT))}  # fmt: skip
    house.ledger.change(item.id, first, ROOT, int(house.now))
    settle(house)
    before, copies = state(house, item), released(house)
    for _ in range(2):
        for word, token in tokens.items():
            house.answer(token, word, f"jean@{OWN}", "jean")
            settle(house)
    assert state(house, item) is before
    assert released(house) == copies
    assert house.ledger.audit(item=item.name, action="decided-before")


@pytest.mark.parametrize(("jump", "opens"), [(-DAY, True), (DAY, True), (4 * DAY, True), (6 * DAY, False)])
def test_a_link_opens_until_its_time_is_over_wherever_the_clock_stands(
    house: House, jump: int, opens: bool
) -> None:
    item = held(house)
    link = house.token(item, person(house, "jean"), Kind.LINK)
    house.now += jump
    assert isinstance(house.decisions().open(link, Kind.LINK), Asked) == opens
    settle(house)
    assert state(house, item) is (State.EXPIRED if jump >= 4 * DAY else State.HELD)


def test_a_token_of_another_key_or_time_opens_nothing(house: House) -> None:
    item, jean = held(house), person(house, "jean")
    past = Token(Kind.LINK, Action.ASK, int(house.now) - 1, item.digest, digest(jean.uuid))
    assert house.decisions().open(seal_token(past, KEYS), Kind.LINK) is Problem.EXPIRED


# 45: opposite decisions at the same time


def test_of_opposite_decisions_at_once_one_stands(house: House) -> None:
    url = f"sqlite:///{house.folder}/state.db"
    items = [held(house) for _ in range(8)]

    def decide(number: int) -> bool:
        ledger = Ledger.open(url, timeout=30.0)
        try:
            event = Event.APPROVE if number % 2 else Event.REJECT
            decided = Decisions(ledger, house, KEYS, house.settings, house.clock, by_the_mirror)
            who = Who(f"number-{number}", Way.LINK)
            return decided.decide(items[number // 6], event, who).happened
        finally:
            ledger.close()

    with ThreadPoolExecutor(12) as pool:
        happened = list(pool.map(decide, range(6 * len(items))))
    assert [sum(happened[6 * n : 6 * n + 6]) for n in range(len(items))] == [1] * len(items)
    settle(house)
    approved = [item for item in items if state(house, item) is State.RELEASED]
    assert released(house) == len(approved)
    assert all(state(house, item) in {State.RELEASED, State.REJECTED} for item in items)


# 51: storms; 52: backscatter; 53: loops


def test_a_storm_of_held_mail_is_no_storm_of_letters(house: House) -> None:
    for _ in range(12):
        for _ in range(25):
            assert house.write(OUTSIDER, "sales")[1] == 250
        settle(house)
        house.now += 300
    letters = Counter(copy.to for copy in house.mta.copies)
    assert letters.keys() == {f"jean@{OWN}", f"anna@{OWN}"}
    most = house.settings.moderation.letters_per_hour + 1
    assert all(count <= most for count in letters.values()), letters
    assert len(house.ledger.items({State.HELD})) == 300


def test_a_thousand_forged_senders_get_nothing(house: House) -> None:
    for number in range(1000):
        assert house.write(f"victim{number}@forged.example", "sales")[1] in {250, 452}
    settle(house)
    items = house.ledger.items({State.HELD}, limit=2000)
    assert len(items) >= 900
    house.ledger.change_each([item.id for item in items[::2]], Event.REJECT, ROOT, int(house.now))
    settle(house)
    house.now += 80 * 3600
    settle(house)
    assert {state(house, item) for item in items} == {State.REJECTED, State.EXPIRED}
    assert [copy.to for copy in house.mta.copies if not copy.to.endswith(f"@{OWN}")] == []


def test_what_a_forwarder_sends_back_is_neither_distributed_nor_held_again(house: House) -> None:
    item = held(house)
    house.ledger.change(item.id, Event.APPROVE, ROOT, int(house.now))
    settle(house)
    (copy,) = (copy for copy in house.mta.copies if copy.to == "far@away.example")
    assert sent(house, "far@away.example", f"sales@{OWN}", copy.content) == 554
    settle(house)
    assert len(house.ledger.items(frozenset(State))) == 1
    assert released(house) == 1


def test_no_address_of_the_hold_mailbox_is_open_to_anybody(house: House) -> None:
    held(house)
    (name,) = (path for path in (house.folder / "hold" / ".Held" / "cur").iterdir())
    found = re.search(rb"^Delivered-To: (\S+)$", name.read_bytes(), re.MULTILINE)
    assert found
    for to in (found[1].decode(), f"release@{SERVICE}", f"hold@{SERVICE}", f"anybody@{SERVICE}"):
        assert sent(house, OUTSIDER, to, b"From: x@outside.example\n\nx\n") == 550
        assert sent(house, f"mallory@{OWN}", to, b"From: mallory@own.example\n\nx\n", "mallory") == 550


def released(house: House) -> int:
    """How many copies of held messages left for the member outside."""
    return sum(copy.to == "far@away.example" for copy in house.mta.copies)
