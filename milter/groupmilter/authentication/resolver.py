"""Questions to DNS with three outcomes: records, none, or unknown (the only importer of dnspython).

"None" is what DNS says itself: no such name, or no such record there. Whatever keeps it from saying anything (no answer
in time, SERVFAIL, REFUSED, nonsense) is `DnsUnknown`, so that code which forgets it ends in a deferral and never in a
verdict. Names are absolute, no search list is ever walked; a name that can't be one has no records.

One resolver serves all threads of a process. It keeps answers as long as their TTL says, bounded in number, size and
age. Over UDP it asks for at most 1,232 octets, and again over TCP where that is too little.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import dns.exception
import dns.nameserver
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
from dns.name import Name
from dns.resolver import NXDOMAIN, Answer, CacheKey, LRUCache, NoAnswer, NoResolverConfiguration

_PAYLOAD = 1_232
"""Octets of a UDP answer that reach everybody unfragmented (the DNS flag day of 2020)."""

_CACHED = 1_000
_CACHED_OCTETS = 4_096
_LONGEST = 3_600.0
_LONGEST_ABSENCE = 300.0
"""Answers kept by one process, the largest of them, and the seconds that they are kept at most."""


class DnsUnknown(Exception):
    """DNS did not tell; the text says what about and why."""


Record = bytes | str | tuple[int, str]
"""TXT: its strings joined; A and AAAA: the address; PTR: the name; MX: preference and name. Names without last dot."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """What asks the name servers.

    :param timeout: seconds for one question at most, with all servers and repetitions.
    """

    asker: dns.resolver.Resolver
    timeout: float

    def ask(self, name: str, kind: str, until: float) -> tuple[Record, ...]:
        """Return the records of a name, aliases followed; none where DNS says that there are none.

        :param kind: TXT, A, AAAA, MX or PTR.
        :param until: the time by `time.monotonic` at which the asker's patience ends.
        :raises DnsUnknown: where DNS can't tell.
        """
        absolute = _absolute(name)
        if absolute is None:
            return ()
        # In DNS's own text form, since a stranger may have put control characters into a name.
        what = f"{kind} of {absolute.to_text(omit_final_dot=True)}"
        left = min(self.timeout, until - time.monotonic())
        if left <= 0:
            raise DnsUnknown(f"{what}: no time left")
        try:
            answer = self.asker.resolve(absolute, kind, search=False, lifetime=left)
        except (NXDOMAIN, NoAnswer):
            return ()
        except dns.exception.Timeout as error:
            raise DnsUnknown(f"{what}: no answer in time") from error
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise DnsUnknown(f"{what}: {type(error).__name__}") from error
        return tuple(found for record in answer if (found := _plain(record)) is not None)

    def texts(self, name: str, until: float) -> tuple[bytes, ...]:
        """Return the TXT records of a name, each with its strings joined; see `ask`."""
        return tuple(record for record in self.ask(name, "TXT", until) if isinstance(record, bytes))


def resolver(servers: Iterable[tuple[str, int]], timeout: float) -> Resolver:
    """Return a resolver that asks these servers, or those of resolv.conf(5) where none is named.

    With none there either, every answer is unknown.

    :param servers: address and port of each.
    """
    named: list[str | dns.nameserver.Nameserver] = [
        dns.nameserver.Do53Nameserver(address, port) for address, port in servers
    ]
    asker = dns.resolver.Resolver(configure=False)
    asker.nameservers = named
    if not named:
        with suppress(NoResolverConfiguration):
            asker.read_resolv_conf("/etc/resolv.conf")
    # Each has its turn within the time of one question, and the first one a second.
    asker.timeout = timeout / (len(asker.nameservers) + 1)
    asker.cache = _Cache(_CACHED)
    asker.use_edns(0, 0, _PAYLOAD)
    return Resolver(asker, timeout)


class _Cache(LRUCache):
    """Answers by their TTL, but no large ones, and none for long: who revokes a key is to be heard."""

    def put(self, key: CacheKey, value: Answer) -> None:
        """Keep an answer, unless it is large."""
        if len(value.response.wire or b"") > _CACHED_OCTETS:
            return
        longest = _LONGEST if value.rrset is not None else _LONGEST_ABSENCE
        value.expiration = min(value.expiration, time.time() + longest)
        super().put(key, value)


def _absolute(name: str) -> Name | None:
    """Return a name as DNS has it, None where it is none: an empty or long label, or anything beyond ASCII."""
    try:
        labels = name.removesuffix(".").encode("ascii").split(b".")
        return Name((*labels, b"")) if all(labels) else None
    except (UnicodeEncodeError, dns.exception.DNSException):
        return None


def _plain(record: dns.rdata.Rdata) -> Record | None:
    match record:
        case dns.rdtypes.ANY.TXT.TXT():
            return b"".join(record.strings)
        case dns.rdtypes.IN.A.A() | dns.rdtypes.IN.AAAA.AAAA():
            return str(record.address)
        case dns.rdtypes.ANY.MX.MX():
            return record.preference, _host(record.exchange)
        case dns.rdtypes.ANY.PTR.PTR():
            return _host(record.target)
    return None


def _host(name: Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
