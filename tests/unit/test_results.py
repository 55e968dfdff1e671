"""Authentication-Results: what a relay says, what only claims to be a relay's, and the published injections."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.proving import MESSAGE, Court
from tests.support.signing import Signer

from groupmilter.authentication.proof import Relay
from groupmilter.authentication.results import believed, forged

IDS = frozenset({"mx.own.example"})
RELAYS = (
    Relay(ip_network("192.0.2.0/28"), "mx.own.example"),
    Relay(ip_network("2001:db8::/64"), "six.own.example"),
)
PROVEN = frozenset({"outside.example"})


def fields(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"Authentication-Results", f" {value}".encode()) for value in values]


def said(*values: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Return what is believed of these fields: by method, the results with their properties."""
    found = believed(fields(*values), IDS)
    return {
        method: [(one.result, dict(one.properties)) for one in several] for method, several in found.items()
    }


PASS = {"dkim": [("pass", {"header.d": "outside.example"})]}


@pytest.mark.parametrize(
    "value",
    [
        "mx.own.example; dkim=pass header.d=outside.example",
        "MX.Own.Example 1; DKIM=Pass Header.D=outside.example",
        "mx.own.example (comment; dkim=fail);\n\tdkim=pass (good (very)) header.d=outside.example;",
        'mx.own.example;\r\n dkim=pass reason="well; done" header.d=outside.example',
        "mx.own.example; dkim/1=pass header.d=outside.example",
        "mx.own.example ; dkim = pass header . d = outside.example",
        "(\\)) mx.own.example; dkim=pass header.d=outside.example",
    ],
)
def test_ways_of_writing_the_same(value: str) -> None:
    if value.endswith(";"):
        # A semicolon at the end is no part of the grammar, but some write it; what stands before it holds.
        assert said(value)["dkim"] == PASS["dkim"]
    else:
        assert said(value) == PASS


@pytest.mark.parametrize(
    "value",
    [
        "mx.own.example",
        "mx.own.example 2; dkim=pass header.d=outside.example",
        "mx.own.example 1.0; dkim=pass header.d=outside.example",
        "mx.own.example.; dkim=pass header.d=outside.example",
        '"mx.own.example"; dkim=pass header.d=outside.example',
        "mx.own.example.evil.example; dkim=pass header.d=outside.example",
        "evil.example; mx.own.example; dkim=pass header.d=outside.example",
        "mx(.own.example; dkim=pass header.d=outside.example",
        "mx.own.example; dkim=pass (header.d=outside.example",
        "mx.own.example; dkim=pass header.d=outside.example)",
        "mx.own.example x; dkim=pass header.d=outside.example",
        "mx.own.example; dkim=pass header.d=outside.example\nInjected: yes",
        "mx.own.example; dkim=pass header.d=outside.example\x00",
        "mx.own.example; " + "(" * 10 + ")" * 10 + "dkim=pass header.d=outside.example",
        "mx.own.example; dkim=pass header.d=outside.example" + "; x=y" * 64,
        "mx.own.example; " + "x" * 9_000 + "; dkim=pass header.d=outside.example",
    ],
)
def test_what_is_not_believed_at_all(value: str) -> None:
    assert said(value) == {}


@pytest.mark.parametrize(
    "part",
    [
        # CVE-2020-12272: a domain with a parenthesis, copied into the field by whoever wrote it.
        "spf=pass smtp.mailfrom=a@outside.example(.b.example)",
        "spf=pass smtp.mailfrom=a@(x)outside.example.evil.example smtp.mailfrom=b@outside.example",
        "spf=pass smtp.mailfrom=outside.example evil.example",
        "spf=pass smtp.mailfrom=outside.example,evil.example",
        "spf=pass smtp.mailfrom=<a@outside.example>",
        "spf=pass smtp.mailfrom=evil.example smtp.mailfrom=outside.example",
        "spf=pass smtp.mailfrom=",
        "spf=pass smtp.mailfrom",
        "spf=pass mailfrom=outside.example",
        "spf=pass=fail smtp.mailfrom=outside.example",
        "spf smtp.mailfrom=outside.example",
        "spf=pass (",
    ],
)
def test_injected_text_proves_nothing(part: str) -> None:
    results = believed(fields(f"mx.own.example; {part}"), IDS).get("spf", ())
    domains = {one.properties.get("smtp.mailfrom", "") for one in results if one.result == "pass"}
    assert domains <= {"", "a@outside.example", "evil.example"}
    if "a@outside.example" in domains:
        assert part.startswith("spf=pass smtp.mailfrom=a@outside.example("), (
            "a comment is no part of the value"
        )


def test_a_result_inside_a_value_is_no_result() -> None:
    quoted = '"a; dkim=pass header.d=outside.example"@evil.example'
    assert set(said(f"mx.own.example; spf=pass smtp.mailfrom={quoted}")) <= {"spf"}
    assert set(said(r'mx.own.example; spf=fail reason="\"; dkim=pass header.d=outside.example"')) <= {"spf"}


def test_of_each_method_the_topmost_field_counts() -> None:
    top, below = (
        "mx.own.example; dkim=fail header.d=outside.example",
        "mx.own.example; dkim=pass header.d=outside.example",
    )
    assert said(top, below)["dkim"] == [("fail", {"header.d": "outside.example"})]
    both = said("mx.own.example; spf=fail smtp.mailfrom=a.example", below)
    assert [one[0] for one in both["spf"] + both["dkim"]] == ["fail", "pass"]
    several = "mx.own.example; dkim=fail header.d=a.example; dkim=pass header.d=b.example"
    assert [one[0] for one in said(several, below)["dkim"]] == ["fail", "pass"]


def test_an_unreadable_result_hides_those_below_it() -> None:
    below = "mx.own.example; dkim=pass header.d=outside.example"
    assert said("mx.own.example; dkim=pass nonsense", below).get("dkim") == []
    assert said("mx.own.example; dkim=pass (", below) == {}
    assert said("other.example; dkim=pass (", below)["dkim"] == PASS["dkim"]
    assert said("other.example; dkim=fail header.d=outside.example", below)["dkim"] == PASS["dkim"]


@pytest.mark.parametrize(
    "value",
    [
        "mx.own.example; dkim=pass",
        "MX.OWN.EXAMPLE; x",
        "mx.own.example.; x",
        "mx.own.example",
        "mx.own.example 1; none",
        "mx.own.example 7; none",
        '"mx.own.example"; x',
        '"mx.own.ex\\ample"; x',
        "(comment) mx.own.example; x",
        "mx.(comment)own.example; x",
        "mx.own.\n example; x",
        "\n\tmx.own.example\n\t; x",
        "mx.own.example (unclosed; x",
        "x (mx.own.example",
        "mx.own.example; (" + "(" * 5_000,
    ],
)
def test_forgeries_are_found_however_they_are_written(value: str) -> None:
    assert forged(fields("a.example; x", value, "b.example; y"), IDS, relay=False) == (2,)
    assert forged(fields(value), IDS, relay=True) == ()


@pytest.mark.parametrize(
    "value", ["mx.example; x", "notmx.own.example; x", "x; mx.own.example", "", "(", ";", '"']
)
def test_what_others_say_stays(value: str) -> None:
    assert forged(fields(value), IDS, relay=False) == ()


def test_the_last_forgery_comes_first() -> None:
    fifty = fields(*("mx.own.example; dkim=pass" if number % 2 else "a.example; x" for number in range(100)))
    found = forged(
        [(b"Subject", b" x"), *fifty, (b"AUTHENTICATION-RESULTS", b" mx.own.example")], IDS, relay=False
    )
    assert found == (101, *range(100, 0, -2))


@given(
    st.lists(
        st.one_of(st.text(), st.sampled_from(["mx.own.example", ";", "(", ")", '"', "\\", "dkim=pass", " "]))
    )
)
def test_no_field_whatever_crashes(pieces: list[str]) -> None:
    field = [(b"Authentication-Results", "".join(pieces).encode("utf-8", "surrogatepass"))]
    believed(field, IDS)
    places = forged(field, IDS, relay=False)
    assert places == (1,) or not believed(field, IDS), "whatever could be believed is found as a forgery"


def with_results(message: bytes, *values: str) -> bytes:
    return b"".join(f"Authentication-Results: {value}\r\n".encode() for value in values) + message


def test_a_relays_dkim_pass_proves_and_asks_no_dns() -> None:
    with Court(relays=RELAYS) as court:
        signed = Signer().craft(MESSAGE)
        proofs = court.prove(with_results(signed, "mx.own.example; dkim=pass header.d=outside.example"))
        assert proofs.dkim == PROVEN
        assert proofs.signed == {"from", "to", "subject", "date"}
        assert "as a relay says" in proofs.because
        assert court.dns.questions == ()
        six = with_results(signed, "six.own.example; dkim=pass header.i=@outside.example")
        assert court.prove(six, client="2001:db8::5").dkim == PROVEN
        assert not court.prove(six, client="192.0.2.1").dkim, "each relay under its own name"


@pytest.mark.parametrize("client", ["192.0.2.16", "203.0.113.1", "2001:db8:1::1", ""])
def test_nobody_else_is_believed(client: str) -> None:
    with Court(relays=RELAYS) as court:
        message = with_results(
            MESSAGE,
            "mx.own.example; dkim=pass header.d=outside.example; spf=pass smtp.mailfrom=outside.example;"
            " dmarc=pass header.from=outside.example",
        )
        proofs = court.prove(message, client=client)
        assert not proofs.dkim | proofs.spf


def test_what_a_relay_says_is_aligned_by_us_again() -> None:
    with Court(relays=RELAYS) as court:
        court.dns.txt("_dmarc.strict.example", "v=DMARC1; adkim=s; aspf=s")
        author = MESSAGE.replace(b"outside.example", b"strict.example")
        for result in (
            "dkim=pass header.d=mail.strict.example",
            "dkim=pass header.d=evil.example",
            "dkim=pass header.d=strict.example.evil.example",
            "spf=pass smtp.mailfrom=x@evil.example",
            "spf=pass smtp.helo=strict.example",
            "dmarc=pass header.from=evil.example",
            "dmarc=pass",
            "dkim=policy header.d=strict.example",
            "dkim=pass header.d=",
        ):
            proofs = court.prove(with_results(author, f"mx.own.example; {result}"), sender="x@other.example")
            assert not proofs.dkim | proofs.spf, result


def test_dmarc_and_spf_pass_count_as_spf() -> None:
    with Court(relays=RELAYS) as court:
        dmarc = court.prove(
            with_results(MESSAGE, "mx.own.example; dmarc=pass (p=none) header.from=outside.example")
        )
        assert (set(dmarc.spf), set(dmarc.dkim)) == ({"outside.example"}, set())
        spf = with_results(MESSAGE, "mx.own.example; spf=pass smtp.mailfrom=b@bounce.outside.example")
        assert court.prove(spf, sender="b@bounce.outside.example").spf == {
            "outside.example",
            "bounce.outside.example",
        }
        assert not court.prove(spf, sender="jean@outside.example").spf, "not the sender that it sent us"


def test_a_relays_word_makes_no_good_signature_of_one_that_counts_for_nothing() -> None:
    with Court(relays=RELAYS) as court:
        for changes in ({"l": "0"}, {"a": "rsa-sha1"}):
            short = Signer().craft(MESSAGE, changes)
            proofs = court.prove(with_results(short, "mx.own.example; dkim=pass header.d=outside.example"))
            assert not proofs.dkim
            assert "held at a relay, but" in proofs.because


def test_a_relay_may_say_which_of_several_signatures_it_means() -> None:
    with Court(relays=RELAYS) as court:
        good = Signer(selector=b"good").craft(MESSAGE)
        both = Signer(selector=b"short").craft(good, {"l": "0"})
        beginning = good.partition(b" b=")[2][:8].decode()
        for told in ("header.s=good", f'header.b="{beginning}"', f"header.s=good header.b={beginning}"):
            said = f"mx.own.example; dkim=pass header.d=outside.example {told}"
            assert court.prove(with_results(both, said)).dkim == PROVEN, told
        for told in ("", "header.s=short"):
            said = f"mx.own.example; dkim=pass header.d=outside.example {told}"
            assert not court.prove(with_results(both, said)).dkim, told


def test_an_identity_alone_is_the_domain_of_a_signature_only_if_one_shows_it() -> None:
    with Court(relays=RELAYS) as court:
        court.dns.txt("_dmarc.outside.example", "v=DMARC1; p=none; adkim=s")
        said = "mx.own.example; dkim=pass header.i=@a.outside.example"
        author = MESSAGE.replace(b"jean@outside", b"jean@a.outside")
        by_parent = Signer().craft(author, {"i": "@a.outside.example"})
        assert not court.prove(with_results(by_parent, said)).dkim, (
            "signed by the parent, and the author is strict"
        )
        by_itself = Signer(domain=b"a.outside.example").craft(author)
        assert court.prove(with_results(by_itself, said)).dkim == {"a.outside.example"}


def test_a_relay_that_has_taken_the_signature_away_is_believed_about_from_alone() -> None:
    with Court(relays=RELAYS) as court:
        proofs = court.prove(with_results(MESSAGE, "mx.own.example; dkim=pass header.d=outside.example"))
        assert (set(proofs.dkim), set(proofs.signed)) == ({"outside.example"}, {"from"})


@pytest.mark.parametrize("result", ["dkim=temperror", "dkim=fail", "dkim=none", "x=y", "dkim=pass ("])
def test_what_a_relay_leaves_open_a_signature_proves(result: str) -> None:
    with Court(relays=RELAYS) as court:
        signer = Signer()
        signer.publish(court.dns)
        assert court.prove(with_results(signer.craft(MESSAGE), f"mx.own.example; {result}")).dkim == PROVEN


def test_spf_is_never_asked_about_a_relay() -> None:
    with Court(relays=RELAYS) as court:
        # The organisation's record allows its own MX, through which everybody's mail comes.
        court.dns.txt("outside.example", "v=spf1 ip4:192.0.2.0/24 -all")
        assert court.prove(MESSAGE, client="192.0.2.20").spf == PROVEN
        proofs = court.prove(MESSAGE, client="::ffff:192.0.2.1")
        assert not proofs.spf | proofs.spf_doubt


def test_a_relay_that_could_not_tell_leaves_no_doubt_for_ever() -> None:
    with Court(relays=RELAYS) as court:
        proofs = court.prove(
            with_results(MESSAGE, "mx.own.example; spf=temperror smtp.mailfrom=outside.example")
        )
        assert not proofs.spf | proofs.spf_doubt
