"""SPF as proof: records in a real DNS server; only `pass` proves, and DNS trouble is doubt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.dns import Trouble
from tests.support.proving import MESSAGE, Court, patience

from groupmilter.authentication.spf import Policy

DOMAIN = "outside.example"
PROVEN = frozenset({DOMAIN})


@pytest.fixture
def court() -> Iterator[Court]:
    with Court() as running:
        yield running


@pytest.mark.parametrize(
    ("record", "client"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.1"),
        ("V=SPF1 +IP4:192.0.2.1 -ALL", "192.0.2.1"),
        ("v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::7"),
        ("v=spf1 a -all", "192.0.2.1"),
        ("v=spf1 a -all", "2001:db8::7"),
        ("v=spf1 mx -all", "192.0.2.2"),
        ("v=spf1 a:mail.%{d} -all", "192.0.2.3"),
        ("v=spf1 include:provider.example -all", "198.51.100.1"),
        ("v=spf1 redirect=provider.example", "198.51.100.1"),
        ("v=spf1 exists:%{ir}.ok.outside.example -all", "192.0.2.9"),
        ("v=spf1 ptr -all", "192.0.2.4"),
        ("v=spf1 +all", "203.0.113.1"),
        ("v=spf1 ip4:192.0.2.1 exp=why.outside.example -all", "192.0.2.1"),
    ],
)
def test_pass_proves(court: Court, record: str, client: str) -> None:
    dns = court.dns
    dns.txt(DOMAIN, "unrelated", record)
    dns.txt("provider.example", "v=spf1 ip4:198.51.100.0/24 -all")
    dns.address(DOMAIN, "192.0.2.1", "2001:db8::7")
    dns.mx(DOMAIN, "mx.outside.example")
    dns.address("mx.outside.example", "192.0.2.2")
    dns.address("mail.outside.example", "192.0.2.3")
    dns.address("9.2.0.192.ok.outside.example", "127.0.0.2")
    dns.ptr("192.0.2.4", "h4.outside.example")
    dns.address("h4.outside.example", "192.0.2.4")
    proofs = court.prove(MESSAGE, client=client)
    assert (proofs.spf, proofs.dkim, proofs.spf_doubt) == (PROVEN, frozenset(), frozenset())
    assert f"SPF of {DOMAIN} passes, for {client}" in proofs.because
    assert dns.asked("why.outside.example") == [], "nobody reads the explanation"


@pytest.mark.parametrize(
    ("records", "result"),
    [
        ((), "none"),
        (("unrelated", "v=spf10 +all"), "none"),
        (("v=spf1 -all",), "fail"),
        (("v=spf1 ~all",), "softfail"),
        (("v=spf1 ?all",), "neutral"),
        (("v=spf1",), "neutral"),
        (("v=spf1 ?ip4:192.0.2.1 +all",), "neutral"),
        (("v=spf1 +all", "v=spf1 +all "), "permerror"),
        (("v=spf1 ip4:192.0.2.1 nonsense +all",), "permerror"),
        (("v=spf1 include:nowhere.example +all",), "permerror"),
        (("v=spf1 redirect=outside.example",), "permerror"),
        (("v=spf1 a:a.example a:b.example a:c.example +all",), "permerror"),
        ((" ".join(["v=spf1", *(f"a:n{n}.full.example" for n in range(11)), "+all"]),), "permerror"),
        (("v=spf1 " + "ip4:192.0.2.9 " * 400 + "+all",), "permerror"),
        (("v=spf1 exists:%{z} +all",), "permerror"),
        (("v=spf1 a:%{d" + "9" * 5_000 + "}.example +all",), "permerror"),
        (("v=spf1 \u00e9 +all",), "permerror"),
    ],
)
def test_everything_else_proves_nothing(court: Court, records: tuple[str, ...], result: str) -> None:
    for number in range(11):
        court.dns.address(f"n{number}.full.example", "192.0.2.9")
    court.dns.txt(DOMAIN, *records)
    proofs = court.prove(MESSAGE)
    assert (proofs.spf, proofs.spf_doubt) == (frozenset(), frozenset())
    assert result in proofs.because


@pytest.mark.parametrize("name", [DOMAIN, "provider.example", "mx.provider.example"])
@pytest.mark.parametrize(
    "trouble", [Trouble(silent=True), Trouble(rcode="SERVFAIL"), Trouble(rcode="REFUSED")]
)
def test_dns_trouble_is_doubt(court: Court, name: str, trouble: Trouble) -> None:
    court.timeout = 0.3
    court.dns.txt(DOMAIN, "v=spf1 include:provider.example -all")
    court.dns.txt("provider.example", "v=spf1 mx -all")
    court.dns.mx("provider.example", "mx.provider.example")
    court.dns.trouble(name, trouble)
    proofs = court.prove(MESSAGE)
    assert (proofs.spf, proofs.spf_doubt) == (frozenset(), PROVEN)
    assert f"SPF of {DOMAIN}: not known" in proofs.because


def test_trouble_behind_what_has_passed_matters_no_more(court: Court) -> None:
    court.dns.txt(DOMAIN, "v=spf1 ip4:192.0.2.1 include:provider.example -all")
    court.dns.fails("provider.example")
    assert court.prove(MESSAGE).spf == PROVEN


def test_the_envelope_sender_counts_and_not_the_helo_name(court: Court) -> None:
    court.dns.txt("helo.example", "v=spf1 +all")
    court.dns.txt(DOMAIN, "v=spf1 -all")
    # CVE-2019-20790: a HELO name that passes says nothing of a MAIL FROM that doesn't.
    assert not court.prove(MESSAGE, helo="helo.example").spf
    assert not court.prove(MESSAGE, sender="eve@evil.example", helo=DOMAIN).spf


def test_for_the_null_sender_the_helo_name_is_asked(court: Court) -> None:
    court.dns.txt("mx.outside.example", "v=spf1 ip4:192.0.2.1 -all")
    assert court.prove(MESSAGE, sender="", helo="mx.outside.example").spf == PROVEN
    assert not court.prove(MESSAGE, sender="", helo="mx.evil.example").spf
    court.dns.forget()
    for odd in ("", "[192.0.2.1]", "localhost (mx.outside.example)", "a b"):
        assert not court.prove(MESSAGE, sender="", helo=odd).spf


def test_somebody_elses_pass_is_his_alone(court: Court) -> None:
    court.dns.txt("evil.example", "v=spf1 +all")
    proofs = court.prove(MESSAGE, sender="eve@evil.example")
    assert proofs.spf == {"evil.example"}


@pytest.mark.parametrize("client", ["", "nonsense", "192.0.2.1.2"])
def test_without_an_address_there_is_no_spf(court: Court, client: str) -> None:
    court.dns.txt(DOMAIN, "v=spf1 +all")
    assert not court.prove(MESSAGE, client=client).spf


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_filter_on_this_host_that_hands_mail_back_proves_nothing(court: Court, client: str) -> None:
    court.dns.txt(DOMAIN, "v=spf1 +all")
    proofs = court.prove(MESSAGE, client=client)
    assert not proofs.spf | proofs.spf_doubt
    assert "the client is this host itself" in proofs.because


def test_a_local_part_with_meaning_for_dns_asks_for_nothing_else(court: Court) -> None:
    court.dns.txt(DOMAIN, "v=spf1 exists:%{l}.ok.outside.example -all")
    court.dns.address("ok.outside.example", "127.0.0.2")
    policy = Policy(court.resolver)
    for local in ('"a..b"', "é", "a@b", "x" * 64, "\\", "%{d}", "a b", ".", ""):
        assert policy.fault("192.0.2.1", f"{local}@{DOMAIN}", "mx", patience())


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["-ip4:192.0.2.1", "-all", "mx:", "exists:%{i}%", "a/33", "redirect=", "exp=%{p}", "x=y"]
            ),
            st.text(st.characters(codec="latin-1"), max_size=12),
        ),
        max_size=8,
    )
)
def test_no_record_whatever_crashes(court: Court, terms: list[str]) -> None:
    court.dns.remove(DOMAIN)
    court.dns.txt(DOMAIN, " ".join(["v=spf1", "-ip4:192.0.2.1", *terms]).encode("latin-1"))
    assert not court.prove(MESSAGE).spf
