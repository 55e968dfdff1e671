"""What our grammar reads as one mailbox, Python's parser reads too, and takes for the only one; else it is a doubt.

The oracle is email's `policy.default`, a full parser of RFC 5322 with its obsolete forms, on short input only; and
dkimpy's view of which fields are From at all.
"""

from __future__ import annotations

import email.policy
from email.headerregistry import AddressHeader

import dkim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from groupmilter.mail.address import canonical
from groupmilter.mail.content import parted
from groupmilter.mail.header import mailboxes

PIECES = st.sampled_from(
    [
        "boss@own.example", "bob@evil.example", "x@münchen.example", "Bob", "Dr.", "Zoé", "<", ">", "(", ")", '"', "\\",
        ",", ";", ":", "@", ".", " ", "\t", "\r\n ", "\n\t", "\r", "\n", "=?utf-8?Q?boss=40own.example?=",
        "=?utf-8?B?PGJvc3NAb3duLmV4YW1wbGU+?=", "=?x?q?=2C?=", "[192.0.2.1]", "'", "%", "!", "\0", "\x85", "\u200d",
        "\udce9", "<bob@evil.example>", '"x"', "(c)", "via",
    ]
)  # fmt: skip
ENDS = st.sampled_from(["<boss@own.example>", " <bob@evil.example>", "bob@evil.example", ""])
FIELDS = st.tuples(
    st.lists(PIECES, max_size=6).map("".join), ENDS, st.lists(PIECES, max_size=2).map("".join)
).map("".join)


def by_python(field: str) -> list[tuple[str, str]] | None:
    """The addresses as Python reads them: local part and domain; None where it stumbles over its own feet."""
    try:
        header = email.policy.default.header_factory("from", field.replace("\r\n", "").replace("\n", ""))
    except (AttributeError, IndexError):
        # Before 3.13, a dot that ends a name without a blank: "Dr.<bob@evil.example>".
        return None
    assert isinstance(header, AddressHeader)
    return [(address.username, address.domain) for address in header.addresses]


@settings(max_examples=2_000)
@given(FIELDS)
@example('"Last, First" <boss@own.example>')
@example("Dr. Zoé <x@münchen.example> (c)")
def test_one_mailbox_of_ours_is_the_only_one_of_pythons(field: str) -> None:
    read = mailboxes(field)
    if read is None or len(read) != 1:
        return
    # Python knows octets that are no UTF-8 as surrogates only where they came as octets.
    seen = by_python(field.encode("utf-8", "replace").decode())
    if seen is not None:
        assert [canonical(f"{local}@{domain}") for local, domain in seen] == [*read]


@settings(max_examples=500)
@given(FIELDS)
def test_what_is_read_reads_as_itself(field: str) -> None:
    read = mailboxes(field)
    if read is not None:
        assert mailboxes(", ".join(read)) == read
        assert all(address.rpartition("@")[0] in field for address in read)


NAMES = st.sampled_from(
    ["From", "FROM", "from", "fRoM", "From ", "From\t", "Fr om", "X-From", "Sender", " From"]
)
VALUES = st.sampled_from([" boss@own.example", "bob@evil.example", " a\n b@own.example", "", " :x"])


@settings(max_examples=500)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_dkimpy_counts_no_more_from_fields_than_we(fields: list[tuple[str, str]]) -> None:
    # A message can't begin with the continuation of a line: Postfix takes that for the body.
    message = "".join(f"{name}:{value}\n" for name, value in [("X", "y"), *fields]).encode() + b"\nbody\n"
    ours = [name for name, _ in parted(message)[0] if name.strip(b" \t").lower() == b"from"]
    try:
        theirs, _ = dkim.rfc822_parse(message)
    except dkim.MessageFormatError:
        return
    assert len([name for name, _ in theirs if name.strip().lower() == b"from"]) <= len(ours)
