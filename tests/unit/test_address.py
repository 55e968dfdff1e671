"""Addresses: one canonical form for every spelling, and nothing past `strict` that an MTA would repair."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.address import canonical, path, pattern, readable, strict, xtext

OWN = frozenset({"test.example", "masociete.example"})


@pytest.mark.parametrize(
    "argument",
    [
        "<staff@test.example>",
        "<STAFF@Test.Example>",
        '<"staff"@test.example>',
        "<staff@test.example.>",
        "< staff@test.example >",
        "<staff @test.example>",
        "<st\\aff@test.example>",
        "staff@test.example",
    ],
)
def test_spellings_of_one_address(argument: str) -> None:
    read = path(argument, OWN)
    assert read is not None
    assert (read.canonical, read.received, read.routed) == ("staff@test.example", argument, False)


@pytest.mark.parametrize(
    ("argument", "resolved"),
    [
        ("<@relay.example:staff@test.example>", None),
        ("<@relay.example:staff@test.example>", "staff@test.example"),
        ("<staff%test.example@test.example>", "staff%test.example@test.example"),
        ("<test.example!staff@test.example>", "test.example!staff@test.example"),
    ],
)
def test_routes_are_seen_through_and_said(argument: str, resolved: str | None) -> None:
    read = path(argument, OWN, resolved)
    assert read is not None
    assert (read.canonical, read.routed) == ("staff@test.example", True)


def test_the_mta_decides_where_it_completed_the_domain() -> None:
    read = path("<staff>", OWN, "staff@test.example")
    assert read is not None
    assert read.canonical == "staff@test.example"


def test_a_foreign_local_part_keeps_its_case() -> None:
    assert canonical("Bob@Other.Example", OWN) == "Bob@other.example"


def test_null_sender() -> None:
    read = path("<>", OWN)
    assert read is not None
    assert read.canonical == ""


@pytest.mark.parametrize(
    "bad", ["<staff>", "<@>", "<a@b@>", "<@test.example>", "<a@b_ c>", '<"a"b"@test.example>']
)
def test_what_is_no_mailbox_is_none(bad: str) -> None:
    assert path(bad, OWN) is None


def test_u_labels_become_a_labels() -> None:
    assert canonical("Zoé@MÜNCHEN.example") == "Zoé@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    "bad",
    [
        "not an address",
        "a b@d.example",
        "<x@d.example",
        "<x@d.example>",
        "a@d.example,b@d.example",
        "a@d.example\r\nRCPT TO:<b@d.example>",
        "a\0@d.example",
        "|cmd@d.example",
        "/path@d.example",
        ":include:/etc/passwd@d.example",
        "-oQ@d.example",
        "a%b@d.example",
        "b!a@d.example",
        "a@",
        "@d.example",
        "",
        "a@localhost",
        "a@[127.0.0.1]",
        "a@d..example",
        "a..b@d.example",
        ".a@d.example",
        "\udcffa@d.example",
        "x" * 65 + "@d.example",
        "a@" + "d." * 130 + "example",
        '"a"@d.example',
        "a@d.example.",
    ],
)
def test_strict_refuses_what_an_mta_would_repair(bad: str) -> None:
    assert strict(bad) is None


@pytest.mark.parametrize(
    "good", ["a@d.example", "a.b+c@d.example", "zoé@d.example", "o'neil@d.example", "1@1.example"]
)
def test_strict_passes_ordinary_addresses(good: str) -> None:
    assert strict(good) == good


@given(st.text())
def test_strict_yields_one_plain_token_or_nothing(text: str) -> None:
    read = strict(text)
    if read is not None:
        assert read.count("@") == 1
        assert not set(read) & set(' <>,;:"()[]\\\r\n\0')
        assert strict(read) == read


@given(st.text(alphabet=string.printable), st.text())
def test_path_never_raises_and_is_stable(argument: str, resolved: str) -> None:
    read = path(argument, OWN, resolved)
    if read is not None and read.canonical and not read.routed:
        again = path(f"<{read.canonical}>", OWN, read.canonical)
        assert again is None or again.canonical == read.canonical


@pytest.mark.parametrize(
    ("text", "matching", "others"),
    [
        (
            "paul@partner.example",
            ["paul@partner.example", "Paul@partner.example"],
            ["pauline@partner.example"],
        ),
        ("@partner.example", ["x@partner.example"], ["x@sub.partner.example", "x@notpartner.example"]),
        ("@.partner.example", ["x@partner.example", "x@a.b.partner.example"], ["x@notpartner.example"]),
    ],
)
def test_patterns(text: str, matching: list[str], others: list[str]) -> None:
    read = pattern(text)
    assert read is not None
    assert str(read) == text
    assert all(read.matches(address) for address in matching)
    assert not any(read.matches(address) for address in others)


@given(
    st.lists(st.sampled_from(["@a.example", "@.a.example", "@b.a.example", "x@a.example", "@.b.a.example"]))
)
def test_a_pattern_covers_those_whose_addresses_it_all_matches(texts: list[str]) -> None:
    addresses = (
        "x@a.example",
        "y@a.example",
        "x@b.a.example",
        "x@c.a.example",
        "x@c.b.a.example",
        "x@aa.example",
    )
    read = [one for one in map(pattern, texts) if one is not None]
    for wide in read:
        for other in read:
            matched = [address for address in addresses if other.matches(address)]
            assert wide.covers(other) == all(map(wide.matches, matched))


def test_a_bad_pattern_is_none() -> None:
    assert pattern("*") is None
    assert pattern("") is None


def test_xtext() -> None:
    assert xtext("a+b=c@d.example") == "a+2Bb+3Dc@d.example"
    assert xtext("zoé@d.example") == "zo+C3+A9@d.example"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Zoé@xn--mnchen-3ya.example", "Zoé@münchen.example"),
        ("a@plain.example", "a@plain.example"),
        ("a@xn--.example", "a@xn--.example"),
        ("a@xn--a-ecp.ru", "a@xn--a-ecp.ru"),
        ("", ""),
    ],
)
def test_a_domain_is_written_as_people_do_where_it_means_the_same(written: str, shown: str) -> None:
    assert readable(written) == shown
    if "@" in shown and shown != written:
        assert canonical(shown) == written
