"""The decoder of LDAP messages: what it reads, and that nothing but `Incomplete` comes of broken octets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_ldap import answer, done
from tests.support.fake_ldap import entry as encoded_entry

from groupmilter.directory.ldap_messages import (
    DONE,
    ENTRY,
    INTERMEDIATE,
    entry,
    is_disconnection,
    message,
    paged_cookie,
    result,
    size_of,
    tlv,
)
from groupmilter.directory.ldap_settings import Incomplete
from groupmilter.directory.ldap_syncrepl import event

STATE = ("1.3.6.1.4.1.4203.1.9.1.2", tlv(0x30, tlv(0x0A, b"\1") + tlv(4, bytes(16)) + tlv(4, b"c")))
INFO = answer(
    5,
    INTERMEDIATE,
    tlv(0x80, b"1.3.6.1.4.1.4203.1.9.1.4") + tlv(0x81, tlv(0xA3, tlv(0x31, tlv(4, bytes(16))))),
)
SAMPLES = [
    encoded_entry(7, "cn=a,dc=example", {"mail": [b"a@x", b"b@x"], "member": [b"m" * 200]}, [STATE]),
    done(9, 4, "too many", [("1.3.6.1.4.1.4203.1.9.1.3", tlv(0x30, tlv(4, b"c") + tlv(1, b"\xff")))]),
    INFO,
]
VALUES = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.lists(st.binary(max_size=300), max_size=4)
)


def read(octets: bytes) -> None:
    """Read octets in every way in which the reader could."""
    size_of(octets)
    cut = message(octets)
    is_disconnection(cut)
    event(cut)
    if cut.tag == ENTRY:
        entry(cut.body)
    elif cut.tag == DONE:
        result(cut.body)


def complaint(reading: Callable[[bytes], object], octets: bytes) -> str | None:
    """What is wrong with the octets, None where nothing is; any other exception comes through."""
    try:
        reading(octets)
    except Incomplete as error:
        return str(error)
    return None


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_is_read(sample: bytes) -> None:
    read(sample)
    assert size_of(sample) == len(sample)


@given(st.sampled_from(SAMPLES), st.data())
def test_broken_octets_are_incomplete_and_nothing_else(sample: bytes, more: st.DataObject) -> None:
    broken = bytearray(sample)
    for _ in range(more.draw(st.integers(1, 4))):
        broken[more.draw(st.integers(0, len(broken) - 1))] = more.draw(st.integers(0, 255))
    kept = bytes(broken[: more.draw(st.integers(0, len(broken)))])
    assert complaint(read, kept) != ""


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    assert complaint(read, octets) != ""
    assert complaint(paged_cookie, octets) != ""


@given(st.text(min_size=1, max_size=50), VALUES)
def test_an_entry_comes_out_as_it_went_in(name: str, values: dict[str, list[bytes]]) -> None:
    cut = message(encoded_entry(3, name, values))
    assert (cut.number, cut.tag) == (3, ENTRY)
    assert entry(cut.body) == (name, {key: tuple(found) for key, found in values.items()})


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths(length: int) -> None:
    whole = tlv(0x30, bytes(length))
    assert size_of(whole) == len(whole)
    assert size_of(whole[:1]) is None


def test_names_are_lower_case_and_keep_their_options() -> None:
    cut = message(encoded_entry(1, "cn=a", {"dgMailTip;lang-FR": [b"x"]}))
    assert entry(cut.body)[1] == {"dgmailtip;lang-fr": (b"x",)}
