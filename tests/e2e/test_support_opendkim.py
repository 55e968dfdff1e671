"""The verifier itself: it lets stand what signers made, and nothing that was touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from tests.support.opendkim import OpenDkimFailed, Result, Verifier, opendkim
from tests.support.signed import DOMAIN, LETTERS, Signers, letter

from groupmilter.mail.content import parted

Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "a word of the body": lambda m: m.replace(b"hello", b"hallo"),
    "a line more": lambda m: m + b"-- \r\na footer\r\n",
    "the Subject": lambda m: m.replace(b"Subject: offer", b"Subject: [list] offer"),
    "a second From": lambda m: m.replace(b"\r\n\r\n", b"\r\nFrom: x@outside.example\r\n\r\n", 1),
    "the fields that are signed": lambda m: m.replace(b"h=From", b"h=To:From").replace(
        b"h=from", b"h=to:from"
    ),
    "the signatures": lambda m: re.sub(rb"([\s;]b=)", rb"\1AAAA", m),
}


@pytest.fixture(name="signers", scope="module")
def _signers() -> Iterator[Signers]:
    with Signers() as running:
        yield running


@pytest.mark.parametrize("name", LETTERS)
def test_each_signature_holds_on_the_message_as_it_was_signed(signers: Signers, name: str) -> None:
    signed = signers.sign(letter(name, "mark"))
    assert {(one.domain, one.verdict) for one in signers.verifier.results(signed)} == {(DOMAIN, "pass")}
    assert signers.broken(signed) == []


@pytest.mark.parametrize("name", LETTERS)
def test_each_signature_covers_the_mark(signers: Signers, name: str) -> None:
    """Else two letters of one second could bear the same one, and the later would be held as a replay of the other."""
    fields, _ = parted(signers.sign(letter(name, "mark")).replace(b"\r\n", b"\n"))
    values = {key.lower(): value for key, value in fields}
    signatures = [value for key, value in fields if key == b"DKIM-Signature"]
    assert len(signatures) == len(signers.records)
    for one in signatures:
        named = re.search(rb"[;\s]h=([^;]+)", one)
        assert named is not None
        assert any(b"mark" in values.get(key.strip().lower(), b"") for key in named[1].split(b":")), named[1]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_signature_holds_on_what_was_changed(signers: Signers, change: Change) -> None:
    signed = signers.sign(letter("plain", "mark"))
    changed = change(signed)
    assert changed != signed
    verdicts = {one.selector: one.verdict for one in signers.verifier.results(changed)}
    standing = {selector for selector, verdict in verdicts.items() if verdict == "pass"}
    # One signature covers From alone of the header, on purpose.
    assert standing <= {"opendkim-relaxed-relaxed"} if change is CHANGES["the Subject"] else not standing
    assert len(verdicts) == len(signers.records)


def test_a_signature_too_many_or_too_few_is_noticed(signers: Signers) -> None:
    unsigned = letter("plain", "mark")
    assert signers.broken(unsigned) == [f"0 signatures, not {len(signers.records)}"]
    assert signers.broken(signers.sign_over(unsigned, ("from",)), 1) == []
    assert signers.broken(signers.sign_over(unsigned, ("from",)), 2) == ["1 signatures, not 2"]


def test_a_key_that_was_revoked_is_no_proof(signers: Signers) -> None:
    signed = signers.sign_over(letter("plain", "mark"), ("from",))
    with Verifier({f"dkimpy-relaxed-simple._domainkey.{DOMAIN}": "v=DKIM1; p="}) as later:
        assert later.results(signed) == [Result("fail", DOMAIN, "dkimpy-relaxed-simple")]


def test_what_it_does_not_understand_is_told() -> None:
    with pytest.raises(OpenDkimFailed, match="unrecognized parameter"), opendkim({"NoSuchSetting": "1"}):
        pass
