"""Logins and their realms, certificates as the two MTAs tell of them, and whose a return path is."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

import pytest
from tests.support.letters import OWN, Office

from groupmilter.authentication.identity import person_by_login
from groupmilter.authentication.trust import Certificate, Network, Trust
from groupmilter.groups.login import login_name
from groupmilter.mta.certificate import verified
from groupmilter.policy.facts import Strength

REALMS = frozenset({"own.example", "xn--bcher-kva.example"})
DN, CA_DN = "/C=FR/O=Own/CN=erp.own.example", "/C=FR/CN=Own CA"


@pytest.mark.parametrize(
    ("login", "name"),
    [
        ("jean", "jean"), (" Jean ", "jean"), ("jean@own.example", "jean"), ("JEAN@Own.Example.", "jean"),
        ("jean@bücher.example", "jean"), ("jean@other.example", "jean@other.example"), ("@own.example", "@own.example"),
        ("jean@", "jean@"), ("a@b@own.example", "a@b"), ("jean@sub.own.example", "jean@sub.own.example"), ("", ""),
    ],
)  # fmt: skip
def test_a_realm_makes_no_difference_where_it_is_ours(login: str, name: str) -> None:
    assert login_name(login, REALMS) == name


def test_a_whole_name_that_is_anothers_address_is_not_the_login_before_its_realm() -> None:
    office = Office()
    office.person("jean.dupont", login="jean")
    other = office.person("jean", login="jmartin")
    trust = Trust(login_realms=frozenset({OWN}), own_domains=frozenset({OWN}))
    found = person_by_login("jean", trust, office.paper)
    assert found is not None
    assert found.address == "jean.dupont@own.example"
    assert person_by_login("jean@own.example", trust, office.paper) is None
    assert person_by_login("jmartin@own.example", trust, office.paper) == other


def test_a_certificate_is_named_by_subject_and_issuer() -> None:
    anybody, ours = Certificate("mx.own.example"), Certificate("mx.own.example", "Own CA", login="jean")
    trust = Trust(certificates=(ours, anybody))
    assert trust.certificate("MX.own.example", "own ca") is ours
    assert trust.certificate("mx.own.example", "Another CA") is anybody
    assert trust.certificate("mx.own.example.", "Own CA") is None
    assert trust.certificate("", "") is None
    assert Trust(certificates=(Certificate(""),)).certificate("", "") is None


def shown(macros: Mapping[str, str], *known: str) -> tuple[str, str]:
    return verified(lambda name: macros.get(name, ""), known)


SENDMAIL = {
    "{verify}": "OK", "{cert_subject}": DN, "{cert_issuer}": CA_DN, "{cn_subject}": "erp.own.example",
    "{cn_issuer}": "Own CA",
}  # fmt: skip


def test_postfix_names_a_certificate_only_where_it_trusts_it() -> None:
    told = {"{cert_subject}": "erp.own.example", "{cert_issuer}": "Own CA"}
    assert shown(told, "erp.own.example") == ("erp.own.example", "Own CA")
    assert shown({}) == ("", "")


def test_sendmail_says_whether_it_trusts_it_and_names_it_in_two_ways() -> None:
    assert shown(SENDMAIL, "erp.own.example") == ("erp.own.example", "Own CA")
    assert shown(SENDMAIL, DN) == (DN, CA_DN)


@pytest.mark.parametrize(
    "word", ["FAIL", "NO", "NOT", "NONE", "TEMP", "PROTOCOL", "SOFTWARE", "TRUSTED", "ok"]
)
def test_any_other_word_on_its_proof_is_no_proof(word: str) -> None:
    assert shown(SENDMAIL | {"{verify}": word}, "erp.own.example", DN) == ("", "")


def test_a_whole_name_without_a_word_on_its_proof_is_no_proof() -> None:
    """A Sendmail that doesn't tell, or a common name at Postfix that looks like one."""
    assert shown({"{cert_subject}": DN, "{cert_issuer}": CA_DN}, DN) == ("", "")


@pytest.mark.parametrize(
    ("client", "networks"),
    [
        ("::ffff:10.1.2.3", 1),
        ("10.1.2.3", 1),
        ("2001:db8::1", 1),
        ("fe80::1%eth0", 0),
        ("", 1),
        ("unknown", 0),
    ],
)
def test_which_networks_hold_a_client(client: str, networks: int) -> None:
    spoken = frozenset({OWN})
    known = (
        Network(ip_network("10.0.0.0/8"), spoken), Network(ip_network("2001:db8::/32"), spoken), Network(None, spoken)
    )  # fmt: skip
    assert len(Trust(known).vouchers(client, None)) == networks


def test_a_certificate_speaks_before_a_network() -> None:
    host = Certificate("erp.own.example", speaks_for=frozenset({OWN}))
    trust = Trust((Network(ip_network("10.0.0.0/8"), frozenset({OWN})),), certificates=(host,))
    assert [one.strength for one in trust.vouchers("10.0.0.1", host)] == [
        Strength.CERTIFICATE,
        Strength.NETWORK,
    ]


@pytest.mark.parametrize(
    ("sender", "own"),
    [
        ("jean@own.example", True), ("j@own.example", True), ("jean+x@own.example", True),
        ("jean@home.example", False), ("victim@out.example", False), ("ben@own.example", False), ("", False),
    ],
)  # fmt: skip
def test_a_login_has_its_persons_return_paths(sender: str, own: bool) -> None:
    office = Office()
    office.person("jean", "j", login="jean")
    office.person("ben", login="ben")
    group = office.group("staff", "x@out.example")
    letter = office.letter(sender, login="jean")
    letter.rcpt(group.address)
    facts, _ = letter.end(**{"from": "jean@own.example"})
    assert facts.identity.path_proven is own


@pytest.mark.parametrize(("sender", "own"), [("scan@own.example", True), ("other@own.example", False)])
def test_a_login_that_is_nobodys_has_the_return_path_of_its_name(sender: str, own: bool) -> None:
    office = Office()
    group = office.group("staff", "x@out.example")
    letter = office.letter(sender, login="scan")
    letter.rcpt(group.address)
    facts, _ = letter.end(**{"from": "scan@own.example"})
    assert facts.identity.path_proven is own
