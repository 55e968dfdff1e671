"""Which domains speak for which: organisations, public suffixes, and DMARC records in a real DNS server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.proving import MESSAGE, Court
from tests.support.signing import Signer

from groupmilter.authentication.alignment import Alignment, alignment
from groupmilter.authentication.dmarc import Published, published

ALIGNMENT = alignment()


@pytest.fixture
def court() -> Iterator[Court]:
    with Court(alignment=ALIGNMENT) as running:
        yield running


@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("example.org", "example.org"),
        ("a.b.example.org", "example.org"),
        ("x.co.uk", "x.co.uk"),
        ("a.x.co.uk", "x.co.uk"),
        ("co.uk", ""),
        ("uk", ""),
        ("user.github.io", "user.github.io"),
        ("github.io", ""),
        ("a.city.kobe.jp", "city.kobe.jp"),
        ("xn--55qx5d.cn", ""),
        ("a.xn--55qx5d.cn", "a.xn--55qx5d.cn"),
        ("firm.unheard-of", "firm.unheard-of"),
        ("a..b", ""),
        ("", ""),
    ],
)
def test_organisational_domains(domain: str, organisation: str) -> None:
    assert ALIGNMENT.organisation(domain) == organisation


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("example.org", "example.org", True),
        ("mail.example.org", "example.org", True),
        ("a.example.org", "b.example.org", True),
        ("example.org", "notexample.org", False),
        ("x.co.uk", "co.uk", False),
        ("x.co.uk", "y.co.uk", False),
        ("co.uk", "co.uk", True),
        ("a.github.io", "b.github.io", False),
        ("a.github.io", "github.io", False),
        ("", "", False),
        ("example.org", "", False),
    ],
)
def test_relaxed_alignment(one: str, other: str, related: bool) -> None:
    assert ALIGNMENT.related(one, other) is ALIGNMENT.related(other, one) is related


DOMAINS = st.lists(
    st.sampled_from(["a", "b", "co", "uk", "example", "com", "github", "io"]), min_size=1, max_size=5
)


@given(DOMAINS, DOMAINS, DOMAINS)
def test_alignment_parts_domains_into_organisations(one: list[str], two: list[str], three: list[str]) -> None:
    a, b, c = (".".join(labels) for labels in (one, two, three))
    related = Alignment.related
    assert related(ALIGNMENT, a, a)
    if related(ALIGNMENT, a, b) and related(ALIGNMENT, b, c):
        assert related(ALIGNMENT, a, c)


@pytest.mark.parametrize(
    ("record", "strict"),
    [
        (b"v=DMARC1; p=none", (False, False)),
        (b"v=DMARC1; p=reject; adkim=s; aspf=s", (True, True)),
        (b"v=DMARC1;p=none;adkim = S", (True, False)),
        (b"v=DMARC1; p=none; aspf=s;", (False, True)),
        (b"v=DMARC1; p=none; adkim=r; aspf=strict", (False, False)),
        (b"v=DMARC1; p=none; adkim=s; adkim=r", (False, False)),
        (b"v=DMARC1; p=none;; nonsense; adkim=s", (True, False)),
        (b"v=DMARC1; adkim=s; rua=" + b"x" * 5_000, (False, False)),
        (b"", (False, False)),
    ],
)
def test_what_a_record_publishes(record: bytes, strict: tuple[bool, bool]) -> None:
    assert published(record) == Published(*strict)


@given(st.binary(max_size=200))
def test_no_record_whatever_crashes(record: bytes) -> None:
    assert isinstance(published(record), Published)


def dkim(court: Court, author: str, signing: str) -> tuple[set[str], set[str]]:
    """Return what a signature of one domain proves of an author in another, for sure and perhaps."""
    signer = Signer(domain=signing.encode())
    signer.publish(court.dns)
    court.dns.forget()
    message = MESSAGE.replace(b"outside.example", author.encode())
    proofs = court.prove(signer.craft(message), sender="", client="")
    return set(proofs.dkim), set(proofs.dkim_doubt)


def asked(court: Court) -> list[str]:
    return [question.name for question in court.dns.questions if question.name.startswith("_dmarc.")]


def test_the_same_domain_needs_no_record(court: Court) -> None:
    assert dkim(court, "outside.example", "outside.example")[0] == {"outside.example"}
    assert asked(court) == []


def test_another_domain_of_the_organisation_is_aligned_unless_the_record_is_strict(court: Court) -> None:
    for author, signing in (
        ("outside.example", "mail.outside.example"),
        ("a.outside.example", "outside.example"),
        ("a.outside.example", "b.outside.example"),
    ):
        assert dkim(court, author, signing)[0] == {author}
        assert asked(court) == list(dict.fromkeys([f"_dmarc.{author}", "_dmarc.outside.example"]))
    court.dns.txt("_dmarc.outside.example", "v=DMARC1; p=reject; adkim=s")
    assert dkim(court, "outside.example", "mail.outside.example") == (set(), set())
    assert dkim(court, "a.outside.example", "outside.example") == (set(), set())
    assert dkim(court, "outside.example", "outside.example")[0] == {"outside.example"}


def test_the_authors_own_record_goes_before_the_organisations(court: Court) -> None:
    court.dns.txt("_dmarc.outside.example", "v=DMARC1; p=none; adkim=s")
    court.dns.txt("_dmarc.a.outside.example", "v=DMARC1; p=none")
    assert dkim(court, "a.outside.example", "outside.example")[0] == {"a.outside.example"}
    assert asked(court) == ["_dmarc.a.outside.example"]


def test_two_records_are_none_and_others_do_not_count(court: Court) -> None:
    court.dns.txt("_dmarc.outside.example", "v=spf1 -all", "v=DMARC1; adkim=s", "v=DMARC10; adkim=s")
    assert not dkim(court, "outside.example", "a.outside.example")[0]
    court.dns.txt("_dmarc.outside.example", "v=DMARC1; p=none; adkim=s")
    assert dkim(court, "outside.example", "a.outside.example")[0] == {"outside.example"}


def test_a_record_that_dns_cannot_tell_is_doubt(court: Court) -> None:
    court.dns.fails("_dmarc.outside.example")
    assert dkim(court, "outside.example", "a.outside.example") == (set(), {"outside.example"})
    assert dkim(court, "outside.example", "outside.example") == ({"outside.example"}, set())


def test_a_public_suffix_speaks_for_nobody_below_it(court: Court) -> None:
    assert dkim(court, "x.co.uk", "co.uk") == (set(), set())
    assert dkim(court, "x.co.uk", "y.co.uk") == (set(), set())
    assert dkim(court, "alice.github.io", "mallory.github.io") == (set(), set())
    message = MESSAGE.replace(b"outside.example", b"x.co.uk")
    court.dns.txt("co.uk", "v=spf1 +all")
    assert court.prove(message, sender="eve@co.uk").spf == {"co.uk"}


def test_spf_is_aligned_by_its_own_word_of_the_record(court: Court) -> None:
    court.dns.txt("bounces.outside.example", "v=spf1 +all")
    sender = "b@bounces.outside.example"
    assert court.prove(MESSAGE, sender=sender).spf == {"outside.example", "bounces.outside.example"}
    court.dns.txt("_dmarc.outside.example", "v=DMARC1; p=none; adkim=s")
    assert court.prove(MESSAGE, sender=sender).spf == {"outside.example", "bounces.outside.example"}
    court.dns.remove("_dmarc.outside.example")
    court.dns.txt("_dmarc.outside.example", "v=DMARC1; p=none; aspf=s")
    assert court.prove(MESSAGE, sender=sender).spf == {"bounces.outside.example"}
    court.dns.fails("_dmarc.outside.example")
    proofs = court.prove(MESSAGE, sender=sender)
    assert (set(proofs.spf), set(proofs.spf_doubt)) == ({"bounces.outside.example"}, {"outside.example"})
