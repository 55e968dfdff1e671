"""DKIM signatures for the tests, made and verified by dkimpy with keys of the tests' own; DNS is played, or a `Dns`.

    signer = Signer()
    signed = signer.sign(message, (b"relaxed", b"simple"))
    assert signer.holds(signed)

    signer.publish(dns)                                            # its key, in the DNS server of the tests
    signer.craft(message, {"x": "1700000000", "l": "0"})           # a signature that holds, with tags as wanted

Fails with `subprocess.CalledProcessError` without openssl(1).
"""

from __future__ import annotations

import hashlib
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import dkim
import dkim.canonicalization
import dkim.crypto
from tests.support.dns import Dns

DOMAIN, SELECTOR = b"outside.example", b"test"


def _key() -> bytes:
    return made_key(2048)


@cache
def made_key(bits: int, number: int = 0) -> bytes:  # noqa: ARG001 - each number is a key of its own
    """A private RSA key, PEM: always the same one of a length and number within a run, since making it takes time."""
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def modulus(key: bytes) -> int:
    """The modulus of a private key: each signature that it makes is a number below."""
    return int(dkim.crypto.parse_pem_private_key(key)["modulus"])


def _public(key: bytes) -> bytes:
    command = ["openssl", "pkey", "-pubout", "-outform", "DER"]
    return b64encode(subprocess.run(command, input=key, check=True, capture_output=True).stdout)


@dataclass
class Signer:
    """A domain that signs with RSA-2048, unless it is given another key."""

    key: bytes = field(default_factory=_key)
    domain: bytes = DOMAIN
    selector: bytes = SELECTOR

    def __post_init__(self) -> None:
        self.record = b"v=DKIM1; k=rsa; p=" + _public(self.key)

    @property
    def name(self) -> str:
        """Where its key stands in DNS."""
        return f"{self.selector.decode()}._domainkey.{self.domain.decode()}"

    def publish(self, dns: Dns, record: bytes | None = None, ttl: int = 60) -> None:
        """Put its key into DNS in place of what stands there, or another record."""
        dns.remove(self.name)
        dns.txt(self.name, self.record if record is None else record, ttl=ttl)

    def sign(
        self, message: bytes, canonicalization: tuple[bytes, bytes], fields: tuple[bytes, ...] = ()
    ) -> bytes:
        """The message with a signature on top, over all its fields or over some."""
        made = dkim.sign(
            message,
            self.selector,
            self.domain,
            self.key,
            canonicalize=canonicalization,
            include_headers=fields or None,
        )
        return made + message

    def craft(self, message: bytes, changes: Mapping[str, str | None] | None = None) -> bytes:
        """The message with a signature on top that holds for the octets, with some tags as wanted.

        :param changes: tags instead of the usual ones or besides; None leaves one out. `l` cuts what is hashed.
        """
        tags: dict[str, str | None] = {"v": "1", "a": "rsa-sha256", "c": "relaxed/relaxed"}
        tags |= {"d": self.domain.decode(), "s": self.selector.decode(), "h": "from:to:subject:date"}
        tags |= dict(changes or {})
        policy = dkim.canonicalization.CanonicalizationPolicy.from_c_value((tags["c"] or "simple").encode())
        algorithm = (tags["a"] or "rsa-sha256").encode()
        signing = dkim.DKIM(message, signature_algorithm=algorithm)
        signing.hasher = hashlib.sha1 if algorithm == b"rsa-sha1" else hashlib.sha256
        body = policy.canonicalize_body(signing.body)[: int(tags.get("l") or len(message))]
        tags.setdefault("bh", b64encode(signing.hasher(body).digest()).decode())
        wanted = [
            (tag.encode(), value.encode())
            for tag, value in (tags | {"b": "0" * 60}).items()
            if value is not None
        ]
        names = [name.strip().lower().encode() for name in (tags["h"] or "").split(":")]
        private = dkim.crypto.parse_pem_private_key(self.key)
        made = signing.gen_header(wanted, names, policy, b"DKIM-Signature", private)
        return b"DKIM-Signature: " + made + message

    def holds(self, message: bytes) -> bool:
        """Whether the topmost signature of a message holds."""
        return dkim.verify(message, dnsfunc=self._dns)

    def _dns(self, name: bytes | str, **_: object) -> bytes | None:
        wanted = name if isinstance(name, bytes) else name.encode()
        return self.record if wanted == self.name.encode() + b"." else None
