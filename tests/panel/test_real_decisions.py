"""The panel over the real service: ledger in SQLite, directory in a mirror, tokens with real keys."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.directory.mirrors import NOW, OWN, group, group_dn, opened, person, person_dn
from tests.panel.standin import KEYS, Lines, Site, panel
from tests.support.entitled import by_the_mirror

from groupmilter.directory.entry import Put
from groupmilter.directory.mirror import Mirror
from groupmilter.directory.snapshot import Reader, Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.ticket import Action, Kind, Token, digest, seal_token
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.item import Arrival, Item, State, Terms, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.remembering import Values
from groupmilter.panel.typed import word
from groupmilter.policy.settings import Settings


@dataclass(slots=True)
class Lookups:
    """Snapshots of a mirror at a standing time."""

    reader: Reader

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self.reader.snapshot(NOW)


@dataclass(slots=True)
class House:
    """A panel with all that stands behind it."""

    site: Site
    ledger: Ledger
    mirror: Mirror
    item: Item
    written: list[tuple[str, str, str]] = field(default_factory=list)

    def path(self, name: str) -> str:
        return f"/decide/{self.token(name)}?lang=en"

    def token(self, name: str) -> str:
        token = Token(Kind.LINK, Action.ASK, int(NOW) + 60, self.item.digest, digest(f"person-{name}"))
        return seal_token(token, KEYS)

    def post(self, name: str, decision: str, **fields: str) -> int:
        typed = word(self.token(name), "en")
        return self.site.post(self.path(name), decision=decision, word=typed, **fields).status

    def now(self) -> Item:
        found = self.ledger.item(self.item.id)
        assert found is not None
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    people = [Put(person(name)) for name in ("owner", "anna", "bert", "zora")]
    moderators = [person_dn("anna"), person_dn("bert")]
    moderated = Put(group("sales", "zora", dgModerated="TRUE", dgModerator=moderators))
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    reader = Reader(tmp_path / "mirror.db", 3600.0)
    written: list[tuple[str, str, str]] = []

    def write(who: Who, where: Group, values: Values) -> bool:
        assert who.uuid == "person-owner"
        written.extend((where.dn, name, value) for name, value in values)
        return True

    decisions = Decisions(
        ledger, Lookups(reader), KEYS, Settings(own_domains=OWN), lambda: NOW, by_the_mirror, write=write
    )
    arrival = Arrival(
        ticket="t" * 59, content="c", file="f", group=digest("group-sales"), author="x@out.example"
    )
    terms = Terms(group_uuid="group-sales", group_address="sales@example.org", why="moderation")
    with opened(tmp_path / "mirror.db", *people, moderated) as mirror, panel(decisions) as site:
        held = ledger.record(arrival, terms, State.HELD, int(NOW)).item
        yield House(site, ledger, mirror, held, written)
    reader.close()
    ledger.close()


def test_looking_leaves_the_ledger_as_it_is(house: House) -> None:
    before, newest = house.now(), house.ledger.newest()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda method: house.site.ask(house.path("anna"), method), ["GET", "HEAD"] * 50)
        )
    assert {answer.status for answer in answers} == {200}
    assert (house.now(), house.ledger.newest()) == (before, newest)


def test_a_moderator_rejects_with_a_reason(house: House) -> None:
    assert house.post("anna", "reject", reason="Not here") == 200
    now = house.now()
    assert (now.state, now.decided_by, now.way, now.comment) == (
        State.REJECTED,
        "anna@example.org",
        "link",
        "Not here",
    )
    assert house.ledger.audit(item=house.item.name)[-1].origin == "127.0.0.1"
    assert house.post("bert", "approve") == 409
    assert house.now() == now


def test_of_two_moderators_at_once_one_decides(house: House) -> None:
    asked = [("anna", "approve"), ("bert", "reject")] * 5
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda pair: house.post(*pair), asked))
    assert set(statuses) <= {200, 409}
    rows = [row for row in house.ledger.audit(item=house.item.name) if row.after in ("approved", "rejected")]
    assert len(rows) == 1


def test_who_is_no_moderator_decides_nothing_and_is_on_record(house: House) -> None:
    assert house.post("zora", "approve") == 403
    assert house.now().state is State.HELD
    assert [row.action for row in house.ledger.audit()][-1] == "token-foreign"


def test_a_moderator_dismissed_this_moment_decides_nothing(house: House) -> None:
    assert house.site.ask(house.path("bert")).status == 200
    moderated = group("sales", "zora", dgModerated="TRUE", dgModerator=[person_dn("anna")])
    house.mirror.apply([Put(moderated)], now=NOW, complete=False)
    assert house.post("bert", "approve") == 403
    assert house.now().state is State.HELD


def test_an_owner_has_the_sender_allowed_from_now_on(house: House) -> None:
    assert house.post("owner", "approve", allow="yes") == 200
    dn = group_dn("sales")
    assert house.written == [
        (dn, "bypass_addresses", "x@out.example"),
        (dn, "external_senders", "x@out.example"),
    ]


def test_a_moderator_has_nobody_remembered(house: House) -> None:
    assert house.post("anna", "reject", block="yes") == 200
    assert house.written == []


def test_a_directory_that_is_not_there_asks_to_come_again(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    reader = Reader(tmp_path / "nothing.db", 3600.0)
    decisions = Decisions(ledger, Lookups(reader), KEYS, Settings(), lambda: NOW, by_the_mirror)
    held = ledger.record(Arrival(ticket="t", content="c", file="f"), Terms(), State.HELD, int(NOW)).item
    token = seal_token(Token(Kind.LINK, Action.ASK, int(NOW) + 60, held.digest, 5), KEYS)
    with panel(decisions) as site:
        assert site.ask(f"/decide/{token}").status == 503
        assert site.log == Lines()
    reader.close()
    ledger.close()
