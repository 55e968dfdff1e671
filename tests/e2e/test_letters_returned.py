"""Moderators whose mailbox is gone, through real Postfix: their letters come back, and somebody else is asked, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.failing import GONE, Failing, failing
from tests.support.moderators import Moderators
from tests.support.office import ALICE, BOB, JEAN, PIERRE, group, identity, member, message

from groupmilter.moderation.item import Item
from groupmilter.moderation.request import Request, Stage

PEOPLE = "ou=people,dc=masociete,dc=example"
ADMINISTRATOR = "administrator@masociete.example"
"""He owns every group of the office."""

ALONE, TWO, BOTH = (f"{name}@masociete.example" for name in ("seul", "deux", "accord"))


def moderated_by(name: str, *moderators: str, approvals: int = 1) -> str:
    return group(
        name, "dgModerated: TRUE", f"owner: uid=alice,{PEOPLE}", f"dgApprovalsNeeded: {approvals}",
        *(f"dgModerator: uid={one},{PEOPLE}" for one in moderators), *member("pierre"),
    )  # fmt: skip


CIRCLE = "cercle@masociete.example"
GROUPS = "".join(
    (
        group("cercle", "dgJoinPolicy: approval", *member("bob")).replace("uid=administrator", "uid=jean"),
        moderated_by("seul", "jean"),
        moderated_by("deux", "jean", "bob"),
        moderated_by("accord", "jean", "bob", approvals=2),
    )
)


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Failing]:
    with failing(GROUPS) as made:
        made.whole.installation.sink.replies[JEAN] = GONE
        yield made


def held(site: Failing, to: str) -> tuple[str, Item]:
    """Have a message held whose first letters have arrived or come back."""
    mark = identity()
    site.send(PIERRE, [to], message(mark, PIERRE), login="pierre")
    item = site.whole.held(mark)
    site.whole.until(lambda: returned(site, item) == [JEAN], f"the letter to {JEAN} is back")
    site.still()
    return mark, item


def returned(site: Failing, item: Item) -> list[str]:
    """Whose letters about an item have come back."""
    return [row.detail for row in site.whole.ledger.audit(action="letter-returned", item=item.name)]


def asked(site: Failing, item: Item) -> list[str]:
    """To whom a letter was sent that asks about an item."""
    return sorted(row.detail for row in site.whole.ledger.audit(action="request-sent", item=item.name))


def test_where_nobody_else_was_asked_the_owner_is(site: Failing) -> None:
    mark, item = held(site, ALONE)
    assert asked(site, item) == [ADMINISTRATOR, ALICE, JEAN]
    owner = Moderators(site.whole.installation, ALICE, "alice")
    letter = owner.letter(mark)
    assert letter is not None
    assert str(letter["Subject"]).startswith("To approve: ")
    owner.by_mail(letter, "approve")
    site.whole.until(lambda: any(mark.encode() in sunk.content for sunk in site.to(PIERRE)), "it is released")


def test_where_another_moderator_was_reached_nobody_else_is_bothered(site: Failing) -> None:
    _, item = held(site, TWO)
    assert asked(site, item) == [BOB, JEAN]


def test_where_two_have_to_agree_and_one_is_left_the_owner_is_asked(site: Failing) -> None:
    _, item = held(site, BOTH)
    assert asked(site, item) == [ADMINISTRATOR, ALICE, BOB, JEAN]


def test_an_owner_who_is_asked_to_let_somebody_in_is_followed_too(site: Failing) -> None:
    site.send(PIERRE, [CIRCLE.replace("@", "+join@")], message(identity(), PIERRE), login="pierre")
    ledger = site.whole.ledger

    def requests() -> tuple[Request, ...]:
        return ledger.requests.find(frozenset({Stage.WAITING}), address=PIERRE)

    def came_back() -> list[str]:
        return [
            row.detail for one in requests() for row in ledger.audit(action="letter-returned", item=one.name)
        ]

    site.whole.until(lambda: came_back() == [JEAN], f"the letter to {JEAN} is back")
    site.still()
    (request,) = requests()
    others = [
        sunk.addresses
        for sunk in site.whole.installation.sink.messages
        if request.name.encode() in sunk.content and not {JEAN, PIERRE} & set(sunk.addresses)
    ]
    assert len(others) == 1, "nobody else owns it: one letter to who is there for that"
    assert came_back() == [JEAN]
