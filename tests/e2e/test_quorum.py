"""Two approvals through real Postfix: the first is counted and told, the second releases, one rejection is enough."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from tests.support.moderated import Moderated, moderated
from tests.support.office import ALICE, BOB, JEAN, PEOPLE, PIERRE, group, identity, member, message

from groupmilter.moderation.item import Item, State

CLIENT = "client@outside.example"
COMMITTEE = "comite@masociete.example"
MODERATORS = {"jean": JEAN, "alice": ALICE, "bob": BOB}
MORE = group(
    "comite", "dgRequireAuthentication: FALSE", "dgModerated: TRUE", "dgApprovalsNeeded: 2",
    *(f"dgModerator: uid={uid},{PEOPLE}" for uid in MODERATORS), *member("pierre"),
)  # fmt: skip


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Moderated]:
    with moderated(MORE) as site:
        yield site


def held(site: Moderated) -> tuple[str, Item]:
    """A message to the committee that waits."""
    mark = identity()
    assert site.installation.send(CLIENT, [COMMITTEE], message(mark, CLIENT)).accepted
    item = site.held(mark)
    assert item.terms.approvals == 2
    return mark, item


def letters(site: Moderated, item: Item, to: str) -> list[str]:
    """The texts of what was written to somebody about an item, as far as it has come."""
    found = []
    for copy in site.installation.sink.messages:
        if to in copy.addresses and copy.told:
            parsed = email.message_from_bytes(copy.content, policy=email.policy.default)
            assert isinstance(parsed, EmailMessage)
            body = parsed.get_body(("plain",))
            text = str(body.get_content()) if body is not None else ""
            found += [text] if item.name.encode() in copy.content else []
    return found


def decide(site: Moderated, item: Item, uid: str, word: str) -> None:
    """Answer the letter that somebody got, by mail, with his log-in."""
    person = MODERATORS[uid]
    site.until(lambda: bool(letters(site, item, person)), f"a letter to {person}")
    (address,) = set(re.findall(rf"{word}\+[a-z0-9]+@[a-z.]+", letters(site, item, person)[0]))
    octets = f"From: {person}\r\nTo: {address}\r\nSubject: {word}\r\n\r\n\r\n".encode()
    assert site.installation.send(person, [address], octets, login=uid).accepted


def approvals(site: Moderated, item: Item) -> list[str]:
    now = site.ledger.item(item.id)
    assert now is not None
    return [one.name for one in now.approved_by]


def test_the_second_approval_releases(site: Moderated) -> None:
    mark, item = held(site)
    decide(site, item, "jean", "approve")
    site.until(lambda: approvals(site, item) == [JEAN], "jean's approval counted")
    site.until(
        lambda: any(re.search(r":\s+1\.", one) for one in letters(site, item, JEAN)), "jean told of it"
    )
    site.installation.settle()
    decide(site, item, "jean", "approve")
    site.installation.settle()
    waiting = site.ledger.item(item.id)
    assert waiting is not None
    assert (waiting.state, approvals(site, item)) == (State.HELD, [JEAN]), "one person counts once"
    assert site.delivered(mark) == []
    decide(site, item, "alice", "approve")
    done = site.ended(item)
    assert (done.decided_by, approvals(site, item)) == (ALICE, [JEAN, ALICE])
    site.copies(mark, [PIERRE])
    actions = [row.action for row in site.ledger.search.history(item)]
    assert [each for each in actions if each in {"agree", "approve", "release"}] == [
        "agree",
        "approve",
        "release",
    ]


def test_one_rejection_is_enough(site: Moderated) -> None:
    mark, item = held(site)
    decide(site, item, "bob", "approve")
    site.until(lambda: approvals(site, item) == [BOB], "bob's approval counted")
    decide(site, item, "alice", "reject")
    done = site.ended(item, State.REJECTED)
    assert (done.decided_by, approvals(site, item)) == (ALICE, [BOB])
    site.installation.settle()
    assert site.delivered(mark) == []
