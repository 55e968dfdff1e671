"""Whether a DKIM signature holds, with its key from DNS (RFC 6376, RFC 8301; the only importer of dkimpy).

A signature either holds, or doesn't for a reason in words, or nobody can tell because DNS can't: `DnsUnknown`. Whatever
the library raises on what strangers wrote means that the signature doesn't hold. Keys that don't count: revoked ones
(`p=` empty), shorter than 1024 bits (RFC 8301 section 3.2), with an exponent or a length that is there to keep us busy,
not for mail (`s=`), not for SHA-256 (`h=`), and testing ones (`t=y`): section 3.6.1 of RFC 6376 wants their messages
treated as unsigned. Ed25519 needs a library that we don't have; those who sign with it sign by RSA too.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dkim

from groupmilter.authentication.evidence import Field
from groupmilter.authentication.resolver import Resolver
from groupmilter.authentication.signature import Signature, tag_list

_SHORTEST, _LONGEST = 1_024, 8_192
_LONGEST_EXPONENT = 64
_LARGEST_RECORD = 8_192
_MOST_KEYS = 4
"""Bits of a key and of its exponent, octets of its record, and how many records of one selector are tried."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What tells whether signatures hold."""

    resolver: Resolver

    def fault(
        self, signature: Signature, fields: Sequence[Field], hashes: Mapping[bool, bytes], until: float
    ) -> str:
        """Return why a signature without a `flaw` doesn't hold; empty where it does.

        :param hashes: the body's, in relaxed form or in simple, whichever the signature wants.
        :param until: by `time.monotonic`.
        :raises DnsUnknown: where DNS can't tell.
        """
        if b64decode(b"".join(signature.tags[b"bh"].split())) != hashes[signature.relaxed_body]:
            return "the body was changed"
        name = f"{signature.selector}._domainkey.{signature.domain}"
        records = self.resolver.texts(name, until)
        if not records:
            return "no key in DNS"
        # Several records at one selector are undefined (section 3.6.2.2): each is the domain's own word.
        faults = [_fault(signature, fields, name, record) for record in records[:_MOST_KEYS]]
        return "" if "" in faults else faults[0]


def _fault(signature: Signature, fields: Iterable[Field], name: str, record: bytes) -> str:
    tags = tag_list(record) if len(record) <= _LARGEST_RECORD else None
    if tags is None or b"p" not in tags:
        return "no key in DNS that can be read"
    why = _key_flaw(tags, signature)
    if why:
        return why
    try:
        return _compared(signature, fields, name, tags[b"p"])
    except dkim.DKIMException as error:
        return f"not readable ({type(error).__name__})"
    except Exception as error:  # noqa: BLE001 - the library was not written for every octet that strangers send
        return f"not readable ({type(error).__name__})"


def _compared(signature: Signature, fields: Iterable[Field], name: str, public: bytes) -> str:
    """Compare the header with the signature; the body's hash has been compared before."""
    key, bits, kind, for_reports = dkim.evaluate_pk(name, b"k=rsa; p=" + public)
    if kind != b"rsa" or not isinstance(key, dict):
        return "with a key that is not RSA"
    if bits < _SHORTEST:
        return f"with a key of {bits} bits"
    exponent = key["publicExponent"]
    if bits > _LONGEST or exponent < 3 or exponent.bit_length() > _LONGEST_EXPONENT:
        return "with a key out of bounds"
    if not _in_range(b64decode(b"".join(signature.tags[b"b"].split())), key["modulus"]):
        return "not a number that the key could make"
    checker = dkim.DKIM(minkey=_SHORTEST)
    checker.headers = [[one, _lines(value)] for one, value in fields]
    checker.pk, checker.keysize, checker.ktag, checker.seqtlsrpt = key, bits, kind, for_reports
    prepared = checker.verify_headerprep(signature.place)
    if not prepared:
        return "not readable"
    tags, names, found = prepared
    without_body = {tag: value for tag, value in tags.items() if tag != b"bh"}
    holds = checker.verify_sig_process(without_body, names, found[signature.place], None)
    return "" if holds else "the header was changed, or the key is another"


def _in_range(octets: bytes, modulus: int) -> bool:
    """Tell whether a signature is the one number that stands for it (RFC 8017 sections 5.2.2 and 8.2.2).

    The library takes each multiple of the modulus more as well, so that one signature could be spelt in any number of
    ways, and a message that comes again wouldn't be known by it.
    """
    return len(octets) == (modulus.bit_length() + 7) // 8 and int.from_bytes(octets, "big") < modulus


def _lines(value: bytes) -> bytes:
    """Return a value as it stood in the message: MTAs hand folded lines to milters without CR."""
    return re.sub(rb"\r?\n", b"\r\n", value) + b"\r\n"


def _key_flaw(tags: Mapping[bytes, bytes], signature: Signature) -> str:
    """Return why a key record (RFC 6376 section 3.6.1) counts for nothing; empty where it may count."""
    flags, services = _words(tags.get(b"t", b"")), _words(tags.get(b"s", b"*"))
    flaws = {
        "with a key of another version": tags.get(b"v", b"DKIM1") != b"DKIM1",
        "with a key that was revoked": not tags[b"p"],
        "with a key that is not RSA": tags.get(b"k", b"rsa") != b"rsa",
        "with a testing key (t=y)": b"y" in flags,
        "with a key for that very domain only (t=s)": b"s" in flags
        and signature.identity != signature.domain,
        "with a key that is not for mail": not services & {b"*", b"email"},
        "with a key that is not for SHA-256": b"sha256" not in _words(tags.get(b"h", b"sha256")),
    }
    return next((why for why, holds in flaws.items() if holds), "")


def _words(value: bytes) -> set[bytes]:
    return {word.strip() for word in value.lower().split(b":")}
