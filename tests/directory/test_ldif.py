"""LDIF as RFC 2849 has it: what is written in any allowed way is read back, the rest is refused with its line."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.directory.entry import Entry
from groupmilter.directory.ldif import LdifError, read, read_file

VALUES = st.binary(max_size=40) | st.text("abc :<#\n\r é", max_size=20).map(str.encode)
RECORDS = st.lists(
    st.dictionaries(
        st.sampled_from(["cn", "mail", "dgmailtip;lang-fr", "x-y"]),
        st.lists(VALUES, min_size=1, max_size=3).map(tuple),
        max_size=4,
    ),
    max_size=4,
)


def safe(value: bytes) -> bool:
    return value.isascii() and not set(value) & set(b"\0\r\n") and value[:1] not in (b" ", b":", b"<")


def line(name: str, value: bytes, *, encode: bool, width: int) -> bytes:
    plain = safe(value) and not encode
    whole = name.encode() + (b": " + value if plain else b":: " + base64.b64encode(value))
    folded = [whole[:width], *(b" " + whole[at : at + width] for at in range(width, len(whole), width))]
    return b"\n".join(folded) + b"\n"


@given(RECORDS, st.booleans(), st.integers(3, 80), st.sampled_from([b"\n", b"\r\n"]))
def test_round_trip(
    records: list[dict[str, tuple[bytes, ...]]], encode: bool, width: int, ending: bytes
) -> None:
    text = b"version: 1\n# a comment\n  and its continuation\n"
    for number, record in enumerate(records):
        text += line("dn", f"cn=e{number},dc=x".encode(), encode=encode, width=width)
        for name, values in record.items():
            for value in values:
                text += line(name.upper(), value, encode=encode, width=width)
        text += b"\n"
    got = list(read(text.replace(b"\n", ending).splitlines(keepends=True), "t.ldif"))
    assert [entry.attributes for entry in got] == records
    assert [entry.dn for entry in got] == [f"cn=e{number},dc=x" for number in range(len(records))]


def entries(text: str, base: str = "") -> list[Entry]:
    return list(read(text.encode().splitlines(keepends=True), "t.ldif", base))


def test_uuids_are_given_or_follow_from_the_name() -> None:
    given_uuid, one = entries("dn: cn=a\nentryUUID: ABC-1\n\ndn: CN=B, dc=X\ncn: b\n")
    (same,) = entries("dn: cn=b,dc=x\ncn: other\n")
    (other,) = entries("dn: cn=c,dc=x\n")
    assert given_uuid.uuid == "abc-1"
    assert one.uuid == same.uuid != other.uuid
    assert len(one.uuid) == 36


def test_only_what_is_below_the_base() -> None:
    text = "dn: dc=x\n\ndn: cn=a,DC=X\n\ndn: cn=b,dc=y\n\ndn: cn=c\\,dc=x\n"
    assert [entry.dn for entry in entries(text, "dc=x")] == ["dc=x", "cn=a,DC=X"]
    assert len(entries(text)) == 4


@pytest.mark.parametrize(
    ("text", "line_number", "reason"),
    [
        ("dn: cn=a\nmail:< file:///etc/passwd\n", 2, "by URL"),
        ("dn: cn=a\nchangetype: delete\n", 2, "change records"),
        ("dn: cn=a\ncontrol: 1.2 true\n", 2, "change records"),
        ("cn: a\n", 1, "begins with 'dn:'"),
        ("dn: cn=a\ndn: cn=b\n", 2, "second"),
        ("dn: cn=a\nnonsense\n", 2, "expected"),
        ("dn: cn=a\nmail:: ***\n", 2, "base64"),
        ("dn: nonsense\n", 1, "distinguished"),
        ("dn:: /////w==\n", 1, "UTF-8"),
        ("version: 2\n", 1, "version"),
        (" continued\n", 1, "continue"),
        ("dn: cn=a\n\n\n# x\ndn: CN=A\n", 5, "line 1"),
        ("dn: cn=a\n\n continued\n", 3, "continue"),
    ],
)
def test_what_is_refused_says_where(text: str, line_number: int, reason: str) -> None:
    with pytest.raises(LdifError, match=rf"^t\.ldif:{line_number}: .*{reason}"):
        entries(text)


def test_files(tmp_path: Path) -> None:
    with pytest.raises(LdifError, match=r"none\.ldif: No such file"):
        list(read_file(tmp_path / "none.ldif"))
    (tmp_path / "one.ldif").write_text("dn: cn=a\ncn: a\n")
    (one,) = read_file(tmp_path / "one.ldif")
    assert one.first("CN") == "a"


def test_the_empty_file_has_no_entries() -> None:
    assert entries("") == entries("\n\n# nothing\n") == []
