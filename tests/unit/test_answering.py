"""A moderator's answer at the milter: an address and a mail that its moderator signed are not yet a decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import Action, Kind, Token, digest
from groupmilter.mail.header import signed_fields
from groupmilter.policy.answering import answered
from groupmilter.policy.disposition import Answered, Deferred, Refused, Undecided
from groupmilter.policy.facts import Author, Content, Facts, Identity, Strength
from groupmilter.policy.settings import Settings

CHLOE = Person(Node(1), "u-chloe", "uid=chloe", "Chloe", "chloe@own.example")
ADDRESS = "approve+aaaa@groups.own.example"
TOKEN = Token(Kind.ANSWER, Action.APPROVE, 2**31, 7, digest(CHLOE.uuid))
SIGNED = "v=1; d=own.example; h=From:To:Subject; b=x"


def decides(
    strength: Strength, to: tuple[str, ...], signature: str = SIGNED, covers: str | None = None
) -> bool:
    """Ask; `covers`: what the signature covers that verifies, where it isn't the one in the header."""
    headers = {"to": to, "dkim-signature": (signature,)}
    signed = signed_fields((signature if covers is None else covers,))
    person = CHLOE if strength is Strength.LOGIN else None
    identity = Identity(strength, CHLOE.address, person, CHLOE.addresses, dkim=True, signed=signed)
    content = Content((Author(CHLOE.address, CHLOE),), headers=headers)
    facts = Facts(CHLOE.address, identity, content=content)
    found = answered(TOKEN, ADDRESS, facts, Settings())
    assert isinstance(found, Answered | Refused)
    return isinstance(found, Answered)


@pytest.mark.parametrize(
    ("to", "signature", "meant"),
    [
        ((ADDRESS,), SIGNED, True),
        ((f"Groupmilter <{ADDRESS.upper()}>",), SIGNED, True),
        ((f"<somebody@outside.example>, <{ADDRESS}>",), SIGNED, True),
        (("friend@outside.example",), SIGNED, False),
        ((), SIGNED, False),
        ((ADDRESS, "friend@outside.example"), SIGNED, False),
        ((ADDRESS,), SIGNED.replace(":To", ""), False),
        ((ADDRESS,), "", False),
    ],
)
def test_a_signature_decides_only_where_the_message_was_meant_to(
    to: tuple[str, ...], signature: str, meant: bool
) -> None:
    assert decides(Strength.DMARC, to, signature) is meant


def test_who_has_logged_in_may_hide_whom_he_writes_to() -> None:
    assert decides(Strength.LOGIN, ("undisclosed-recipients:;",), "")


def test_only_what_the_signature_covers_that_verifies_counts() -> None:
    assert not decides(Strength.DMARC, (ADDRESS,), covers="v=1; h=From:Subject; b=y")


def test_neither_spf_nor_a_locked_account_decides() -> None:
    headers = {"to": (ADDRESS,), "dkim-signature": (SIGNED,)}
    signed = signed_fields((SIGNED,))
    for owner, dkim in ((CHLOE, False), (replace(CHLOE, disabled=True), True), (None, True)):
        identity = Identity(Strength.DMARC, CHLOE.address, dkim=dkim, signed=signed)
        content = Content((Author(CHLOE.address, owner),), headers=headers)
        found = answered(TOKEN, ADDRESS, Facts(CHLOE.address, identity, content=content), Settings())
        assert isinstance(found, Refused)


@pytest.mark.parametrize(("unasked", "became"), [(True, Undecided), (False, Deferred)])
def test_while_nobody_knows_whether_the_signature_holds_nothing_is_refused(
    unasked: bool, became: type
) -> None:
    """At first the proof is asked for; where DNS couldn't tell, the moderator's server comes again."""
    could_be = Identity(Strength.DMARC, CHLOE.address, dkim=True)
    identity = Identity(could_be=could_be, unasked=unasked)
    content = Content(
        (Author(CHLOE.address, CHLOE),), headers={"to": (ADDRESS,), "dkim-signature": (SIGNED,)}
    )
    found = answered(TOKEN, ADDRESS, Facts(CHLOE.address, identity, content=content), Settings())
    assert isinstance(found, became)
