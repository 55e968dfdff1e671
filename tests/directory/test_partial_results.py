"""Whatever is not complete is a failure: each way in which ldap3 calls a partial result a success, and more.

1. `search()` is True as soon as one entry came: size and time limit, and any other result code after entries.
2. `raise_exceptions` leaves out sizeLimitExceeded and timeLimitExceeded: the same cases.
3. `paged_search` as a generator ends quietly where a page fails.
4. `auto_range` ends quietly where a further range fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from tests.support.fake_ldap import FakeLdap, Request, Script, answer, done, entry, page_end
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings
from tests.support.tcp_faults import Fault, FaultyProxy

from groupmilter.directory.ldap_messages import tlv
from groupmilter.directory.ldap_settings import Incomplete, LdapSettings, ReadFailed, Refused, Unreachable
from groupmilter.directory.reader import Reader

SUFFIX = "dc=masociete,dc=example"
PEOPLE = 300
UUID = b"6ba7b810-9dad-11d1-80b4-00c04fd430c8"
TREE = (
    f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: masociete\no: masociete\n\n"
    + "".join(
        f"dn: uid=u{number},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: x\nsn: x\n"
        f"mail: u{number}@x.example\n\n"
        for number in range(PEOPLE)
    )
)
READ_ALL = (
    "dn: olcOverlay=retcode,olcDatabase={1}mdb,cn=config\nobjectClass: olcOverlayConfig\n"
    "objectClass: olcRetcodeConfig\nolcOverlay: retcode\nolcRetcodeParent: cn=codes,dc=masociete,dc=example\n"
    'olcRetcodeItem: "cn=busy" 51 "op=search"\n'
    'olcRetcodeItem: "cn=limit" 4 "op=search"\n'
    'olcRetcodeItem: "cn=time" 3 "op=search"\n'
    'olcRetcodeItem: "cn=admin" 11 "op=search"\n'
    'olcRetcodeItem: "cn=unavailable" 52 "op=search"\n'
    'olcRetcodeItem: "cn=referral" 10 "op=search" "ref=ldap://127.0.0.1:1/"\n'
)


def settings(url: str, page_size: int = 50) -> LdapSettings:
    return LdapSettings((url,), SUFFIX, page_size=page_size, connect_timeout=150.0, operation_timeout=150.0)


def read(url: str, base: str = SUFFIX, page_size: int = 50) -> list[str]:
    with Reader(settings(url, page_size)).connect() as session:
        return [found.dn for found in session.search(base, "sub", "(mail=*)", ("mail",))]


def refusal(url: str, base: str = SUFFIX, page_size: int = 50) -> int:
    with pytest.raises(Refused) as raised:
        read(url, base, page_size)
    return raised.value.code


@pytest.mark.parametrize("page_size", [10, 1000])
def test_the_size_limit_of_a_real_slapd(page_size: int) -> None:
    with Slapd(Settings(size_limit="50"), [TREE]) as slapd:
        assert refusal(slapd.uri, page_size=page_size) == 4


def test_the_page_total_of_a_real_slapd() -> None:
    with Slapd(Settings(size_limit="size.soft=50 size.hard=1000 size.prtotal=120"), [TREE]) as slapd:
        assert refusal(slapd.uri, page_size=50) in (4, 11, 53)


@pytest.fixture(scope="module")
def retcode() -> Iterator[Slapd]:
    made = Settings(modules=("back_mdb", "syncprov", "retcode"), extra=READ_ALL)
    with Slapd(made, [TREE]) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "code"),
    [("limit", 4), ("time", 3), ("admin", 11), ("busy", 51), ("unavailable", 52), ("referral", 10)],
)
def test_result_codes_of_a_real_slapd(retcode: Slapd, name: str, code: int) -> None:
    assert refusal(retcode.uri, f"cn={name},cn=codes,{SUFFIX}") == code


def person(number: int, name: int) -> bytes:
    return entry(number, f"uid=u{name},{SUFFIX}", {"entryUUID": [UUID], "mail": [b"a@x.example"]})


@pytest.mark.parametrize("code", [1, 2, 3, 4, 10, 11, 32, 50, 51, 52, 53, 80, 4096])
def test_no_result_code_but_zero_is_a_success(code: int) -> None:
    def script(request: Request) -> Sequence[bytes]:
        return [person(request.number, 1), page_end(request.number, code=code)]

    with FakeLdap(script) as server:
        assert refusal(server.uri) == code


def test_a_later_page_that_fails() -> None:
    pages: list[int] = []

    def script(request: Request) -> Sequence[bytes]:
        pages.append(request.number)
        if len(pages) < 3:
            return [person(request.number, len(pages)), page_end(request.number, b"more")]
        return [page_end(request.number, code=51)]

    with FakeLdap(script) as server:
        assert refusal(server.uri) == 51
    assert len(pages) == 3


def test_a_cookie_that_is_refused() -> None:
    def script(request: Request) -> Sequence[bytes]:
        first = b"more" not in next(iter(request.controls.values()))
        number = request.number
        return [person(number, 1), page_end(number, b"more")] if first else [page_end(number, code=53)]

    with FakeLdap(script) as server:
        assert refusal(server.uri) == 53


def test_a_server_that_ignores_paging() -> None:
    server = FakeLdap(lambda request: [person(request.number, 1), done(request.number)])
    with server, pytest.raises(Incomplete, match="ignored the paging control"):
        read(server.uri)


def test_pages_without_end_are_bounded() -> None:
    with FakeLdap(lambda request: [person(request.number, 1), page_end(request.number, b"on")]) as server:
        limits = LdapSettings((server.uri,), SUFFIX, max_entries=40)
        with Reader(limits).connect() as session, pytest.raises(Incomplete, match="more than 40 entries"):
            list(session.search(SUFFIX, "sub", "(mail=*)", ()))


def test_pages_without_entries_and_without_end_are_bounded() -> None:
    with FakeLdap(lambda request: [page_end(request.number, b"on")]) as server:
        limits = LdapSettings((server.uri,), SUFFIX, load_timeout=0.3)
        with Reader(limits).connect() as session, pytest.raises(Unreachable, match="in time"):
            list(session.search(SUFFIX, "sub", "(mail=*)", ()))


def test_a_connection_closed_in_mid_page() -> None:
    def script(request: Request) -> Sequence[bytes] | None:
        return [person(request.number, 1)] if request.number == 2 else None

    with FakeLdap(script) as server:
        limits = replace(settings(server.uri), operation_timeout=0.3)
        with Reader(limits).connect() as session, pytest.raises(Unreachable):
            list(session.search(SUFFIX, "sub", "(mail=*)", ()))


def test_the_notice_of_disconnection() -> None:
    body = tlv(0x0A, b"\x34") + tlv(4, b"") + tlv(4, b"") + tlv(0x8A, b"1.3.6.1.4.1.1466.20036")
    server = FakeLdap(lambda request: [person(request.number, 1), answer(0, 0x78, body)])
    with server, pytest.raises(Unreachable, match="goodbye"):
        read(server.uri)


@pytest.mark.parametrize(
    "octets", [b"HTTP/1.0 400 Bad\r\n", b"\x30\x80\x02\x01\x02\0\0", b"\x30\x84\xff\xff\xff\xff"]
)
def test_what_is_not_ldap(octets: bytes) -> None:
    with FakeLdap(lambda _: [octets]) as server, pytest.raises(Incomplete):
        read(server.uri)


def test_an_entry_that_is_cut_inside() -> None:
    def script(request: Request) -> Sequence[bytes]:
        whole = person(request.number, 1)
        # the last value says it is longer than its message
        at = whole.rindex(b"\x04\x0ba@x.example")
        return [whole[:at] + b"\x04\x7f" + whole[at + 2 :], page_end(request.number)]

    with FakeLdap(script) as server, pytest.raises(Incomplete):
        read(server.uri)


def test_an_entry_without_uuid() -> None:
    def script(request: Request) -> Sequence[bytes]:
        return [entry(request.number, "uid=x", {"mail": [b"a@x.example"]}), page_end(request.number)]

    with FakeLdap(script) as server, pytest.raises(Incomplete, match="shows none of entryUUID"):
        read(server.uri)


def test_continuation_references_are_counted_and_not_followed() -> None:
    def script(request: Request) -> Sequence[bytes]:
        reference = answer(request.number, 0x73, tlv(4, b"ldap://127.0.0.1:1/dc=other"))
        return [reference, person(request.number, 1), page_end(request.number)]

    with FakeLdap(script) as server, Reader(settings(server.uri)).connect() as session:
        assert len(list(session.search(SUFFIX, "sub", "(mail=*)", ()))) == 1
        assert session.references == 1


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("octets", [20, 3_000, 12_000])
def test_a_real_slapd_cut_in_mid_page(octets: int, reset: bool) -> None:
    with (
        Slapd(content=[TREE]) as slapd,
        FaultyProxy(slapd.port, Fault(cut_after=octets, reset=reset)) as proxy,
        pytest.raises(Unreachable),
    ):
        read(proxy.uri)


class Ranges:
    """A group of Active Directory's kind, `size` members long, with at most 1,500 to an answer."""

    def __init__(self, size: int, step: int = 1500) -> None:
        self.members = [f"cn=m{number}".encode() for number in range(size)]
        self.step = step
        self.reads = 0

    def __call__(self, request: Request) -> Sequence[bytes] | None:
        if request.controls:
            first = self.part(request.number, 0, {"entryUUID": [UUID]})
            return [first, page_end(request.number)]
        self.reads += 1
        (ranged,) = [name for name in request.attributes if ";range=" in name]
        return self.range(request.number, int(ranged.partition("=")[2].partition("-")[0]))

    def range(self, number: int, first: int) -> Sequence[bytes] | None:
        return [self.part(number, first, {"uSNChanged": [self.version()]}), done(number)]

    def version(self) -> bytes:
        return b"1"

    def part(self, number: int, first: int, more: dict[str, list[bytes]]) -> bytes:
        members = self.members[first : first + self.step]
        last = "*" if first + self.step >= len(self.members) else str(first + self.step - 1)
        return entry(number, f"cn=group,{SUFFIX}", {f"member;range={first}-{last}": members, **more})


def members(script: Script) -> Sequence[bytes]:
    with FakeLdap(script) as server, Reader(settings(server.uri)).connect() as session:
        (found,) = session.search(SUFFIX, "sub", "(mail=*)", ("member",))
        assert not any("range" in name for name in found.attributes)
        return found.attributes["member"]


@pytest.mark.parametrize("size", [1, 1499, 1500, 1501, 3000, 3001, 10_000])
def test_ranges_are_read_to_the_end(size: int) -> None:
    group = Ranges(size)
    assert list(members(group)) == group.members


class RefusedRange(Ranges):
    def range(self, number: int, first: int) -> Sequence[bytes] | None:
        return super().range(number, first) if first < 1500 else [done(number, 51)]


class EmptyRange(Ranges):
    def range(self, number: int, first: int) -> Sequence[bytes] | None:
        return super().range(number, first) if first < 1500 else [done(number)]


class NoRange(Ranges):
    def range(self, number: int, first: int) -> Sequence[bytes] | None:
        plain = entry(number, f"cn=group,{SUFFIX}", {"member": []})
        return super().range(number, first) if first < 1500 else [plain, done(number)]


class WrongRange(Ranges):
    def range(self, number: int, first: int) -> Sequence[bytes] | None:
        return super().range(number, 0 if first < 1500 else first + 10)


class ShortRange(Ranges):
    def part(self, number: int, first: int, more: dict[str, list[bytes]]) -> bytes:
        return entry(
            number, f"cn=group,{SUFFIX}", {f"member;range={first}-{first + 1499}": [b"cn=one"], **more}
        )


class CutRange(Ranges):
    def range(self, number: int, first: int) -> Sequence[bytes] | None:
        return super().range(number, first) if first < 1500 else None


class RestlessRange(Ranges):
    def version(self) -> bytes:
        return str(self.reads).encode()


class OddRange(Ranges):
    def part(self, number: int, first: int, more: dict[str, list[bytes]]) -> bytes:
        return entry(number, f"cn=group,{SUFFIX}", {f"member;range={first}": [b"cn=one"], **more})


@pytest.mark.parametrize(
    "kind", [RefusedRange, EmptyRange, NoRange, WrongRange, ShortRange, CutRange, RestlessRange, OddRange]
)
def test_ranges_that_stop_are_a_failure(kind: type[Ranges]) -> None:
    with pytest.raises(ReadFailed):
        members(kind(4000))


class ChangedOnce(Ranges):
    """Changes between the first two ranges of the first attempt only."""

    def version(self) -> bytes:
        return b"1" if self.reads == 1 else b"2"


def test_a_group_that_changes_meanwhile_is_read_again() -> None:
    group = ChangedOnce(4000)
    assert list(members(group)) == group.members
    assert group.reads == 2 + 3


def test_one_entry_is_given_only_when_its_search_has_ended() -> None:
    """Whoever takes it begins the next search at once, whose cookie slapd would forget at the end of this one."""

    def script(request: Request) -> Sequence[bytes]:
        return [entry(request.number, SUFFIX, {"entryUUID": (UUID,)}), done(request.number, 51)]

    with FakeLdap(script) as server, Reader(settings(server.uri)).connect() as session:
        found = session.search(SUFFIX, "base", "(objectClass=*)", ("mail",))
        with pytest.raises(Refused):
            next(found)
