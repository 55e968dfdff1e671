"""DKIM signatures for the tests, made and verified by dkimpy with a key of the test's own; DNS is played.

    signer = Signer()
    signed = signer.sign(message, (b"relaxed", b"simple"))
    assert signer.holds(signed)

Fails with `subprocess.CalledProcessError` without openssl(1).
"""

from __future__ import annotations

import subprocess
from base64 import b64encode
from dataclasses import dataclass, field

import dkim

DOMAIN, SELECTOR = b"outside.example", b"test"


def _key() -> bytes:
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _public(key: bytes) -> bytes:
    command = ["openssl", "pkey", "-pubout", "-outform", "DER"]
    return b64encode(subprocess.run(command, input=key, check=True, capture_output=True).stdout)


@dataclass
class Signer:
    """A domain that signs with RSA-2048."""

    key: bytes = field(default_factory=_key)

    def __post_init__(self) -> None:
        self.record = b"v=DKIM1; k=rsa; p=" + _public(self.key)

    def sign(
        self, message: bytes, canonicalization: tuple[bytes, bytes], fields: tuple[bytes, ...] = ()
    ) -> bytes:
        """The message with a signature on top, over all its fields or over some."""
        made = dkim.sign(
            message, SELECTOR, DOMAIN, self.key, canonicalize=canonicalization, include_headers=fields or None
        )
        return made + message

    def holds(self, message: bytes) -> bool:
        """Whether the topmost signature of a message holds."""
        return dkim.verify(message, dnsfunc=self._dns)

    def _dns(self, name: bytes | str, **_: object) -> bytes | None:
        wanted = name if isinstance(name, bytes) else name.encode()
        return self.record if wanted == SELECTOR + b"._domainkey." + DOMAIN + b"." else None
