"""DKIM as proof: real signatures, keys in a real DNS server, and every trick of case 37 of the fault list."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.dns import Trouble
from tests.support.proving import MESSAGE, Court, evidence
from tests.support.signing import Signer, made_key, modulus

from groupmilter.authentication.identity import Proofs
from groupmilter.authentication.proof import Bounds

PROVEN = frozenset({"outside.example"})
NOW = int(time.time())


@pytest.fixture
def court() -> Iterator[Court]:
    with Court() as running:
        yield running


@pytest.fixture
def signer(court: Court) -> Signer:
    made = Signer()
    made.publish(court.dns)
    return made


def nothing(proofs: Proofs, because: str) -> bool:
    """Whether nothing is proven by a signature, and nothing in doubt, for that reason."""
    assert because in proofs.because
    return not (proofs.dkim or proofs.dkim_doubt or proofs.signed)


@pytest.mark.parametrize("header", ["relaxed", "simple"])
@pytest.mark.parametrize("body", ["relaxed", "simple"])
def test_a_signature_of_the_authors_domain_proves(
    court: Court, signer: Signer, header: str, body: str
) -> None:
    folded = MESSAGE.replace(b"Subject: Roof\r\n", b"Subject:  Roof\r\n\tand\r\n  rain  \r\n")
    proofs = court.prove(signer.craft(folded, {"c": f"{header}/{body}"}))
    assert proofs.dkim == PROVEN
    assert proofs.signed == {"from", "to", "subject", "date"}
    assert proofs.because == "DKIM d=outside.example s=test holds"
    assert [question.name for question in court.dns.questions] == [signer.name], "nothing else is asked"


def test_the_librarys_own_signatures_prove(court: Court, signer: Signer) -> None:
    for canonicalization in ((b"relaxed", b"simple"), (b"simple", b"simple")):
        assert court.prove(signer.sign(MESSAGE, canonicalization)).dkim == PROVEN


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"l": "0"}, "covers only a part of the body"),
        ({"l": "12"}, "covers only a part of the body"),
        ({"a": "rsa-sha1"}, "algorithm other than rsa-sha256"),
        ({"a": "ed25519-sha256"}, "algorithm other than rsa-sha256"),
        ({"x": str(NOW - 3_600)}, "expired"),
        ({"t": str(NOW + 86_400)}, "made in the future"),
        ({"t": str(NOW), "x": str(NOW)}, "expired before it was made"),
        ({"t": "yesterday"}, "a time that is none"),
        ({"t": "9" * 13}, "a time that is none"),
        ({"h": "to:subject:date"}, "does not cover From"),
        ({"h": "from\x0b:to"}, "does not cover From"),
        ({"h": ":".join(["from"] * 151)}, "names too many fields"),
        ({"v": "2"}, "not of version 1"),
        ({"v": None}, "not of version 1"),
        ({"q": "http"}, "its key elsewhere"),
        ({"i": "jean@else.example"}, "an identity outside of its domain"),
        ({"i": "jean@notoutside.example"}, "an identity outside of its domain"),
        ({"bh": "%%%"}, "without a readable hash"),
        ({"bh": "A" * 4_000}, "no DKIM signature"),
    ],
)
def test_what_makes_a_signature_count_for_nothing_and_asks_no_dns(
    court: Court, signer: Signer, changes: Mapping[str, str | None], why: str
) -> None:
    court.clock = lambda: NOW
    made = dict(changes)
    crafted = signer.craft(MESSAGE, {"a": "rsa-sha256"} if made.get("a", "").startswith("ed") else made)  # type: ignore[union-attr]
    if made.get("a") == "ed25519-sha256":
        crafted = crafted.replace(b"rsa-sha256", b"ed25519-sha256")
    assert nothing(court.prove(crafted), why)
    assert signer.name not in {question.name for question in court.dns.questions}


@pytest.mark.parametrize(
    "changes",
    [
        {"t": str(NOW), "x": str(NOW + 60)},
        {"t": str(NOW + 200)},
        {"x": str(NOW - 200)},
        {"i": "jean@outside.example"},
        {"i": "@mail.outside.example"},
        {"i": None},
        {"q": "dns/txt"},
        {"z": "From:x|To:y"},
        {"h": "From : To : From : List-Id : no-such-field"},
        {"d": "OUTSIDE.Example"},
    ],
)
def test_what_does_not_spoil_a_signature(
    court: Court, signer: Signer, changes: Mapping[str, str | None]
) -> None:
    court.clock = lambda: NOW
    assert court.prove(signer.craft(MESSAGE, changes)).dkim == PROVEN


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=DKIM1; k=rsa; p=", "revoked"),
        ("v=DKIM1; t=y; {p}", "testing key"),
        ("v=DKIM1; t=s:y; {p}", "testing key"),
        ("v=DKIM2; {p}", "of another version"),
        ("v=DKIM1; k=ed25519; {p}", "not RSA"),
        ("v=DKIM1; s=tlsrpt; {p}", "not for mail"),
        ("v=DKIM1; s=other; {p}", "not for mail"),
        ("v=DKIM1; h=sha1; {p}", "not for SHA-256"),
        ("v=DKIM1; {p}; {p}", "no key in DNS that can be read"),
        ("v=DKIM1; k=rsa", "no key in DNS that can be read"),
        ("v=spf1 -all", "no key in DNS that can be read"),
        ("p=AAAA", "not readable"),
        ("p=%%%", "not readable"),
        ("p=" + "A" * 9_000, "no key in DNS that can be read"),
    ],
)
def test_what_makes_a_key_count_for_nothing(court: Court, signer: Signer, record: str, why: str) -> None:
    key = signer.record.rpartition(b"; ")[2].decode()
    signer.publish(court.dns, record.replace("{p}", key).encode())
    assert nothing(court.prove(signer.craft(MESSAGE)), why)


@pytest.mark.parametrize(
    "record",
    ["{p}", "v=DKIM1;{p};", "v = DKIM1 ; n=note; s=email:x; h=sha1:sha256; t=; {p}", "s=*; {p}; t=s"],
)
def test_keys_that_count(court: Court, signer: Signer, record: str) -> None:
    key = signer.record.rpartition(b"; ")[2].decode()
    signer.publish(court.dns, record.replace("{p}", key).encode())
    assert court.prove(signer.craft(MESSAGE)).dkim == PROVEN


def test_a_key_for_its_very_domain_only_wants_no_identity_below(court: Court, signer: Signer) -> None:
    signer.publish(court.dns, signer.record + b"; t=s")
    assert nothing(court.prove(signer.craft(MESSAGE, {"i": "@mail.outside.example"})), "t=s")
    assert court.prove(signer.craft(MESSAGE, {"i": "jean@outside.example"})).dkim == PROVEN


@pytest.mark.parametrize(("bits", "proven"), [(512, False), (768, False), (1024, True), (4096, True)])
def test_short_keys_do_not_count(court: Court, bits: int, proven: bool) -> None:
    signer = Signer(made_key(bits))
    signer.publish(court.dns)
    proofs = court.prove(signer.craft(MESSAGE))
    assert proofs.dkim == (PROVEN if proven else frozenset())
    assert proven or f"a key of {bits} bits" in proofs.because


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    size = bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2, "big")
    return bytes([tag]) + size + content


@pytest.mark.parametrize(
    ("modulus", "exponent"), [(2**2048 + 1, 2**2000 + 1), (2**2048 + 1, 1), (2**9000 + 1, 65_537), (0, 0)]
)
def test_keys_made_to_keep_us_busy_do_not_count(
    court: Court, signer: Signer, modulus: int, exponent: int
) -> None:
    numbers = b"".join(der(2, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in (modulus, exponent))
    signer.publish(court.dns, b"p=" + b64encode(der(0x30, numbers)))
    proofs = court.prove(signer.craft(MESSAGE))
    assert not proofs.dkim
    assert not proofs.dkim_doubt


def test_a_key_at_which_the_library_stumbles_does_not_count(court: Court, signer: Signer) -> None:
    algorithm = der(0x30, der(6, bytes.fromhex("2a864886f70d010101")) + der(5, b"x"))
    signer.publish(court.dns, b"p=" + b64encode(der(0x30, algorithm + der(3, b"\0" + der(0x30, b"")))))
    assert nothing(court.prove(signer.craft(MESSAGE)), "not readable (AssertionError)")


def test_several_strings_and_several_records_at_one_selector(court: Court, signer: Signer) -> None:
    court.dns.remove(signer.name)
    court.dns.strings(signer.name, *(signer.record[at : at + 50] for at in range(0, len(signer.record), 50)))
    assert court.prove(signer.craft(MESSAGE)).dkim == PROVEN
    signer.publish(court.dns, b"v=spf1 -all")
    court.dns.txt(signer.name, Signer(made_key(2048, 1)).record, signer.record)
    assert court.prove(signer.craft(MESSAGE)).dkim == PROVEN


def test_a_key_behind_an_alias(court: Court, signer: Signer) -> None:
    court.dns.remove(signer.name)
    court.dns.cname(signer.name, "test.dkim.provider.example")
    court.dns.txt("test.dkim.provider.example", signer.record)
    assert court.prove(signer.craft(MESSAGE)).dkim == PROVEN


def test_no_key_and_another_key(court: Court, signer: Signer) -> None:
    court.dns.remove(signer.name)
    assert nothing(court.prove(signer.craft(MESSAGE)), "no key in DNS")
    # What the smaller key makes, the greater could have made; the other way round that is so only now and then.
    smaller, greater = sorted((signer, Signer(made_key(2048, 1))), key=lambda one: modulus(one.key))
    greater.publish(court.dns)
    assert nothing(court.prove(smaller.craft(MESSAGE)), "the header was changed, or the key is another")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"It leaks.", b"It holds.", "the body was changed"),
        (b"Subject: Roof", b"Subject: Money", "the header was changed"),
        (b"From: Jean <jean@", b"From: Jean <boss@", "the header was changed"),
        (b"To: staff@", b"To: all@", "the header was changed"),
    ],
)
def test_what_was_changed_afterwards(court: Court, signer: Signer, old: bytes, new: bytes, why: str) -> None:
    assert nothing(court.prove(signer.craft(MESSAGE).replace(old, new)), why)


def test_a_changed_body_asks_no_dns(court: Court, signer: Signer) -> None:
    court.prove(signer.craft(MESSAGE) + b"more\r\n", client="")
    assert court.dns.questions == ()


def test_the_first_signature_is_bad_and_the_second_good(court: Court, signer: Signer) -> None:
    good = signer.craft(MESSAGE)
    for bad in ({"x": "1"}, {"bh": "AAAA"}, {"s": "nothere"}):
        both = signer.craft(good, bad)
        assert both.count(b"DKIM-Signature:") == 2
        assert court.prove(both).dkim == PROVEN


def test_of_a_hundred_signatures_eight_are_verified(court: Court, signer: Signer) -> None:
    message = signer.craft(MESSAGE)
    for number in range(100):
        message = signer.craft(message, {"s": f"s{number}"})
    assert not court.prove(message).dkim
    asked = [question.name for question in court.dns.questions if "_domainkey" in question.name]
    assert asked == [f"s{number}._domainkey.outside.example" for number in range(99, 91, -1)]
    court.bounds = Bounds(signatures=2, seconds=20.0)
    court.dns.forget()
    court.prove(message)
    assert len([question for question in court.dns.questions if "_domainkey" in question.name]) == 2


def test_signatures_of_others_are_not_looked_at_and_hide_none(court: Court, signer: Signer) -> None:
    message = signer.craft(MESSAGE)
    for number in range(20):
        message = Signer(domain=f"d{number}.stranger.example".encode()).craft(message)
    assert court.prove(message).dkim == PROVEN
    assert [question.name for question in court.dns.questions] == [signer.name]


def test_somebody_elses_signature_proves_nothing(court: Court) -> None:
    other = Signer(domain=b"stranger.example")
    other.publish(court.dns)
    assert nothing(court.prove(other.craft(MESSAGE)), "no DKIM signature of the author's")
    # What somebody else signed and somebody else sends on is still his, and no sender becomes its author.
    replayed = court.prove(other.craft(MESSAGE.replace(b"outside", b"stranger")), sender="eve@evil.example")
    assert replayed.dkim == {"stranger.example"}


def test_one_signature_proves_the_return_path_too(court: Court) -> None:
    list_host = Signer(domain=b"lists.example")
    list_host.publish(court.dns)
    author = Signer()
    author.publish(court.dns)
    both = list_host.craft(author.craft(MESSAGE), {"h": "from:list-id"})
    proofs = court.prove(both, sender="bounces@lists.example")
    assert proofs.dkim == {"outside.example", "lists.example"}
    assert proofs.signed == {"from", "to", "subject", "date"}, "the author's own signature, and no other"


@pytest.mark.parametrize(
    "trouble", [Trouble(silent=True), Trouble(rcode="SERVFAIL"), Trouble(rcode="REFUSED")]
)
def test_dns_trouble_is_doubt_and_no_verdict(court: Court, signer: Signer, trouble: Trouble) -> None:
    court.timeout = 0.3
    court.dns.trouble(signer.name, trouble)
    proofs = court.prove(signer.craft(MESSAGE), client="")
    assert (proofs.dkim, proofs.dkim_doubt) == (frozenset(), PROVEN)
    assert "not known, TXT of test._domainkey.outside.example" in proofs.because


def test_a_good_signature_beside_one_in_doubt_leaves_none(court: Court, signer: Signer) -> None:
    court.dns.fails("s2._domainkey.outside.example")
    both = signer.craft(signer.craft(MESSAGE), {"s": "s2"})
    proofs = court.prove(both)
    assert (proofs.dkim, proofs.dkim_doubt) == (PROVEN, frozenset())


def test_everything_ends_at_one_deadline(court: Court, signer: Signer) -> None:
    court.bounds = Bounds(seconds=0.5)
    court.dns.trouble("", Trouble(silent=True))
    message = MESSAGE
    for number in range(8):
        message = signer.craft(message, {"s": f"s{number}"})
    began = time.monotonic()
    proofs = court.prove(message)
    assert time.monotonic() - began < 15, "eight signatures and SPF together had half a second"
    assert proofs.dkim_doubt == proofs.spf_doubt == PROVEN


def test_a_second_from_is_no_author(court: Court, signer: Signer) -> None:
    signed = signer.craft(MESSAGE)
    for forged in (
        b"From: boss@outside.example\r\n" + signed,
        signed.replace(b"To:", b"From: b@evil.example\r\nTo:"),
    ):
        assert not court.prove(forged, sender="eve@evil.example").dkim
        assert not court.prove(forged).dkim, "the added field breaks the signature, for the return path too"


def test_a_field_added_on_top_is_not_covered(court: Court, signer: Signer) -> None:
    signed = signer.craft(MESSAGE)
    assert "subject" in court.prove(signed).signed
    forged = court.prove(b"Subject: Something else\r\n" + signed)
    assert forged.dkim == PROVEN
    assert "subject" not in forged.signed
    twice = signer.craft(MESSAGE, {"h": "from:subject:subject:list-id"})
    assert court.prove(twice).signed == {"from", "subject", "list-id"}
    assert not court.prove(b"List-Id: <x.example>\r\n" + twice).dkim, "its absence was signed"


def test_a_body_that_is_too_large_or_was_not_kept_is_not_verified(court: Court, signer: Signer) -> None:
    whole, court.bounds = court.bounds, replace(court.bounds, octets=1_000)
    signed = signer.craft(MESSAGE + b"x\r\n" * 500)
    assert nothing(court.prove(signed), "too large")
    court.bounds = whole
    assert court.prove(signed).dkim == PROVEN


def test_one_body_at_a_time_is_in_memory_and_none_while_dns_is_asked(court: Court, signer: Signer) -> None:
    prover, signed = court.prover, evidence(signer.craft(MESSAGE))
    inside: list[int] = []
    most: list[int] = []

    def body() -> bytes:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.005)
        inside.pop()
        return MESSAGE.partition(b"\r\n\r\n")[2]

    court.dns.trouble(signer.name, Trouble(delay=0.2))
    with ThreadPoolExecutor(8) as pool:
        proofs = list(pool.map(prover.prove, [replace(signed, body=body)] * 16))
    assert {found.dkim for found in proofs} == {PROVEN}
    assert max(most) == 1
    assert not prover.turn.locked()


def test_who_waits_too_long_for_his_turn_is_in_doubt(court: Court, signer: Signer) -> None:
    court.bounds = Bounds(seconds=0.2)
    prover = court.prover
    with prover.turn:
        proofs = prover.prove(evidence(signer.craft(MESSAGE), client=""))
    assert (set(proofs.dkim), set(proofs.dkim_doubt)) == (set(), set(PROVEN))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*b"v a b bh c d h i l q s t x z".split(), b""]),
            st.one_of(
                st.binary(max_size=20).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"")),
                st.sampled_from(b"1 rsa-sha256 AAAA from outside.example test dns/txt".split()),
            ),
        ),
        max_size=15,
    )
)
def test_no_signature_field_whatever_proves_or_crashes(court: Court, tags: list[tuple[bytes, bytes]]) -> None:
    field = b"; ".join(tag + b"=" + value for tag, value in tags)
    assert not court.prove(b"DKIM-Signature: " + field + b"\r\n" + MESSAGE, client="").dkim


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300), st.binary(max_size=200).map(lambda key: b"v=DKIM1; p=" + b64encode(key))
    )
)
def test_no_key_record_whatever_proves_or_crashes(court: Court, signer: Signer, record: bytes) -> None:
    signer.publish(court.dns, record)
    assert not court.prove(signer.craft(MESSAGE), client="").dkim
