"""Whom a release reaches: the group as it is then, groups inside it by their own rules, and nobody twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.installation import recipients
from tests.support.moderated import Moderated, moderated
from tests.support.office import (
    ALICE,
    BOB,
    COMMERCIAL,
    GROUPS,
    JEAN,
    PEOPLE,
    PIERRE,
    group,
    identity,
    member,
    message,
)

from groupmilter.moderation.item import Event, State

CLIENT = "client@outside.example"
OPEN = ("dgRequireAuthentication: FALSE",)
MODERATED = (*OPEN, "dgModerated: TRUE", f"dgModerator: uid=jean,{PEOPLE}")
OUTER, INNER = "dehors@masociete.example", "dedans@masociete.example"
COVERING, CHANGING, DOOMED = "tout@masociete.example", "mouvant@masociete.example", "perdu@masociete.example"
PLAIN = "ouvert@masociete.example"


def inside(name: str) -> str:
    return f"member: cn={name},{GROUPS}"


MORE = "".join(
    (
        group("dedans", *MODERATED, *member("pierre", "alice")),
        group("dehors", *MODERATED, *member("bob", "alice"), inside("dedans")),
        group("tout", *MODERATED, "dgModerationCoversNested: TRUE", *member("bob"), inside("dedans")),
        group("ouvert", *OPEN, *member("bob"), inside("dedans")),
        group("mouvant", *MODERATED, *member("bob", "pierre")),
        group("perdu", *MODERATED, *member("bob")),
    )
)


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Moderated]:
    with moderated(MORE) as site:
        yield site


def send(site: Moderated, *to: str, sender: str = CLIENT, login: str = "") -> str:
    mark = identity()
    sent = site.installation.send(sender, to, message(mark, sender), login=login)
    assert sent.accepted, sent
    return mark


def change(site: Moderated, ldif: str) -> None:
    before = site.installation.service.generation()
    site.slapd.modify(ldif)
    site.installation.service.wait_change(before)


def test_a_release_reaches_those_who_are_members_then(site: Moderated) -> None:
    """Who came while it was held gets it, who left does not."""
    mark = send(site, CHANGING)
    item = site.held(mark)
    change(
        site,
        f"dn: cn=mouvant,{GROUPS}\nchangetype: modify\n"
        f"delete: member\nmember: uid=pierre,{PEOPLE}\n-\nadd: member\nmember: uid=alice,{PEOPLE}\n",
    )
    site.decide(item)
    site.ended(item)
    site.copies(mark, [ALICE, BOB])


def test_a_group_that_is_gone_by_then_leaves_its_mail_to_a_human(site: Moderated) -> None:
    mark = send(site, DOOMED)
    item = site.held(mark)
    before = site.installation.service.generation()
    site.slapd.delete(f"cn=perdu,{GROUPS}")
    site.installation.service.wait_change(before)
    site.decide(item)
    shunted = site.ended(item, State.SHUNTED)
    assert shunted.note.startswith("550 5.7.1")
    assert site.delivered(mark) == []
    site.decide(shunted, Event.REJECT)
    assert site.ended(item, State.REJECTED).finished


def test_a_moderated_group_inside_waits_for_its_own_approval(site: Moderated) -> None:
    mark = send(site, OUTER)
    outer = site.released(mark, OUTER)
    inner = site.held(mark, INNER)
    site.copies(mark, [ALICE, BOB])
    site.decide(inner)
    site.ended(inner)
    found = site.copies(mark, [ALICE, ALICE, BOB, PIERRE])
    assert {item.id for item in site.items(mark)} == {outer.id, inner.id}
    assert recipients(found).count(ALICE) == 2, "a member of both gets one copy of each decision"


def test_what_the_group_inside_rejects_reaches_only_the_others(site: Moderated) -> None:
    mark = send(site, OUTER)
    site.released(mark, OUTER)
    inner = site.held(mark, INNER)
    site.decide(inner, Event.REJECT)
    site.ended(inner, State.REJECTED)
    site.copies(mark, [ALICE, BOB])


def test_an_approval_that_covers_groups_inside_is_the_only_one(site: Moderated) -> None:
    mark = send(site, COVERING)
    site.released(mark, COVERING)
    site.copies(mark, [ALICE, BOB, PIERRE])
    assert len(site.items(mark)) == 1


def test_a_moderated_group_inside_an_open_one_is_held_at_once_and_keeps_the_return_path(
    site: Moderated,
) -> None:
    mark = send(site, PLAIN, sender=PIERRE, login="pierre")
    site.copies(mark, [BOB])
    site.released(mark, INNER)
    found = site.copies(mark, [ALICE, BOB, PIERRE])
    assert {copy.sender for copy in found} == {PIERRE}


def test_who_needs_no_approval_of_the_group_inside_needs_none_after_the_release(site: Moderated) -> None:
    """The identity that was proven at first is the one that the release goes by."""
    mark = send(site, OUTER, sender=JEAN, login="jean")
    site.copies(mark, [ALICE, BOB, PIERRE])
    assert site.items(mark) == ()


def test_two_moderated_groups_in_one_transaction_are_two_decisions(site: Moderated) -> None:
    mark = send(site, COMMERCIAL, CHANGING, JEAN)
    site.copies(mark, [JEAN])
    one, two = site.held(mark, COMMERCIAL), site.held(mark, CHANGING)
    site.decide(one)
    site.ended(one)
    site.copies(mark, [BOB, JEAN, PIERRE])
    site.decide(two, Event.REJECT)
    site.ended(two, State.REJECTED)
    site.copies(mark, [BOB, JEAN, PIERRE])


def test_one_group_given_twice_is_held_once(site: Moderated) -> None:
    mark = send(site, COMMERCIAL, COMMERCIAL.upper(), '"commercial"@masociete.example')
    site.released(mark)
    site.copies(mark, [BOB, PIERRE])
    assert len(site.items(mark)) == 1


def test_what_came_past_the_milter_can_be_let_through(site: Moderated) -> None:
    """With the milter switched off by mistake the generated map leads it to the hold mailbox; nobody gets it."""
    postfix = site.installation.postfix
    milters = postfix.postconf("smtpd_milters")
    postfix.edit({"smtpd_milters": ""})
    postfix.restart()
    mark = send(site, COMMERCIAL)
    postfix.edit({"smtpd_milters": milters})
    postfix.restart()
    site.until(lambda: bool(site.items(mark)), "the desk's notice of it")
    (item,) = site.items(mark)
    assert (item.state, item.terms.group_address, item.arrival.recipient) == (
        State.SHUNTED,
        COMMERCIAL,
        COMMERCIAL,
    )
    assert site.delivered(mark) == []
    site.decide(item)
    site.ended(item)
    site.copies(mark, [BOB, PIERRE])


def test_who_waits_for_copies_in_vain_is_told_where_the_mail_is(site: Moderated) -> None:
    """The harness itself: here it waits for somebody's approval, and one member of two has it already."""
    mark = send(site, CHANGING, ALICE)
    item = site.held(mark)
    site.until(lambda: bool(site.delivered(mark)), "Alice's copy")
    with pytest.raises(TimeoutError) as vain:
        site.copies(mark, [ALICE, BOB], seconds=0.5)
    told = str(vain.value)
    assert item.name in told.partition("the logs end with:")[0]
    assert f"/.Held/cur/{item.arrival.file}:2,S\n" in told or f"/new/{item.arrival.file}\n" in told
    assert vain.value.__notes__ == [f"{mark} has reached {[ALICE]}"]
    site.decide(item, Event.REJECT)
