"""A signature proves nothing where a message could not be known by it when it comes again, or no key made it so."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
from tests.support.proving import MESSAGE, Court
from tests.support.signing import Signer, made_key, modulus

from groupmilter.mail.fingerprint import MOST_SIGNATURES

OTHER = b"DKIM-Signature: v=1; d=stranger.example; s=s; b=AAAA\r\n"


def test_a_signature_below_so_many_others_that_a_replay_would_not_be_known_proves_nothing() -> None:
    with Court() as court:
        signer = Signer(domain=b"outside.example")
        signer.publish(court.dns)
        message = signer.craft(MESSAGE)
        assert court.prove(OTHER * (MOST_SIGNATURES - 1) + message).dkim == {"outside.example"}
        assert not court.prove(OTHER * MOST_SIGNATURES + message).dkim


def test_a_signature_is_spelt_in_one_way() -> None:
    """The modulus may be added any number of times, and zeros put before: the same to whoever only computes."""
    with Court() as court:
        signer = Signer(domain=b"outside.example")
        signer.publish(court.dns)
        message = signer.craft(MESSAGE)
        assert court.prove(message).dkim == {"outside.example"}
        found = re.search(rb"\bb=([A-Za-z0-9+/=]+(?:\r\n[ \t]+[A-Za-z0-9+/=]+)*)", message)
        assert found is not None
        octets = base64.b64decode(b"".join(found[1].split()))
        added = (int.from_bytes(octets, "big") + modulus(signer.key) * 2**64).to_bytes(
            len(octets) + 16, "big"
        )
        for other in (added, b"\0" + octets):
            whole = base64.b64encode(other)
            assert not court.prove(message[: found.start(1)] + whole + message[found.end(1) :]).dkim


@pytest.mark.parametrize(
    "number",
    [
        lambda key: b"\xff" * (key.bit_length() // 8),
        lambda key: key.to_bytes(key.bit_length() // 8, "big"),
        lambda key: b"\x01" * (key.bit_length() // 8 - 1),
        lambda key: b"\x00" + b"\x01" * (key.bit_length() // 8),
    ],
    ids=["greatest", "modulus", "an octet less", "an octet more"],
)
def test_a_signature_that_the_key_could_not_make(number: Callable[[int], bytes]) -> None:
    with Court() as court:
        signer = Signer()
        signer.publish(court.dns)
        field, below = signer.craft(MESSAGE, {"c": "simple/simple"}).split(b"\r\nFrom:", 1)
        made = base64.b64encode(number(modulus(signer.key)))
        forged = field[: field.rindex(b" b=") + 3] + made + b"\r\nFrom:" + below
        proofs = court.prove(forged)
        assert "not a number that the key could make" in proofs.because
        assert not proofs.dkim | proofs.dkim_doubt


def test_a_signature_by_a_key_of_another_length() -> None:
    with Court() as court:
        signer = Signer()
        signer.publish(court.dns, Signer(made_key(1024)).record)
        proofs = court.prove(signer.craft(MESSAGE))
        assert "not a number that the key could make" in proofs.because
        assert not proofs.dkim | proofs.dkim_doubt
