"""What the tests use of dnslib, which has no types of its own."""

from collections.abc import Sequence

class DNSError(Exception): ...

class Bimap:
    def get(self, key: int) -> str: ...
    def __getattr__(self, name: str) -> int: ...

QTYPE: Bimap
RCODE: Bimap

class RD: ...

class TXT(RD):
    def __init__(self, data: Sequence[bytes]) -> None: ...

class A(RD):
    def __init__(self, data: str) -> None: ...

class AAAA(RD):
    def __init__(self, data: str) -> None: ...

class MX(RD):
    def __init__(self, label: str, preference: int) -> None: ...

class PTR(RD):
    def __init__(self, label: str) -> None: ...

class CNAME(RD):
    def __init__(self, label: str) -> None: ...

class SOA(RD):
    def __init__(self, mname: str, rname: str, times: tuple[int, int, int, int, int]) -> None: ...

class DNSHeader:
    rcode: int
    tc: int
    id: int

class DNSQuestion:
    qname: object
    qtype: int

class RR:
    rtype: int
    rclass: int
    def __init__(self, rname: object, rtype: int, *, rdata: RD, ttl: int) -> None: ...

class DNSRecord:
    header: DNSHeader
    q: DNSQuestion
    ar: list[RR]
    @classmethod
    def parse(cls, packet: bytes) -> DNSRecord: ...
    def reply(self) -> DNSRecord: ...
    def add_answer(self, *records: RR) -> None: ...
    def add_auth(self, *records: RR) -> None: ...
    def pack(self) -> bytes: ...
