"""Tickets noted ahead for many releases: written to disk once, used only while fresh, and for whole messages alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, event
from tests.moderation.ledgers import KEYS, NOW, TERMS, arrival, ticket
from tests.moderation.test_release import MESSAGE, Mta, item_of, office, releases

from groupmilter.groups.ticket import Kind, unseal
from groupmilter.mail.content import content_digest
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.release import ContentChanged


def held(ledger: Ledger, number: int, kind: Kind = Kind.HOLD) -> Item:
    digest = content_digest(MESSAGE).hex()
    made = arrival(number, kind=kind, ticket=ticket(number, kind), content=digest)
    return ledger.record(made, TERMS, State.APPROVED, NOW).item


def test_tickets_of_many_are_written_to_disk_once(ledger: Ledger) -> None:
    items = [held(ledger, number) for number in range(20)]
    commits: list[object] = []

    def committed(connection: object) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", committed)
    try:
        noted = releases(ledger, Mta(ledger), office()).ahead(items)
    finally:
        event.remove(Engine, "commit", committed)
    assert len(commits) == 1
    assert noted.keys() == {item.id for item in items}
    for one in noted.values():
        opened = unseal(one.ticket, KEYS, content_digest(MESSAGE))
        assert opened is not None
        assert opened.kind is Kind.RELEASE


def test_a_release_goes_with_the_ticket_that_was_noted_for_it(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger)
    released = releases(ledger, mta, office())
    ahead = released.ahead([item])[item.id]
    assert released.release(item, MESSAGE, ahead) == "Q1"
    assert mta.got[0][0].recipients[0][1] == f"ORCPT=rfc822;{ahead.ticket}"
    assert mta.receivers == [None]
    found = ledger.item(item.id)
    assert found is not None
    assert found.state is State.RELEASED


@pytest.mark.parametrize("seconds", [60, 600, -1])
def test_one_that_has_waited_is_replaced_and_opens_nothing_any_more(ledger: Ledger, seconds: int) -> None:
    mta, item = Mta(ledger), item_of(ledger)
    released = releases(ledger, mta, office())
    ahead = released.ahead([item])[item.id]
    later = replace(released, clock=lambda: NOW + seconds)
    assert later.release(item, MESSAGE, ahead) == "Q1"
    assert ahead.ticket not in mta.got[0][0].recipients[0][1]
    assert ledger.releases.spend(ahead.ticket, NOW) is None


def test_what_goes_in_several_transactions_or_not_at_all_gets_none_ahead(ledger: Ledger) -> None:
    items = [held(ledger, 1, Kind.SPLIT), held(ledger, 2, Kind.REFUSE), held(ledger, 3)]
    noted = releases(ledger, Mta(ledger), office()).ahead(items)
    assert noted.keys() == {items[2].id}


def test_it_opens_nothing_for_another_content(ledger: Ledger) -> None:
    mta, item = Mta(ledger), item_of(ledger)
    released = releases(ledger, mta, office())
    with pytest.raises(ContentChanged):
        released.release(item, MESSAGE + b"more\n", released.ahead([item])[item.id])
    assert mta.got == []
