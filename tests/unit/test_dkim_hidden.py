"""A signature proves nothing where it stands too low for the message to be known by it when it comes again."""

from __future__ import annotations

from tests.support.proving import MESSAGE, Court
from tests.support.signing import Signer

from groupmilter.mail.fingerprint import MOST_SIGNATURES

OTHER = b"DKIM-Signature: v=1; d=stranger.example; s=s; b=AAAA\r\n"


def test_a_signature_below_so_many_others_that_a_replay_would_not_be_known_proves_nothing() -> None:
    with Court() as court:
        signer = Signer(domain=b"outside.example")
        signer.publish(court.dns)
        message = signer.craft(MESSAGE)
        assert court.prove(OTHER * (MOST_SIGNATURES - 1) + message).dkim == {"outside.example"}
        assert not court.prove(OTHER * MOST_SIGNATURES + message).dkim
