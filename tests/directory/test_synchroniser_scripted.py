"""The synchroniser and the answers of RFC 4533 that a real slapd gives seldom or never."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from tests.directory.running import SUFFIX, Running, ldap, sync
from tests.support.fake_ldap import FakeLdap, Request, answer, done, entry, page_end

from groupmilter.config.model import Sync
from groupmilter.directory.ldap_messages import tlv
from groupmilter.directory.ldap_settings import ReadFailed

UUIDS = [bytes([number]) * 16 for number in range(1, 4)]
DONE_CONTROL = "1.3.6.1.4.1.4203.1.9.1.3"
STATE_CONTROL = "1.3.6.1.4.1.4203.1.9.1.2"
REQUEST_CONTROL = "1.3.6.1.4.1.4203.1.9.1.1"


def state(number: int, uuid: bytes, kind: int = 1) -> bytes:
    control = tlv(0x30, tlv(0x0A, bytes([kind])) + tlv(4, uuid))
    name = f"cn=e{uuid[0]},{SUFFIX}"
    attributes = {"mail": [b"e@x.example"], "objectClass": [b"distributionGroup"]}
    return entry(number, name, attributes, [(STATE_CONTROL, control)])


def finished(number: int, cookie: bytes, deletes: bool) -> bytes:
    value = tlv(0x30, tlv(4, cookie) + (tlv(1, b"\xff") if deletes else b""))
    return done(number, controls=[(DONE_CONTROL, value)])


def scripted(*answers: Sequence[bytes]) -> tuple[FakeLdap, list[bytes]]:
    """A server that answers one synchronisation after the other; and the values of their request controls."""
    asked: list[bytes] = []
    turns = itertools.chain(answers, itertools.repeat(answers[-1]))

    def script(request: Request) -> Sequence[bytes]:
        asked.append(request.controls[REQUEST_CONTROL])
        return [_numbered(message, request.number) for message in next(turns)]

    return FakeLdap(script), asked


def _numbered(octets: bytes, number: int) -> bytes:
    """The templates are made for message 0; its number is written with four octets."""
    return octets.replace(b"\x02\x04\0\0\0\0", b"\x02\x04" + number.to_bytes(4, "big"), 1)


def test_a_cookie_that_the_server_has_forgotten() -> None:
    server, asked = scripted(
        [state(0, UUIDS[0]), state(0, UUIDS[1]), finished(0, b"one", deletes=True)],
        [done(0, 4096, "refresh required")],
        [state(0, UUIDS[0]), finished(0, b"two", deletes=True)],
    )
    with server:
        it = Running(ldap(server.uri), sync(mode=Sync.POLL))
        it.synchroniser.once()
        it.synchroniser.once()
    assert [b"one" in value for value in asked] == [False, True, False]
    assert it.mirror.dns() == {f"cn=e1,{SUFFIX}"}
    assert it.log.count("directory_full_refresh") == 1


@pytest.mark.parametrize(
    "ending",
    [
        [done(0, 4)],
        [done(0, 3)],
        [done(0, 51)],
        [done(0)],
        [answer(0, 0x64, tlv(4, b"cn=x") + tlv(0x30, b"")), finished(0, b"x", deletes=True)],
        [state(0, b"short"), finished(0, b"x", deletes=True)],
        [answer(0, 0x79, tlv(0x80, b"1.3.6.1.4.1.4203.1.9.1.4") + tlv(0x81, b"\xa9\x00"))],
    ],
    ids=["size", "time", "busy", "no done control", "no state control", "bad uuid", "unknown info"],
)
def test_a_refresh_that_does_not_end_well_changes_nothing(ending: Sequence[bytes]) -> None:
    good = [state(0, UUIDS[0]), finished(0, b"one", deletes=True)]
    server, _ = scripted(good, [state(0, UUIDS[1]), *ending])
    with server:
        it = Running(ldap(server.uri), sync(mode=Sync.POLL))
        it.synchroniser.once()
        with pytest.raises(ReadFailed):
            it.synchroniser.once()
    assert it.mirror.dns() == {f"cn=e1,{SUFFIX}"}
    assert it.mirror.generation == 1


def test_a_present_phase_names_all_that_is_left() -> None:
    identifiers = tlv(0xA3, tlv(1, b"\0") + tlv(0x31, tlv(4, UUIDS[0])))
    info = answer(0, 0x79, tlv(0x80, b"1.3.6.1.4.1.4203.1.9.1.4") + tlv(0x81, identifiers))
    server, _ = scripted(
        [*(state(0, uuid) for uuid in UUIDS), finished(0, b"one", deletes=True)],
        [info, state(0, UUIDS[1], kind=0), finished(0, b"two", deletes=False)],
    )
    with server:
        it = Running(ldap(server.uri), sync(mode=Sync.POLL))
        it.synchroniser.once()
        it.synchroniser.once()
    assert it.mirror.dns() == {f"cn=e1,{SUFFIX}", f"cn=e2,{SUFFIX}"}


def test_a_delete_phase_names_what_is_gone() -> None:
    identifiers = tlv(0xA3, tlv(1, b"\xff") + tlv(0x31, tlv(4, UUIDS[0]) + tlv(4, UUIDS[2])))
    info = answer(0, 0x79, tlv(0x80, b"1.3.6.1.4.1.4203.1.9.1.4") + tlv(0x81, identifiers))
    server, _ = scripted(
        [*(state(0, uuid) for uuid in UUIDS), finished(0, b"one", deletes=True)],
        [info, finished(0, b"two", deletes=True)],
    )
    with server:
        it = Running(ldap(server.uri), sync(mode=Sync.POLL))
        it.synchroniser.once()
        it.synchroniser.once()
    assert it.mirror.dns() == {f"cn=e2,{SUFFIX}"}


def test_a_server_that_lists_the_control_and_refuses_it() -> None:
    def script(request: Request) -> Sequence[bytes]:
        number = request.number
        if not request.base:
            return [entry(number, "", {"supportedControl": [REQUEST_CONTROL.encode()]}), done(number)]
        if REQUEST_CONTROL in request.controls:
            return [done(number, 12, "not for you")]
        uuid = [b"6ba7b810-9dad-11d1-80b4-00c04fd430c8"]
        return [entry(number, f"cn=a,{SUFFIX}", {"entryUUID": uuid}), page_end(number)]

    with FakeLdap(script) as server, Running(ldap(server.uri)) as it:
        it.until_dns({f"cn=a,{SUFFIX}"})
        it.until_connected()
        assert it.synchroniser.status().mode == "reload"
    assert it.log.count("directory_without_synchronisation") == 1


def test_stopped_in_the_middle_of_a_load() -> None:
    """The process ends at once and the mirror is as it was."""
    with FakeLdap(lambda request: [state(request.number, UUIDS[0])]) as server:
        with Running(ldap(server.uri), sync(mode=Sync.POLL)) as it:
            it.until(lambda: server.requests != [], "the question")
        assert it.mirror.dns() == set()
        assert it.log.count("directory_failed") == 0
