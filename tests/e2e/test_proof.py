"""Outsiders proven by their domain, through a real Postfix, with a real DNS server: who gets in, and what it asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.dns import Dns, Trouble
from tests.support.installation import OUTSIDER, Installation, installation, recipients
from tests.support.office import BOB, CONTACT, JEAN, MORE, OFFICE, OPEN, group, identity, member, message
from tests.support.service import Service
from tests.support.signing import Signer

PARTNERS = "partenaires@masociete.example"
RELAY = "198.51.100.25"
DOMAINS = [f"p{number}.example" for number in range(20)]
EXTRA = group("partenaires", *(f"dgExternalSender: @{domain}" for domain in DOMAINS), *member("jean", "bob"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    office = tmp_path_factory.mktemp("proof") / "office.ldif"
    office.write_text(OFFICE.read_text("utf-8") + "\n" + MORE + EXTRA, "utf-8")
    Path(office).chmod(0o644)
    options = {
        "trusted_relays": [{"net": RELAY, "authserv_id": "mx.masociete.example"}],
        "authentication": {"timeout": "15s", "deadline": "15s"},
    }
    with Service(f"ldif:{office}", options=options, desk=False) as service, installation(service) as site:
        yield site


@pytest.fixture
def site(running: Installation) -> Iterator[Installation]:
    """The installation with an empty sink and a DNS server that was asked nothing; no surprise afterwards."""
    running.settle()
    running.forget()
    running.service.dns.forget()
    known = len(running.service.surprises())
    yield running
    running.settle()
    assert running.service.surprises()[known:] == []


@pytest.fixture
def dns(site: Installation) -> Dns:
    return site.service.dns


@pytest.fixture
def domain() -> str:
    """A domain that no worker has asked about before: what is known of one is kept for a while."""
    return DOMAINS.pop()


def signer(domain: str) -> Signer:
    return Signer(domain=domain.encode())


def letter(domain: str) -> tuple[str, bytes]:
    """A mark and a message of a domain's, unsigned."""
    mark = identity()
    fields = (f"To: {PARTNERS}".encode(), b"Subject:  Roof ", b"Date: Thu, 26 Nov 2026 10:00:00 +0000")
    return mark, message(mark, f"Paul <paul@{domain}>", *fields, body=b"It  leaks.\r\n\r\n.\r\n\r\n")


def ended(site: Installation, mark: str) -> dict[str, object]:
    """The log's line about a message at its end."""
    return site.service.wait_line("message", message_id=f"<{mark}@test.example>")


@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed"])
def test_a_signature_gets_an_outsider_in(
    site: Installation, dns: Dns, domain: str, canonicalization: str
) -> None:
    signing = signer(domain)
    signing.publish(dns)
    mark, unsigned = letter(domain)
    signed = signing.craft(unsigned, {"c": canonicalization})
    assert site.send(f"paul@{domain}", [PARTNERS], signed).accepted
    site.settle()
    copies = site.delivered(mark)
    assert recipients(copies) == sorted([JEAN, BOB])
    assert all(signing.holds(copy.content) for copy in copies), "and it still holds where the mail arrives"
    line = ended(site, mark)
    assert (line["strength"], line["proof"]) == ("dmarc", f"DKIM d={domain} s=test holds")
    assert isinstance(line["proof_seconds"], float)
    assert [question.name for question in dns.questions] == [signing.name]


def test_without_a_signature_nobody_gets_in(site: Installation, domain: str) -> None:
    mark, unsigned = letter(domain)
    replies = site.send(f"paul@{domain}", [PARTNERS], unsigned)
    assert str(replies.end).startswith("550 5.7.1")
    site.settle()
    assert site.sink.messages == []
    assert ended(site, mark)["strength"] == "claimed"


def test_a_changed_message_and_somebody_elses_signature_get_nobody_in(
    site: Installation, dns: Dns, domain: str
) -> None:
    signing, stranger = signer(domain), signer("stranger.example")
    signing.publish(dns)
    stranger.publish(dns)
    _, unsigned = letter(domain)
    for forged in (
        signing.craft(unsigned).replace(b"leaks", b"holds"),
        signing.craft(unsigned).replace(b"Roof", b"Money"),
        b"From: paul@stranger.example\r\n" + signing.craft(unsigned),
        stranger.craft(unsigned),
        signing.craft(unsigned, {"l": "0"}),
    ):
        replies = site.send(f"paul@{domain}", [PARTNERS], forged)
        assert str(replies.end).startswith("550 5.7.1"), forged
    site.settle()
    assert site.sink.messages == []


@pytest.mark.parametrize("trouble", [Trouble(rcode="SERVFAIL"), Trouble(rcode="REFUSED")])
def test_what_dns_cannot_tell_comes_again(
    site: Installation, dns: Dns, domain: str, trouble: Trouble
) -> None:
    signing = signer(domain)
    mark, unsigned = letter(domain)
    dns.trouble(domain, trouble)
    signed = signing.craft(unsigned)
    assert str(site.send(f"paul@{domain}", [PARTNERS], signed).end).startswith("451 4.4.3")
    assert site.sink.messages == []
    dns.heal(domain)
    signing.publish(dns)
    assert site.send(f"paul@{domain}", [PARTNERS], signed).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB])


def test_silence_ends_at_the_deadline(site: Installation, dns: Dns, domain: str) -> None:
    _, unsigned = letter(domain)
    dns.trouble(domain, Trouble(silent=True))
    site.service.reload({**site.service.options, "authentication": {"timeout": "1s", "deadline": "1s"}})
    try:
        signed = signer(domain).craft(unsigned)
        assert str(site.send(f"paul@{domain}", [PARTNERS], signed).end).startswith("451 4.4.3")
    finally:
        long = {"timeout": "15s", "deadline": "15s"}
        site.service.reload({**site.service.options, "authentication": long})


def test_spf_gets_an_outsider_in_from_his_own_host(site: Installation, dns: Dns, domain: str) -> None:
    dns.txt(domain, f"v=spf1 ip4:{OUTSIDER} -all")
    mark, unsigned = letter(domain)
    assert site.send(f"paul@{domain}", [PARTNERS], unsigned).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB])
    assert f"SPF of {domain} passes, for {OUTSIDER}" in str(ended(site, mark)["proof"])
    elsewhere = site.send(f"paul@{domain}", [PARTNERS], letter(domain)[1], client="203.0.113.77")
    assert str(elsewhere.end).startswith("550 5.7.1")


def test_what_needs_no_proof_asks_no_dns(site: Installation, dns: Dns, domain: str) -> None:
    mark, unsigned = letter(domain)
    signed = signer(domain).craft(unsigned)
    assert site.send(f"paul@{domain}", [OPEN], signed).accepted
    refused = site.send(f"paul@{domain}", [CONTACT], signed)
    assert str(refused.recipients[0]).startswith("550 5.7.1"), "known at RCPT already"
    assert site.send(JEAN, [PARTNERS], message(identity(), JEAN), login="jean").accepted
    assert site.send(f"paul@{domain}", [JEAN], signed).accepted, "no group at all"
    site.settle()
    assert recipients(site.delivered(mark))
    assert ended(site, mark)["proof_seconds"] is None
    assert dns.questions == ()


def test_a_relay_in_front_is_believed_and_nobody_who_claims_to_be_one(
    site: Installation, dns: Dns, domain: str
) -> None:
    mark, unsigned = letter(domain)
    result = f"mx.masociete.example;\r\n\tdmarc=pass header.from={domain}".encode()
    stamped = b"Authentication-Results: " + result + b"\r\n" + unsigned
    assert str(site.send(f"paul@{domain}", [PARTNERS], stamped).end).startswith("550 5.7.1")
    dns.forget()
    assert site.send(f"paul@{domain}", [PARTNERS], stamped, client=RELAY).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB])
    line = site.service.wait_line("message", message_id=f"<{mark}@test.example>", strength="dmarc")
    assert (
        line["proof"]
        == f"DMARC of {domain} passes, as a relay says; no DKIM signature of the author's or sender's domain"
    )
    assert dns.questions == ()


def test_what_claims_to_be_a_relays_is_taken_out(site: Installation, domain: str) -> None:
    mark, unsigned = letter(domain)
    names = (b"mx.masociete.example", b"MX.Masociete.Example", b"mx(x).masociete.example", b"else.example")
    forged = b"".join(b"Authentication-Results: " + name + b"; dkim=pass\r\n" for name in names * 5)
    assert site.send(f"paul@{domain}", [OPEN], forged + unsigned).accepted
    further = unsigned.replace(f"<{mark}@".encode(), f"<{mark}-2@".encode())
    assert site.send(f"paul@{domain}", [OPEN], forged + further, client=RELAY).accepted
    site.settle()
    copies = {copy.content.count(b"Authentication-Results:") for copy in site.delivered(mark)}
    assert copies == {5, 20}
    kept = next(copy for copy in site.delivered(mark) if copy.content.count(b"Authentication-Results:") == 5)
    assert b"masociete.example; dkim" not in kept.content.lower()


def test_no_spelling_of_the_field_saves_a_forgery(site: Installation, domain: str) -> None:
    """Of 50, in every spelling, none is left (CVE-2022-48521), and the others stay as they were."""
    mark, unsigned = letter(domain)
    spelt = (b"authentication-RESULTS:", b"Authentication-Results :", b"Authentication-Results\t:",
             b"Authentication-Results:\r\n\t", b"Authentication-Results:")  # fmt: skip
    forged = b"".join(name + b" mx.masociete.example; dkim=pass\r\n" for name in spelt)
    foreign = b"Authentication-Results: else.example; spf=pass\r\n"
    assert site.send(f"paul@{domain}", [OPEN], (forged + foreign) * 10 + unsigned).accepted
    site.settle()
    head = site.delivered(mark)[0].content.partition(b"\r\n\r\n")[0].lower()
    assert b"mx.masociete.example; dkim" not in head
    assert head.count(b"authentication-results: else.example; spf=pass") == 10
    assert head.count(b"authentication-results") == 10
