"""A DNS server on loopback, over UDP and TCP, with whatever the test says stands in DNS.

    with Dns() as dns:
        dns.txt("mail._domainkey.outside.example", signer.record)
        dns.txt("outside.example", "v=spf1 ip4:127.0.0.1 -all")
        dns.fails("broken.example")                 # SERVFAIL, there and below
        ... ask 127.0.0.1, port dns.port ...
        assert dns.asked("outside.example") == ["TXT"]

It answers as a resolver would: CNAMEs are followed as far as it knows them, what it doesn't know is NXDOMAIN with a
SOA, and an answer too long for UDP is truncated, so that the asker comes again over TCP. Names are compared without
case, and a trailing dot doesn't matter. It may be changed while it runs, and counts what it is asked.

Fails with OSError where no port is free.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import dnslib
from dnslib import AAAA, CNAME, MX, PTR, QTYPE, RCODE, RD, RR, SOA, TXT, A, DNSRecord
from tests.support.ports import LOOPBACK, free_port

_TRIES = 20
_STRING = 255
_UDP = 512
_OPT = 41


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked: the name in lower case without the last dot, the record's type, `udp` or `tcp`."""

    name: str
    type: str
    by: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with the questions about a name, and about names below it.

    :param rcode: the answer's code instead of records, such as `SERVFAIL` or `REFUSED`; empty for none.
    :param silent: no answer at all.
    :param delay: seconds before the answer.
    :param tcp_only: over UDP nothing but "come again over TCP".
    """

    rcode: str = ""
    silent: bool = False
    delay: float = 0.0
    tcp_only: bool = False


@dataclass(slots=True)
class Dns:
    """The server as a context manager.

    :param host: the loopback address to listen on.
    :param port: 0 for any that is free, over UDP as over TCP.
    """

    host: str = LOOPBACK
    port: int = 0
    _records: dict[tuple[str, str], list[tuple[RD, int]]] = field(default_factory=dict, init=False)
    _troubles: dict[str, Trouble] = field(default_factory=dict, init=False)
    _questions: list[Question] = field(default_factory=list, init=False)
    _servers: list[socketserver.BaseServer] = field(default_factory=list, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> Self:
        self._closing.clear()
        self._bind()
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), name="dns", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()

    def txt(self, name: str, *texts: str | bytes, ttl: int = 60) -> None:
        """Add one TXT record for each text, cut into strings of 255 octets."""
        for text in texts:
            octets = text.encode() if isinstance(text, str) else text
            self.strings(
                name, *(octets[at : at + _STRING] for at in range(0, len(octets) or 1, _STRING)), ttl=ttl
            )

    def strings(self, name: str, *strings: bytes, ttl: int = 60) -> None:
        """Add one TXT record that consists of just these strings, each of at most 255 octets."""
        self._add(name, "TXT", TXT(strings), ttl)

    def address(self, name: str, *addresses: str, ttl: int = 60) -> None:
        """Add A or AAAA records."""
        for address in addresses:
            four = ip_address(address).version == 4
            self._add(name, "A" if four else "AAAA", A(address) if four else AAAA(address), ttl)

    def mx(self, name: str, exchange: str, preference: int = 10, ttl: int = 60) -> None:
        """Add an MX record."""
        self._add(name, "MX", MX(exchange, preference), ttl)

    def ptr(self, address: str, *names: str, ttl: int = 60) -> None:
        """Add PTR records for an IP address."""
        for name in names:
            self._add(ip_address(address).reverse_pointer, "PTR", PTR(name), ttl)

    def cname(self, name: str, target: str, ttl: int = 60) -> None:
        """Make a name an alias of another."""
        self._add(name, "CNAME", CNAME(target), ttl)

    def remove(self, name: str) -> None:
        """Forget all records of a name."""
        with self._lock:
            for key in [key for key in self._records if key[0] == _plain(name)]:
                del self._records[key]

    def trouble(self, name: str, trouble: Trouble | None) -> None:
        """Say what goes wrong with a name and with those below it, None for nothing any more; "" is every name."""
        with self._lock:
            self._troubles.pop(_plain(name), None)
            if trouble is not None:
                self._troubles[_plain(name)] = trouble

    def fails(self, name: str = "", rcode: str = "SERVFAIL") -> None:
        """Answer for a name and those below it with an error; without a name for all."""
        self.trouble(name, Trouble(rcode=rcode))

    def heal(self, name: str = "") -> None:
        """End the trouble with a name."""
        self.trouble(name, None)

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question since the start or the last `forget`, in the order of coming."""
        with self._lock:
            return tuple(self._questions)

    def asked(self, name: str) -> list[str]:
        """The types that were asked for a name, one for each question."""
        return [question.type for question in self.questions if question.name == _plain(name)]

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._questions.clear()

    def answer(self, packet: bytes, by: str) -> bytes | None:
        """For the servers: the answer to a question, None for silence."""
        try:
            question = DNSRecord.parse(packet)
        except dnslib.DNSError:
            return None
        name, kind = _plain(str(question.q.qname)), QTYPE.get(question.q.qtype)
        with self._lock:
            self._questions.append(Question(name, kind, by))
            trouble = self._trouble(name)
        if trouble.delay:
            self._closing.wait(trouble.delay)
        if trouble.silent or self._closing.is_set():
            return None
        reply = question.reply()
        if by == "udp" and trouble.tcp_only:
            return _truncated(question).pack()
        if trouble.rcode:
            reply.header.rcode = getattr(RCODE, trouble.rcode)
        else:
            self._fill(reply, name, kind)
        octets = reply.pack()
        return octets if by == "tcp" or len(octets) <= _room(question) else _truncated(question).pack()

    def _bind(self) -> None:
        for left in reversed(range(1 if self.port else _TRIES)):
            port = self.port or free_port()
            try:
                self._servers.append(_Udp((self.host, port), _handler(self, _UdpSession)))
                self._servers.append(_Tcp((self.host, port), _handler(self, _TcpSession)))
            except OSError:
                for server in self._servers:
                    server.server_close()
                self._servers.clear()
                if not left:
                    raise
                continue
            self.port = port
            return

    def _add(self, name: str, kind: str, data: RD, ttl: int) -> None:
        with self._lock:
            self._records.setdefault((_plain(name), kind), []).append((data, ttl))

    def _trouble(self, name: str) -> Trouble:
        labels = name.split(".")
        above = (".".join(labels[at:]) for at in range(len(labels) + 1))
        return next((self._troubles[one] for one in above if one in self._troubles), Trouble())

    def _fill(self, reply: DNSRecord, name: str, kind: str) -> None:
        """Add the records of a name, through its aliases; a SOA where there are none."""
        seen: set[str] = set()
        found = False
        with self._lock:
            while name not in seen:
                seen.add(name)
                aliases = self._records.get((name, "CNAME"), []) if kind != "CNAME" else []
                for data, ttl in aliases:
                    reply.add_answer(RR(name, QTYPE.CNAME, rdata=data, ttl=ttl))
                for data, ttl in self._records.get((name, kind), []):
                    found = True
                    reply.add_answer(RR(name, getattr(QTYPE, kind), rdata=data, ttl=ttl))
                name = _plain(str(aliases[0][0])) if aliases else name
            known = any(one == name or one.endswith(f".{name}") for one, _ in self._records)
        if not found:
            reply.header.rcode = RCODE.NOERROR if known else RCODE.NXDOMAIN
            soa = SOA("ns.example", "hostmaster.example", (1, 60, 60, 60, 60))
            reply.add_auth(RR(name, QTYPE.SOA, rdata=soa, ttl=60))


def _plain(name: str) -> str:
    return name.removesuffix(".").lower()


def _room(question: DNSRecord) -> int:
    """The octets of UDP that the asker takes (RFC 6891 section 6.2.3)."""
    return max([_UDP, *(record.rclass for record in question.ar if record.rtype == _OPT)])


def _truncated(question: DNSRecord) -> DNSRecord:
    reply = question.reply()
    reply.header.tc = 1
    return reply


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65_535


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _UdpSession(socketserver.BaseRequestHandler):
    dns: Dns

    def handle(self) -> None:
        packet, sock = self.request
        answer = self.dns.answer(packet, "udp")
        if answer is not None:
            sock.sendto(answer, self.client_address)


class _TcpSession(socketserver.StreamRequestHandler):
    dns: Dns

    def handle(self) -> None:
        while len(length := self.rfile.read(2)) == 2:
            answer = self.dns.answer(self.rfile.read(int.from_bytes(length, "big")), "tcp")
            if answer is None:
                return
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)


def _handler(
    dns: Dns, session: type[_UdpSession] | type[_TcpSession]
) -> Callable[..., socketserver.BaseRequestHandler]:
    """The kind of session that asks this server for its answers."""
    return type(session.__name__, (session,), {"dns": dns})
