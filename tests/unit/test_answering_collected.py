"""A moderator's answer by mail on its whole way through the collector: the signature that proves him is asked for."""

from __future__ import annotations

import pytest
from tests.support.letters import KEYS, NOON, SERVICE, Office

from groupmilter.authentication.identity import Proofs
from groupmilter.groups.ticket import Action, Kind, Token, digest, seal_token
from groupmilter.policy.disposition import Answered

OWN = frozenset({"own.example"})
SIGNATURE = "v=1; a=rsa-sha256; d=own.example; s=s; h=From:To:Subject; bh=x; b=x"


@pytest.mark.parametrize(
    ("proofs", "answer"),
    [
        (Proofs(dkim=OWN), ""),
        (Proofs(spf=OWN), "550 5.7.1"),
        (Proofs(), "550 5.7.1"),
        (Proofs(dkim_doubt=OWN), "451 4.4.3"),
    ],
)
def test_an_answer_without_a_login_is_proven_by_its_signature(proofs: Proofs, answer: str) -> None:
    office = Office(proofs=proofs)
    chloe = office.person("chloe")
    expires = int(NOON.timestamp()) + 86_400
    token = Token(Kind.ANSWER, Action.APPROVE, expires, 7, digest(chloe.uuid))
    to = f"approve+{seal_token(token, KEYS)}@{SERVICE}"
    _, decision = office.letter("chloe@own.example").to(to).end(to=to, dkim_signature=SIGNATURE)
    assert office.proven == 1
    assert (decision.answer.status if decision.answer else "") == answer
    if not answer:
        assert isinstance(decision.verdicts[0].disposition, Answered)
