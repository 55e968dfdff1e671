"""From and its like: what one grammar reads without doubt, and None for every trick."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupmilter.mail.header import keyword, mailboxes, mentioned, signed_fields


@pytest.mark.parametrize(
    ("field", "addresses"),
    [
        ("alice@corp.example", ("alice@corp.example",)),
        (" Alice <alice@corp.example>", ("alice@corp.example",)),
        ('"Martin, Alice" <alice@corp.example>', ("alice@corp.example",)),
        ('"ceo@corp.example" <x@evil.example>', ("x@evil.example",)),
        ("=?utf-8?Q?Zo=C3=A9?= <zoe@corp.example>", ("zoe@corp.example",)),
        ("Alice\r\n\t<alice@corp.example> (work)", ("alice@corp.example",)),
        ("a@x.example, B <b@x.example>", ("a@x.example", "b@x.example")),
        ("Dr. Who <who@x.example>", ("who@x.example",)),
        ("Zoé <zoé@MÜNCHEN.example>", ("zoé@xn--mnchen-3ya.example",)),
    ],
)
def test_read(field: str, addresses: tuple[str, ...]) -> None:
    assert mailboxes(field) == addresses


@pytest.mark.parametrize(
    "field",
    [
        "",
        "ceo@corp.example <x@evil.example>",
        "alice@example.org)bob@evil.example",
        "<alice@corp.example> <x@evil.example>",
        "alice@corp.example\0, x@evil.example",
        "friends: a@x.example, b@x.example;",
        "undisclosed-recipients:;",
        "<@relay.example:a@x.example>",
        "a@[192.0.2.1]",
        '"alice"@corp.example',
        "a@x.example,",
        ",a@x.example",
        "(((((((a)))))))a@x.example",
        "a@x.example (",
        "a@@x.example",
        "Alice <alice@corp.example",
        "alice@corp.example>",
        '"unclosed <a@x.example>',
        "\udcff <a@x.example>\ud800",
        "a@x.example;b@y.example",
    ],
)
def test_tricks_are_unreadable(field: str) -> None:
    assert mailboxes(field) is None or mailboxes(field) == ()


@given(st.text(max_size=300))
def test_never_raises(field: str) -> None:
    read = mailboxes(field)
    assert read is None or all("@" in address for address in read)


def test_a_bomb_is_quick_and_unreadable() -> None:
    assert mailboxes("(" * 16_000) is None
    assert mailboxes('"' * 16_001) is None
    assert mailboxes("a@x.example, " * 100_000) is None


def test_mentioned_is_lenient() -> None:
    assert mentioned(["x <A@Corp.example>", "broken <b@corp.example> c@corp.example"]) == {
        "a@corp.example",
        "b@corp.example",
        "c@corp.example",
    }


def test_signed_fields() -> None:
    assert signed_fields(["v=1; a=rsa-sha256; h=From:To:\r\n\t List-Id; b=abc", "v=1; h=subject"]) == {
        "from",
        "to",
        "list-id",
        "subject",
    }


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (" auto-replied (vacation)", "auto-replied"),
        ("(a (nested) comment) auto-replied; x=y", "auto-replied"),
        ("Multipart/Report; report-type=delivery-status", "multipart/report"),
        ("no(t)", "no"),
        ("(never closed auto-replied", ""),
        (") auto-replied", ")"),
        ("", ""),
    ],
)
def test_keyword(value: str, word: str) -> None:
    assert keyword(value) == word
