"""A proof is asked for only where the outcome hangs on it; where DNS can't tell, the message is deferred."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.letters import Office, receivers

from groupmilter.authentication.identity import Proofs
from groupmilter.groups.group import BouncesTo, Group
from groupmilter.mail.address import Pattern, pattern
from groupmilter.mail.reply import reply
from groupmilter.policy.conditions import StrengthIs
from groupmilter.policy.disposition import Expanded, Held
from groupmilter.policy.facts import Strength
from groupmilter.policy.returning import bounces
from groupmilter.policy.settings import RefuseThen, SiteRule

X = "x@out.example"
OUT = frozenset({"out.example"})
BY_DKIM, BY_SPF = Proofs(dkim=OUT), Proofs(spf=OUT)
DOUBT = Proofs(dkim_doubt=OUT, spf_doubt=OUT)
TO = "contact@own.example"


def patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(found for text in texts if (found := pattern(text)) is not None)


def partners(office: Office, *texts: str) -> Group:
    return office.group(
        "contact", "z@own.example", require_authentication=True, external_senders=patterns(*texts)
    )


@pytest.mark.parametrize(
    ("proofs", "answer"),
    [(BY_DKIM, ""), (BY_SPF, ""), (Proofs(), "550 5.7.1"), (DOUBT, "451 4.4.3")],
)
def test_an_outsider_who_must_be_proven(proofs: Proofs, answer: str) -> None:
    office = Office(proofs=proofs)
    partners(office, "@out.example")
    assert office.letter(X).to(TO).answered() == answer
    assert office.proven == 1


@pytest.mark.parametrize("proofs", [BY_DKIM, DOUBT])
def test_who_could_not_write_with_any_proof_causes_none(proofs: Proofs) -> None:
    office = Office(proofs=proofs)
    partners(office, "@else.example")
    assert office.letter(X).to(TO).answered() == "550 5.7.1"
    assert office.proven == 0


@pytest.mark.parametrize("client", ["192.0.2.1", ""])
def test_an_open_group_and_a_log_in_cause_none(client: str) -> None:
    office = Office(proofs=DOUBT)
    office.person("jean", login="jean")
    office.group("contact", "z@own.example")
    office.group("p", "z@own.example", require_authentication=True, external_senders=patterns(X))
    assert office.letter(X, client=client).to(TO).answered() == ""
    assert office.letter("jean@own.example", login="jean", client=client).to("p@own.example").answered() == ""
    assert office.letter(X, client=client).to("y@out.example").answered() == ""
    assert office.proven == 0


def test_a_header_with_two_authors_is_never_proven() -> None:
    office = Office(proofs=BY_DKIM)
    partners(office, "@out.example")
    assert office.letter(X).to(TO).answered(**{"from": [X, "y@out.example"]}) == "550 5.7.1"
    assert office.proven == 0


@pytest.mark.parametrize(
    ("proofs", "became"), [(BY_DKIM, Expanded), (BY_SPF, Held), (Proofs(), Held), (DOUBT, None)]
)
def test_only_a_signature_spares_approval(proofs: Proofs, became: type | None) -> None:
    office = Office(proofs=proofs)
    office.group("contact", "z@own.example", moderated=True, bypass_addresses=patterns("@out.example"))
    facts, decision = office.letter(X).to(TO).end()
    if became is None:
        assert decision.answer is not None
        assert decision.answer.status == "451 4.4.3"
    else:
        assert isinstance(decision.verdicts[0].disposition, became)
    assert office.proven == 1
    assert not facts.identity.unasked


@pytest.mark.parametrize(("proofs", "strength"), [(BY_SPF, Strength.DMARC), (DOUBT, Strength.CLAIMED)])
def test_what_is_held_says_how_its_sender_is_proven_and_waits_for_no_dns(
    proofs: Proofs, strength: Strength
) -> None:
    office = Office(proofs=proofs)
    office.group("contact", "z@own.example", moderated=True)
    facts, decision = office.letter(X).to(TO).end()
    assert isinstance(decision.verdicts[0].disposition, Held)
    assert facts.identity.strength is strength


def test_spf_is_enough_where_dns_cannot_tell_of_a_signature() -> None:
    office = Office(proofs=Proofs(spf=OUT, dkim_doubt=OUT))
    partners(office, "@out.example")
    assert receivers(office.letter(X).to(TO).decided()[0]) == ["z@own.example"]


def test_a_sites_rule_about_strength_waits_for_the_proof() -> None:
    rule = SiteRule(
        "proven", (), (StrengthIs(frozenset({Strength.CLAIMED})),), RefuseThen(reply("550 5.7.1", "no"))
    )
    office = Office()
    office.settings = replace(office.settings, rules=(rule,))
    office.group("contact", "z@own.example")
    for proofs, answer in ((BY_DKIM, ""), (Proofs(), "550 5.7.1"), (DOUBT, "451 4.4.3")):
        office.proofs = proofs
        assert office.letter(X).to(TO).answered() == answer


def test_whoever_is_proven_is_judged_by_that_alone() -> None:
    """A claim may be held against a sender only while nothing is proven (rule 3)."""
    office = Office(proofs=BY_DKIM)
    office.group("contact", "z@own.example", denied_addresses=patterns("bad@out.example"))
    letter = office.letter(X).to(TO)
    assert letter.answered(**{"from": "bad@out.example"}) == "550 5.7.2"
    assert office.proven == 0


@pytest.mark.parametrize(("proofs", "answer"), [(BY_SPF, ""), (Proofs(), "550 5.7.1"), (DOUBT, "451 4.4.3")])
def test_whether_a_sender_may_be_told_is_asked_where_some_refuse(proofs: Proofs, answer: str) -> None:
    office = Office(proofs=proofs)
    office.group("contact", "z@own.example")
    office.group("small", "y@own.example", max_size=10)
    letter = office.letter(X).to(TO, "small@own.example")
    assert letter.answered() == answer
    assert office.proven == 1


def test_a_group_inside_that_refuses_stops_nobody_while_dns_is_down() -> None:
    office = Office(proofs=DOUBT)
    inner = office.group("inner", "y@own.example", max_size=10)
    office.group("contact", "z@own.example", inner)
    assert receivers(office.letter(X).to(TO).decided()[0]) == ["z@own.example"]
    assert office.proven == 1


def test_what_is_refused_anyway_is_refused_without_a_proof() -> None:
    office = Office(proofs=DOUBT)
    office.group(
        "contact", "z@own.example", require_authentication=True, external_senders=patterns(X), max_size=10
    )
    assert office.letter(X).to(TO).answered() == "552 5.2.3"
    assert office.proven == 0


def test_where_a_signature_makes_an_insider_his_bounces_are_his_at_an_open_group_too() -> None:
    own = frozenset({"own.example"})
    office = Office(proofs=Proofs(dkim=own, spf=own))
    office.settings = replace(office.settings, dmarc_is_internal=True)
    office.person("jean")
    office.group("contact", "z@own.example")
    facts, decision = office.letter("jean@own.example").to(TO).end()
    assert facts.identity.internal
    expanded = decision.verdicts[0].disposition
    assert isinstance(expanded, Expanded)
    assert bounces(expanded.group, expanded.expansion, facts) is BouncesTo.SENDER
