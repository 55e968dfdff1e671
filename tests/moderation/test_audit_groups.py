"""Whatever writes a row about a group writes its entry's UUID."""

from __future__ import annotations

from tests.moderation.ledgers import GROUP, NOW, recorded

from groupmilter.moderation.bounce_book import Suspension
from groupmilter.moderation.item import DESK, Event, Way, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import Draft, Stage, Turn, Wanted
from groupmilter.moderation.rows import Letter

UUID = "uuid-sales"
JEAN = Who("jean@own.example", Way.LINK, "uuid-jean")
GONE = "gone@partner.example"


def test_every_book_names_the_groups_entry(ledger: Ledger) -> None:
    item = recorded(ledger)
    ledger.note("agree", JEAN, NOW, item_id=item.id)
    ledger.change(item.id, Event.APPROVE, JEAN, NOW)
    ledger.letters.plan([Letter(0, item.id, "request", "jean@own.example", "Jean", "fr", "u", 0, NOW, "")])
    [letter] = ledger.letters.due(NOW)
    ledger.letters.sent([letter.id], NOW)
    draft = Draft(
        digest=71, kind=Wanted.JOIN, group_uuid=UUID, group_address=GROUP, address="new@partner.example"
    )
    asked = ledger.requests.record(draft, Stage.WAITING, DESK, NOW).request
    ledger.requests.turn(asked.id, Turn.REJECT, JEAN, NOW)
    ledger.bounces.suspend(Suspension(GONE, NOW, NOW, 0, "desk", GROUP, "550", UUID), DESK)
    ledger.bounces.try_again(GONE, DESK, NOW)
    ledger.bounces.resume(GONE, JEAN, NOW)
    rows = ledger.audit()
    assert {row.action for row in rows} == {
        "record", "agree", "approve", "request-sent", "request-join", "request-reject", "suspend", "try-again",
        "resume",
    }  # fmt: skip
    assert {(row.group, row.group_uuid) for row in rows} == {(GROUP, UUID)}


def test_rows_are_found_by_the_entry_or_the_address_of_then(ledger: Ledger) -> None:
    for detail, address, uuid in (
        ("then", "old@own.example", UUID), ("now", GROUP, UUID), ("other", GROUP, "uuid-of-another"),
    ):  # fmt: skip
        ledger.note("group-edit", JEAN, NOW, group=address, group_uuid=uuid, detail=detail)
    for group, uuid, expected in (
        ("", UUID, ["then", "now"]), (GROUP, "", ["now", "other"]), (GROUP, UUID, ["then", "now", "other"]),
    ):  # fmt: skip
        found = ledger.audit(group=group, group_uuid=uuid)
        assert [row.detail for row in found] == expected
        assert ledger.search.newest_audit(group=group, group_uuid=uuid) == found
