"""The loopback DNS server of the tests, asked by dnspython."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.nameserver
import dns.resolver
import pytest
from tests.support.dns import Dns, Question, Trouble
from tests.support.ports import LOOPBACK


@pytest.fixture
def server() -> Iterator[Dns]:
    with Dns() as running:
        yield running


def ask(server: Dns, name: str, kind: str, lifetime: float = 30.0) -> list[str]:
    asker = dns.resolver.Resolver(configure=False)
    asker.nameservers = [dns.nameserver.Do53Nameserver(LOOPBACK, server.port)]
    # Asked once, however slow the answer.
    asker.timeout = lifetime
    return [str(record) for record in asker.resolve(f"{name}.", kind, lifetime=lifetime, search=False)]


def test_records_of_every_kind(server: Dns) -> None:
    server.txt("a.example", "one", "x" * 300)
    server.address("a.example", "192.0.2.1", "2001:db8::1")
    server.mx("a.example", "mx.a.example")
    server.ptr("192.0.2.1", "a.example")
    server.cname("alias.example", "A.example")
    assert ask(server, "A.Example", "TXT") == ['"one"', f'"{"x" * 255}" "{"x" * 45}"']
    assert ask(server, "alias.example", "A") == ["192.0.2.1"]
    assert ask(server, "a.example", "AAAA") == ["2001:db8::1"]
    assert ask(server, "a.example", "MX") == ["10 mx.a.example."]
    assert ask(server, "1.2.0.192.in-addr.arpa", "PTR") == ["a.example."]
    assert server.asked("a.example") == ["TXT", "AAAA", "MX"]


def test_what_is_not_there(server: Dns) -> None:
    server.txt("below.a.example", "here")
    with pytest.raises(dns.resolver.NoAnswer):
        ask(server, "a.example", "TXT")
    with pytest.raises(dns.resolver.NXDOMAIN):
        ask(server, "b.example", "TXT")
    server.remove("below.a.example")
    with pytest.raises(dns.resolver.NXDOMAIN):
        ask(server, "a.example", "TXT")


def test_troubles_concern_a_name_and_those_below(server: Dns) -> None:
    server.txt("fine.example", "fine")
    server.fails("bad.example")
    server.trouble("silent.example", Trouble(silent=True))
    for name in ("bad.example", "a.b.bad.example"):
        with pytest.raises(dns.resolver.NoNameservers):
            ask(server, name, "TXT")
    with pytest.raises(dns.exception.Timeout):
        ask(server, "silent.example", "TXT", lifetime=0.3)
    assert ask(server, "fine.example", "TXT") == ['"fine"']
    server.fails(rcode="REFUSED")
    with pytest.raises(dns.resolver.NoNameservers):
        ask(server, "fine.example", "TXT")
    server.heal()
    assert ask(server, "fine.example", "TXT") == ['"fine"']


def test_what_is_too_long_for_udp_comes_over_tcp(server: Dns) -> None:
    server.txt("long.example", "x" * 2_000)
    assert len(ask(server, "long.example", "TXT")[0]) > 2_000
    assert server.questions == tuple(Question("long.example", "TXT", by) for by in ("udp", "tcp"))
    server.forget()
    server.txt("short.example", "x")
    server.trouble("short.example", Trouble(tcp_only=True))
    assert ask(server, "short.example", "TXT") == ['"x"']
    assert [question.by for question in server.questions] == ["udp", "tcp"]
