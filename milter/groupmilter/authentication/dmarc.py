"""How strictly a domain wants to be compared with those that signed or sent for it: its DMARC record (RFC 7489).

Only `adkim` and `aspf` count here. What a domain asks to be done with mail that fails (`p=`) is its wish towards
mailboxes; a group's own rules decide what is refused. Raises `DnsUnknown` where DNS can't tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from groupmilter.authentication.alignment import Alignment
from groupmilter.authentication.resolver import Resolver

_VERSION = re.compile(rb"v[ \t]*=[ \t]*DMARC1[ \t]*(;|$)")
_LARGEST = 4_096


@dataclass(frozen=True, slots=True)
class Published:
    """What a domain publishes: whether a signature's domain, or that of an SPF pass, must be the very same."""

    strict_dkim: bool = False
    strict_spf: bool = False


@dataclass(frozen=True, slots=True)
class Policies:
    """The DMARC records of domains, as DNS has them."""

    resolver: Resolver
    alignment: Alignment

    def of(self, domain: str, until: float) -> Published:
        """Return what a domain publishes, or else its organisational domain (RFC 7489 section 6.6.3).

        :param until: by `time.monotonic`.
        :raises DnsUnknown: where DNS can't tell.
        """
        organisation = self.alignment.organisation(domain)
        for name in dict.fromkeys((domain, organisation or domain)):
            records = [text for text in self.resolver.texts(f"_dmarc.{name}", until) if _VERSION.match(text)]
            if records:
                return published(records[0]) if len(records) == 1 else Published()
        return Published()


def published(record: bytes) -> Published:
    """Read a DMARC record; one that is malformed publishes nothing, and nothing means relaxed."""
    tags: dict[bytes, bytes] = {}
    for part in record.split(b";") if len(record) <= _LARGEST else ():
        name, equals, value = (piece.strip(b" \t") for piece in part.partition(b"="))
        if not equals:
            continue
        if name in tags:
            return Published()
        tags[name] = value.lower()
    return Published(tags.get(b"adkim") == b"s", tags.get(b"aspf") == b"s")
