"""Our prover and OpenDKIM agree: each RSA signature that OpenDKIM makes proves, and none that it lets fall does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.test_support_opendkim import CHANGES, Change
from tests.support.proving import Court
from tests.support.signed import DOMAIN, LETTERS, Signers, letter

from groupmilter.authentication.evidence import parted

SENDER = f"x@{DOMAIN}"
ED25519 = "opendkim-ed25519"
"""The one kind that we know nothing of yet."""


@pytest.fixture(name="signers", scope="module")
def _signers() -> Iterator[Signers]:
    with Signers() as running:
        yield running


@pytest.fixture(name="court", scope="module")
def _court(signers: Signers) -> Iterator[Court]:
    with Court() as running:
        for name, record in signers.records.items():
            running.dns.txt(name, record)
        yield running


def apart(signed: bytes) -> Iterator[bytes]:
    """Yield the message once for each of its signatures, without the others."""
    fields, body = parted(signed)
    written = [(name, name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n") for name, value in fields]
    rest = b"".join(field for name, field in written if name.lower() != b"dkim-signature")
    for name, field in written:
        if name.lower() == b"dkim-signature":
            yield field + rest + b"\r\n" + body


@pytest.mark.parametrize("name", LETTERS)
def test_each_of_its_signatures_proves(signers: Signers, court: Court, name: str) -> None:
    found = [court.prove(one, sender=SENDER, client="") for one in apart(signers.sign(letter(name, "mark")))]
    assert len(found) == len(signers.records)
    others = [proofs.because for proofs in found if DOMAIN not in proofs.dkim]
    assert others == [f"DKIM d={DOMAIN} s={ED25519}: by an algorithm other than rsa-sha256"]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_changed_is_judged_alike(signers: Signers, court: Court, change: Change) -> None:
    changed = change(signers.sign(letter("plain", "mark")))
    theirs = [one.verdict == "pass" for one in signers.verifier.results(changed)]
    ours = [DOMAIN in court.prove(one, sender=SENDER, client="").dkim for one in apart(changed)]
    by_rsa = [b"ed25519" not in one.partition(b"\r\nFrom:")[0] for one in apart(changed)]
    assert len(ours) == len(theirs) == len(signers.records)
    assert ours == [holds and rsa for holds, rsa in zip(theirs, by_rsa, strict=True)]
