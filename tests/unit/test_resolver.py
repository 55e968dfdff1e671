"""Questions to DNS over real sockets: what is there, what is not, and what nobody can tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dns.name
import pytest
from tests.support.dns import Dns, Trouble
from tests.support.ports import LOOPBACK, free_port
from tests.support.proving import patience

from groupmilter.authentication.resolver import DnsUnknown, Resolver, resolver


@pytest.fixture
def server() -> Iterator[Dns]:
    with Dns() as running:
        yield running


def asker(*servers: Dns, timeout: float = 150.0) -> Resolver:
    return resolver([(one.host, one.port) for one in servers], timeout)


def test_records_as_plain_values(server: Dns) -> None:
    server.strings("a.example", b"one ", b"two \xe9")
    server.address("a.example", "192.0.2.1", "2001:db8::1")
    server.mx("a.example", "MX.a.example", 5)
    server.ptr("192.0.2.1", "A.example")
    server.cname("alias.example", "a.example")
    asked = asker(server)
    assert asked.texts("a.example", patience()) == (b"one two \xe9",)
    assert asked.texts("alias.example.", patience()) == (b"one two \xe9",)
    assert asked.ask("a.example", "A", patience()) == ("192.0.2.1",)
    assert asked.ask("a.example", "AAAA", patience()) == ("2001:db8::1",)
    assert asked.ask("a.example", "MX", patience()) == ((5, "mx.a.example"),)
    assert asked.ask("1.2.0.192.in-addr.arpa", "PTR", patience()) == ("a.example",)


@pytest.mark.parametrize(
    "name", ["", ".", "a..example", ".example", "é.example", f"{'x' * 64}.example", "x." * 130 + "example"]
)
def test_what_is_no_name_has_no_records_and_nobody_is_asked(server: Dns, name: str) -> None:
    assert asker(server).ask(name, "TXT", patience()) == ()
    assert server.questions == ()


def test_backslashes_and_blanks_in_a_name_are_letters(server: Dns) -> None:
    # dnspython's own text form would read these as escapes, and so ask for another name.
    assert asker(server).ask(r"a\.b example", "TXT", patience()) == ()
    assert len(server.questions) == 1
    assert "a.b" not in server.questions[0].name.replace("\\\\", "")


def test_none_is_no_such_name_or_no_such_record(server: Dns) -> None:
    server.address("a.example", "192.0.2.1")
    assert asker(server).texts("a.example", patience()) == ()
    assert asker(server).texts("b.example", patience()) == ()


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "YXDOMAIN"])
def test_an_error_is_unknown(server: Dns, rcode: str) -> None:
    server.fails("a.example", rcode)
    with pytest.raises(DnsUnknown, match=r"TXT of a\.example"):
        asker(server).texts("a.example", patience())


def test_what_is_said_of_a_name_is_printable(server: Dns) -> None:
    server.fails()
    with pytest.raises(DnsUnknown) as caught:
        asker(server).texts("a\n\x1b[31m.example", patience())
    assert str(caught.value).isprintable()


def test_silence_is_unknown_and_ends_in_time(server: Dns) -> None:
    server.trouble("", Trouble(silent=True))
    began = time.monotonic()
    with pytest.raises(DnsUnknown, match="no answer in time"):
        asker(server, timeout=0.4).texts("a.example", patience())
    with pytest.raises(DnsUnknown, match="no answer in time"):
        asker(server).texts("a.example", time.monotonic() + 0.3)
    with pytest.raises(DnsUnknown, match="no time left"):
        asker(server).texts("a.example", time.monotonic() - 1)
    assert time.monotonic() - began < 15, "the deadlines were 0.7 seconds in all"


def test_nobody_at_the_port_is_unknown() -> None:
    with pytest.raises(DnsUnknown):
        resolver([(LOOPBACK, free_port())], 0.4).texts("a.example", patience())


def test_the_next_server_is_asked_where_the_first_is_of_no_use(server: Dns) -> None:
    with Dns() as second:
        server.fails()
        second.txt("a.example", "here")
        assert asker(server, second).texts("a.example", patience()) == (b"here",)


def test_the_third_server_is_asked_in_time_where_two_are_silent(server: Dns) -> None:
    with Dns() as second, Dns() as third:
        for dead in (server, second):
            dead.trouble("", Trouble(silent=True))
        third.txt("a.example", "here")
        assert asker(server, second, third, timeout=12.0).texts("a.example", patience()) == (b"here",)


def test_a_long_answer_comes_over_tcp(server: Dns) -> None:
    server.txt("a.example", "x" * 600)
    server.txt("b.example", "x" * 3_000)
    assert len(asker(server).texts("a.example", patience())[0]) == 600
    assert [question.by for question in server.questions] == ["udp"], "1,232 octets fit into UDP"
    server.forget()
    assert len(asker(server).texts("b.example", patience())[0]) == 3_000
    assert [question.by for question in server.questions] == ["udp", "tcp"]


def test_no_search_list_is_walked(server: Dns) -> None:
    asked = asker(server)
    asked.asker.domain = dns.name.from_text("corp.example")
    asked.asker.search = [asked.asker.domain]
    asked.asker.use_search_by_default = True
    server.txt("a.corp.example", "inside")
    assert asked.texts("a", patience()) == ()


def test_answers_are_kept_as_long_as_they_say(server: Dns) -> None:
    server.txt("kept.example", "x", ttl=60)
    server.txt("fresh.example", "x", ttl=0)
    asked = asker(server)
    for _ in range(3):
        asked.texts("kept.example", patience())
        asked.texts("fresh.example", patience())
        asked.texts("none.example", patience())
    assert [len(server.asked(f"{name}.example")) for name in ("kept", "fresh", "none")] == [1, 3, 1]


def test_nothing_is_kept_for_long_and_no_large_answer_at_all(server: Dns) -> None:
    server.txt("long.example", "x", ttl=10_000_000)
    server.txt("large.example", *("x" * 4_000 for _ in range(2)))
    asked = asker(server)
    asked.texts("long.example", patience())
    asked.texts("large.example", patience())
    cache = asked.asker.cache
    assert cache is not None
    kept = [node.value for node in getattr(cache, "data").values()]  # noqa: B009 - of the subclass
    assert len(kept) == 1
    assert kept[0].expiration <= time.time() + 3_600


def test_failures_are_not_kept(server: Dns) -> None:
    asked = asker(server)
    server.fails("a.example")
    with pytest.raises(DnsUnknown):
        asked.texts("a.example", patience())
    server.heal("a.example")
    server.txt("a.example", "x")
    assert asked.texts("a.example", patience()) == (b"x",)


def test_many_threads_share_one_resolver(server: Dns) -> None:
    for number in range(20):
        server.txt(f"n{number}.example", f"{number}", ttl=0)
    asked = asker(server)

    def ask(number: int) -> bool:
        return asked.texts(f"n{number % 20}.example", patience()) == (f"{number % 20}".encode(),)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))


def test_without_servers_everything_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asker()
    monkeypatch.setattr(asked.asker, "nameservers", [])
    with pytest.raises(DnsUnknown):
        asked.texts("a.example", patience())
