"""Found in review: what an identity lets through that it must not."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.support.letters import OWN, Office, status

from groupmilter.authentication.trust import Network
from groupmilter.mail.address import pattern
from groupmilter.policy.facts import Count, Strength
from groupmilter.policy.settings import Rate, StormGuard

NET = Network(ip_network("10.0.0.0/8"), frozenset({OWN}))


@pytest.mark.parametrize("rights", [False, True])
def test_a_network_has_no_right_to_a_groups_address(rights: bool) -> None:
    office = Office(networks=(replace(NET, person=rights),))
    office.group("contact", office.person("jean"))
    office.group("board", "x@out.example")
    letter = office.letter("printer@own.example", client="10.1.1.1").to("contact@own.example")
    assert letter.answered(**{"from": "board@own.example"}) == "550 5.7.1"


def test_a_person_of_a_network_with_rights_may_use_send_as() -> None:
    office = Office(networks=(replace(NET, person=True),))
    jean = office.person("jean")
    office.group("contact", jean)
    office.group("board", "x@out.example", send_as=frozenset({jean.node}))
    letter = office.letter("jean@own.example", client="10.1.1.1").to("contact@own.example")
    assert letter.answered(**{"from": "jean@own.example"}) == ""


def test_a_locked_account_that_can_still_log_in_stays_denied() -> None:
    office = Office()
    bob = office.person("bob", login="bob", disabled=True)
    office.group("contact", "x@out.example", denied=frozenset({bob.node}))
    letter = office.letter("bob@own.example", login="bob")
    assert status(letter.rcpt("contact@own.example")) == "550 5.7.2"


@pytest.mark.parametrize("login", ["svc@own.example", "Svc@Own.Example", "svc@own.example."])
def test_no_spelling_of_a_login_evades_a_denied_address(login: str) -> None:
    office = Office()
    denied = pattern("svc@own.example")
    assert denied is not None
    office.group("contact", "x@out.example", denied_addresses=(denied,))
    letter = office.letter("x@own.example", login=login)
    assert status(letter.rcpt("contact@own.example")) == "550 5.7.2"


def test_the_claimed_address_of_a_locked_person_is_denied_too() -> None:
    office = Office()
    bob = office.person("bob", disabled=True)
    office.group("contact", "x@out.example", denied=frozenset({bob.node}))
    assert status(office.letter("bob@own.example").rcpt("contact@own.example")) == "550 5.7.2"


def test_an_unreadable_from_of_a_network_is_a_mere_claim() -> None:
    office = Office(networks=(NET,))
    office.group("contact", "x@out.example", require_authentication=True)
    letter = office.letter("printer@own.example", client="10.1.1.1").to("contact@own.example")
    assert letter.answered(**{"from": ["printer@own.example", "x@out.example"]}) == "550 5.7.1"


def test_a_storm_waits_for_the_header_of_a_network_that_may_be_authenticated() -> None:
    office = Office(networks=(NET,))
    group = office.group("contact", "x@out.example")
    office.settings = replace(office.settings, storm=StormGuard(rate=Rate(5, 60)))
    office.counts = {Count("storm", group.uuid, 60): 5}
    letter = office.letter("printer@own.example", client="10.1.1.1").to("contact@own.example")
    facts, decision = letter.end()
    assert facts.identity.strength is Strength.NETWORK
    assert decision.answer is None
    stranger = office.letter("x@out.example")
    assert status(stranger.rcpt("contact@own.example")) == "450 4.7.1"


def test_a_bound_waits_for_the_header_of_a_network_that_may_be_authenticated() -> None:
    office = Office(networks=(NET,))
    office.group("contact", *(f"x{n}@out.example" for n in range(5)))
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, members=4))
    letter = office.letter("printer@own.example", client="10.1.1.1").to("contact@own.example")
    assert letter.answered() == ""
    assert status(office.letter("x@out.example").rcpt("contact@own.example")) == "451 4.2.4"
