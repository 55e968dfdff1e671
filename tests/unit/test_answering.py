"""A moderator's answer at the milter: an address and a mail that its moderator signed are not yet a decision."""

from __future__ import annotations

import pytest

from groupmilter.groups.person import Node, Person
from groupmilter.groups.ticket import Action, Kind, Token, digest
from groupmilter.policy.answering import answered
from groupmilter.policy.disposition import Answered, Refused
from groupmilter.policy.facts import Content, Facts, Identity, Strength
from groupmilter.policy.settings import Settings

CHLOE = Person(Node(1), "u-chloe", "uid=chloe", "Chloe", "chloe@own.example")
ADDRESS = "approve+aaaa@groups.own.example"
TOKEN = Token(Kind.ANSWER, Action.APPROVE, 2**31, 7, digest(CHLOE.uuid))
SIGNED = "v=1; d=own.example; h=From:To:Subject; b=x"


def decides(strength: Strength, to: tuple[str, ...], signature: str = SIGNED) -> bool:
    headers = {"to": to, "dkim-signature": (signature,)}
    identity = Identity(strength, CHLOE.address, CHLOE, CHLOE.addresses)
    facts = Facts(CHLOE.address, identity, content=Content(headers=headers))
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
