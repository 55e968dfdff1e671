"""Which values "always allow" and "always block" write, and for whom they write nothing."""

from __future__ import annotations

import pytest

from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.mail.address import Pattern, pattern
from groupmilter.moderation.item import Arrival, Item, State, Terms
from groupmilter.moderation.remembering import (
    BY_RULE,
    DENIED,
    NO_ADDRESS,
    OF_GROUP,
    OWN_ADDRESS,
    author,
    remembered,
)
from groupmilter.policy.facts import Strength

OWN = frozenset({"masociete.example"})
OUTSIDER, COLLEAGUE = "Marie.Martin@ailleurs.example", "jean@masociete.example"


def patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(found for text in texts if (found := pattern(text)) is not None)


def group(
    *,
    authentication: bool = True,
    external: tuple[str, ...] = (),
    bypass: tuple[str, ...] = (),
    denied: tuple[str, ...] = (),
    allowed: tuple[str, ...] = (),
) -> Group:
    return Group(
        node=Node(1),
        uuid="g",
        dn="cn=g",
        address="contact@masociete.example",
        moderated=True,
        require_authentication=authentication,
        external_senders=patterns(*external),
        bypass_addresses=patterns(*bypass),
        denied_addresses=patterns(*denied),
        allowed_addresses=patterns(*allowed),
    )


def item(
    address: str, strength: Strength = Strength.CLAIMED, sender: int = 0, why: str = "moderation"
) -> Item:
    arrival = Arrival(ticket="t", content="c", file="f", author=address, strength=strength, sender=sender)
    return Item(id=1, state=State.HELD, arrival=arrival, terms=Terms(why=why), recorded=1)


BYPASS = ("bypass_addresses", "marie.martin@ailleurs.example")
EXTERNAL = ("external_senders", "marie.martin@ailleurs.example")


def test_an_outsider_is_let_in_and_past() -> None:
    assert remembered(group(), item(OUTSIDER, Strength.DMARC), OWN, allow=True) == (BYPASS, EXTERNAL)


def test_a_group_open_to_all_needs_no_external_sender() -> None:
    assert remembered(group(authentication=False), item(OUTSIDER), OWN, allow=True) == (BYPASS,)


def test_a_list_of_allowed_senders_needs_one() -> None:
    listed = group(authentication=False, allowed=("autre@ailleurs.example",))
    assert remembered(listed, item(OUTSIDER), OWN, allow=True) == (BYPASS, EXTERNAL)
    named = group(authentication=False, allowed=("@ailleurs.example",))
    assert remembered(named, item(OUTSIDER), OWN, allow=True) == (BYPASS,)


def test_what_stands_there_is_not_added_again() -> None:
    there = group(external=("@.ailleurs.example",), bypass=("marie.martin@ailleurs.example",))
    assert remembered(there, item(OUTSIDER), OWN, allow=True) == ()
    assert remembered(group(denied=("@ailleurs.example",)), item(OUTSIDER), OWN, allow=False) == ()


def test_a_colleague_only_needs_no_approval() -> None:
    known = item(COLLEAGUE, Strength.LOGIN, sender=5)
    assert remembered(group(), known, OWN, allow=True) == (("bypass_addresses", COLLEAGUE),)


def test_an_outsider_is_blocked_even_on_a_mere_claim() -> None:
    blocked = (("denied_addresses", "marie.martin@ailleurs.example"),)
    assert remembered(group(), item(OUTSIDER), OWN, allow=False) == blocked


@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize(
    ("strength", "sender"),
    [(Strength.CLAIMED, 0), (Strength.CLAIMED, 5), (Strength.NETWORK, 0), (Strength.LOGIN, 0)],
)
@pytest.mark.parametrize("address", [COLLEAGUE, "JEAN@MaSociete.Example", f"Jean <{COLLEAGUE}>"])
def test_a_forged_colleague_is_never_remembered(
    address: str, strength: Strength, sender: int, allow: bool
) -> None:
    assert remembered(group(), item(address, strength, sender), OWN, allow) == OWN_ADDRESS


@pytest.mark.parametrize(
    ("strength", "sender"), [(Strength.DMARC, 0), (Strength.NETWORK, 7), (Strength.LOGIN, 7)]
)
def test_a_proven_colleague_can_be_blocked(strength: Strength, sender: int) -> None:
    blocked = (("denied_addresses", COLLEAGUE),)
    assert remembered(group(), item(COLLEAGUE, strength, sender), OWN, allow=False) == blocked


def test_a_blocked_sender_is_not_allowed_beside_it() -> None:
    assert remembered(group(denied=("@ailleurs.example",)), item(OUTSIDER), OWN, allow=True) == DENIED


def test_a_site_rule_is_not_promised_away() -> None:
    assert remembered(group(), item(OUTSIDER, why="storm"), OWN, allow=True) == BY_RULE
    assert remembered(group(), item(OUTSIDER, why="storm"), OWN, allow=False) != BY_RULE


@pytest.mark.parametrize("allow", [True, False])
def test_the_group_itself_is_no_sender(allow: bool) -> None:
    assert remembered(group(), item("contact@masociete.example", Strength.LOGIN, 7), OWN, allow) == OF_GROUP


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody",
        "a@x.example, b@y.example",
        "jean@masociete.example <a@x.example> <b@y.example>",
        '"a b"@x.example',
        "a@x",
        "@x.example",
        "a@b@x.example",
        "a%b@x.example",
        "a@x.example>",
        "a\n@x.example",
    ],
)
def test_an_author_in_doubt_is_nobody(text: str) -> None:
    assert author(item(text), OWN) == ""
    assert remembered(group(), item(text), OWN, allow=True) == NO_ADDRESS


def test_a_display_name_is_no_address() -> None:
    shown = f'"{COLLEAGUE}" <attaquant@ailleurs.example>'
    assert author(item(shown), OWN) == "attaquant@ailleurs.example"
    assert author(item("Jean.Dupont@Masociete.Example"), OWN) == "jean.dupont@masociete.example"
