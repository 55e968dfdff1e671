"""One message as DKIM and SPF look at it: the octets as they came, and from whom. Values; nothing is asked here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from groupmilter.authentication.identity import Connection, Proofs
from groupmilter.mail import content
from groupmilter.mail.address import domain_of
from groupmilter.mail.header import signed_fields

Field = tuple[bytes, bytes]
"""Name and value as received."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a proof is made from.

    :param envelope_sender: canonical; empty for the null sender.
    :param author: canonical address of the only author; empty where the header names none without doubt.
    :param fields: name and value of each header field in order, just as received: the value with the white space
        that it begins with, folded lines parted by LF or CRLF.
    :param body: gives the body's octets; None where it was too large to be kept, or nobody signed it.
    """

    connection: Connection
    envelope_sender: str
    author: str
    fields: tuple[Field, ...] = ()
    body: Callable[[], bytes] | None = None

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Return the values of all fields of a lower-case name."""
        return tuple(value for written, value in self.fields if written.strip().lower() == name)


def parted(message: bytes) -> tuple[tuple[Field, ...], bytes]:
    """Return the header fields of a message and its body, as an MTA hands them on: folded lines parted by LF.

    :param message: octets with CRLF line ends. What is no field begins the body.
    """
    fields, body = content.parted(message)
    told = (
        (name.rstrip(b" \t"), value.removesuffix(b"\r").replace(b"\r\n", b"\n")) for name, value in fields
    )
    return tuple(told), body


def supposed(evidence: Evidence, suppose: Proofs) -> Proofs:
    """Return what would be proven of a message, were this so: for rehearsals, which ask no DNS.

    :param suppose: ``dkim``: author domains with an aligned signature that verifies; ``spf``: domains for which SPF
        passes, whoever's they are; and the same for what DNS couldn't tell.
    """
    sender, author = domain_of(evidence.envelope_sender), domain_of(evidence.author)
    signatures = (value.decode("ascii", "replace") for value in evidence.values(b"dkim-signature"))

    def aligned(domains: frozenset[str]) -> frozenset[str]:
        passed = domains & {sender} - {""}
        return passed | {author} if passed and _below_each_other(sender, author) else passed

    return replace(
        suppose,
        spf=aligned(suppose.spf),
        spf_doubt=aligned(suppose.spf_doubt),
        signed=signed_fields(signatures),
        because="supposed",
    )


def _below_each_other(one: str, other: str) -> bool:
    """Relaxed alignment (RFC 7489 3.1.2) as far as it needs no list of public suffixes."""
    return f".{one}".endswith(f".{other}") or f".{other}".endswith(f".{one}")
