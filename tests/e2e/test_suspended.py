"""A suspended member gets nothing, whichever way a copy goes: in place, by itself, in batches, released, from a group
inside; everybody else gets his.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default

import pytest
from tests.support.failing import Failing, failing
from tests.support.installation import recipients
from tests.support.office import (
    ADMINISTRATOR,
    BOB,
    GROUPS,
    JEAN,
    PEOPLE,
    PIERRE,
    group,
    identity,
    member,
    message,
)

from groupmilter.groups.group import Group
from groupmilter.groups.ticket import Kind
from groupmilter.moderation.bounce_book import Failed, Suspension
from groupmilter.moderation.item import DESK
from groupmilter.moderation.weekly import BOUNCES, WEEK, week_of

DEAD = "dead@partner.example"
CROWD = [f"n{number}@crowd.example" for number in range(7)]
LINE = f"dgMemberAddress: {DEAD}"
WAYS = ("open", "veiled", "crowded", "outside", "gated")
EXTRA = "".join(
    (
        group("open", "dgRequireAuthentication: FALSE", LINE, *member("jean")),
        group("veiled", "dgHiddenMembers: TRUE", LINE, *member("jean")),
        group("crowded", LINE, *member("jean"), *(f"dgMemberAddress: {one}" for one in CROWD)),
        group("outside", f"member: cn=open,{GROUPS}", *member("pierre")),
        group("gated", "dgModerated: TRUE", f"dgModerator: uid=jean,{PEOPLE}", LINE, *member("jean")),
    )
)
WANTED = {"crowded": sorted([JEAN, *CROWD]), "outside": sorted([JEAN, PIERRE])}


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Failing]:
    with failing(EXTRA, policy="bounds: {in_place: 4}\n") as made:
        made.whole.ledger.bounces.suspend(Suspension(DEAD, 1, 0, 0, "root", "", "gone"), DESK)
        yield made


@pytest.mark.parametrize("beside", [(), (BOB,)], ids=["alone", "beside others"])
@pytest.mark.parametrize("name", WAYS)
def test_he_is_left_out(site: Failing, name: str, beside: tuple[str, ...]) -> None:
    mark, wanted = identity(), [*WANTED.get(name, [JEAN]), *beside]
    site.send(BOB, [f"{name}@masociete.example", *beside], message(mark, BOB), login="bob")
    if name == "gated":
        site.whole.released(mark)
    copies = site.whole.copies(mark, wanted)
    assert DEAD not in recipients(copies)
    split = [item for item in site.whole.items(mark) if item.arrival.kind is Kind.SPLIT]
    assert len(split) == (name == "crowded" or (name == "veiled" and bool(beside)))
    # The last copy may have come before the desk has noted the MTA's answer.
    for item in split:
        site.whole.ended(item)


def test_the_owner_gets_a_letter_about_last_week_once(site: Failing) -> None:
    ledger, begun = site.whole.ledger, week_of(int(time.time()))
    site.whole.until(lambda: ledger.bounces.summed_up(BOUNCES) == begun, "this week begun")
    with site.whole.installation.service.directory() as directory:
        group = directory.find("veiled@masociete.example")
    assert isinstance(group, Group)
    last = begun - 3600
    ledger.bounces.count(
        Failed("t", DEAD, "f", group.uuid, group.address, "permanent", "5.1.1", "550 gone", last, last)
    )
    ledger.bounces.sum_up(BOUNCES, begun - WEEK)
    site.whole.until(lambda: bool(site.to(ADMINISTRATOR)), "a letter")
    site.still()
    (sunk,) = site.to(ADMINISTRATOR)
    letter = message_from_bytes(sunk.content, policy=default)
    assert (sunk.sender, letter["Auto-Submitted"]) == ("", "auto-generated")
    assert "(veiled)" in letter["Subject"]
    assert DEAD.encode() in sunk.content
    assert ledger.bounces.summed_up(BOUNCES) == begun


def test_nothing_surprised(site: Failing) -> None:
    site.still()
    assert site.whole.installation.service.surprises() == []
