"""The synchroniser and everything that can break: the mirror keeps what it has, grows old, and catches up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pytest
from tests.directory.memory_mirror import MemoryMirror
from tests.directory.running import SUFFIX, TREE, Running, group, groups, ldap, people, person, sync
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings
from tests.support.tcp_faults import Fault, FaultyProxy

from groupmilter.config.model import Sync
from groupmilter.directory.entry import Change, KeepOnly
from groupmilter.directory.ldap_settings import LdapSettings, ReadFailed
from groupmilter.directory.mirror import MirrorError
from groupmilter.directory.synchroniser_settings import LostTooMuch

START = TREE + person("anna") + person("bob") + group("sales", "anna") + group("staff", "anna", "bob")
AT_FIRST = people("anna", "bob") | groups("sales", "staff")
FOLLOWING = [Sync.PERSIST, Sync.POLL, Sync.RELOAD]
CROWD = "".join(person(f"c{number}") for number in range(300))


@pytest.fixture
def slapd() -> Iterator[Slapd]:
    with Slapd(Settings(tls=True), [START]) as running:
        yield running


def impatient(url: str) -> LdapSettings:
    """Settings that give up what is frozen soon; a slow machine costs another attempt, and no more."""
    return replace(ldap(url), operation_timeout=1.0, connect_timeout=1.0)


@pytest.fixture(params=FOLLOWING)
def it(slapd: Slapd, request: pytest.FixtureRequest) -> Iterator[Running]:
    settings = sync(mode=request.param, silence=0.5)
    with Running(impatient(slapd.uri), settings) as running:
        running.until_connected()
        yield running


def test_stopped_and_started(slapd: Slapd, it: Running) -> None:
    slapd.stop()
    it.until_failed()
    assert it.mirror.dns() == AT_FIRST
    slapd.start()
    slapd.add(person("carl"))
    it.until_dns(AT_FIRST | people("carl"))
    it.until_connected()


def test_killed_and_started(slapd: Slapd, it: Running) -> None:
    slapd.kill()
    it.until_failed()
    slapd.start()
    slapd.delete(*people("bob"))
    it.until_dns(AT_FIRST - people("bob"))


def test_changed_while_nobody_looked(slapd: Slapd, it: Running) -> None:
    slapd.stop()
    it.until_failed()
    slapd.load(person("carl") + group("new", "carl"))
    slapd.start()
    it.until_dns(AT_FIRST | people("carl") | groups("new"))


def test_frozen_and_thawed(slapd: Slapd, it: Running) -> None:
    slapd.freeze()
    # Two attempts may have begun before it froze.
    it.until(lambda: it.synchroniser.status().failures >= 3, "a third failure")
    assert it.mirror.dns() == AT_FIRST
    before = it.mirror.synced_at
    it.until(lambda: it.synchroniser.status().failures >= 4, "a fourth failure")
    assert it.mirror.synced_at == before
    slapd.thaw()
    slapd.add(person("carl"))
    it.until_dns(AT_FIRST | people("carl"))


def test_the_age_grows_while_the_directory_is_gone(slapd: Slapd, it: Running) -> None:
    slapd.stop()
    it.until_failed()
    status = it.synchroniser.status()
    it.until(lambda: (it.synchroniser.status().age or 0) > (status.age or 0) + 0.5, "an older mirror")
    assert not it.synchroniser.status().connected


def test_connections_cut_again_and_again(slapd: Slapd) -> None:
    with FaultyProxy(slapd.port) as proxy, Running(ldap(proxy.uri)) as it:
        for number in range(5):
            it.until_connected()
            proxy.cut()
            slapd.add(person(f"again{number}"))
            it.until_dns(AT_FIRST | people(*(f"again{done}" for done in range(number + 1))))


def test_a_black_hole_is_noticed(slapd: Slapd) -> None:
    with FaultyProxy(slapd.port) as proxy, Running(impatient(proxy.uri), sync(silence=0.5)) as it:
        it.until_connected()
        proxy.fault = Fault(black_hole=True)
        it.until_failed("silent")
        proxy.fault = Fault()
        slapd.add(person("carl"))
        it.until_dns(AT_FIRST | people("carl"))


@pytest.mark.parametrize("mode", FOLLOWING)
@pytest.mark.parametrize("reset", [False, True])
def test_cut_in_the_middle_of_the_first_load(slapd: Slapd, mode: Sync, reset: bool) -> None:
    slapd.add(CROWD)
    proxy = FaultyProxy(slapd.port, Fault(cut_after=9000, reset=reset))
    with proxy, Running(ldap(proxy.uri), sync(mode=mode)) as it:
        it.until(lambda: it.synchroniser.status().failures >= 3, "three failures")
        assert it.mirror.dns() == set()
        assert it.mirror.synced_at is None
        proxy.fault = Fault()
        it.until(lambda: len(it.mirror.entries) == 304, "everybody")


@pytest.mark.parametrize("mode", FOLLOWING)
def test_cut_in_the_middle_of_a_later_load(slapd: Slapd, mode: Sync) -> None:
    with FaultyProxy(slapd.port) as proxy:
        it = Running(ldap(proxy.uri), sync(mode=mode))
        it.synchroniser.once()
        slapd.add(CROWD)
        slapd.delete(*people("bob"))
        before, cookie = dict(it.mirror.entries), it.mirror.cookie
        for octets in (50, 3000, 9000, 20_000):
            proxy.fault = Fault(cut_after=octets)
            with pytest.raises(ReadFailed):
                it.synchroniser.once()
            assert it.mirror.entries == before
            assert it.mirror.cookie == cookie
        proxy.fault = Fault()
        it.synchroniser.once()
        assert len(it.mirror.entries) == 303


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_over_tls(slapd: Slapd, way: str) -> None:
    trust = slapd.ca_file
    limits = (
        replace(ldap(slapd.tls_uri), ca_file=trust)
        if way == "ldaps"
        else replace(ldap(slapd.uri), start_tls=True, ca_file=trust)
    )
    with Running(limits) as it:
        it.until_connected()
        slapd.add(person("carl"))
        it.until_dns(AT_FIRST | people("carl"))


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_a_bad_certificate_leaves_the_mirror_alone(slapd: Slapd, way: str) -> None:
    limits = ldap(slapd.tls_uri) if way == "ldaps" else replace(ldap(slapd.uri), start_tls=True)
    it = Running(limits)
    with pytest.raises(ReadFailed, match=r"(?i)certificate verify failed"):
        it.synchroniser.once()
    assert (it.mirror.generation, it.mirror.applied, it.mirror.synced_at) == (0, [], None)


@pytest.mark.parametrize("session_log", [0, 3])
@pytest.mark.parametrize("mode", [Sync.PERSIST, Sync.POLL])
def test_the_session_log_has_expired(session_log: int, mode: Sync) -> None:
    with Slapd(Settings(session_log=session_log), [START]) as slapd:
        first = Running(ldap(slapd.uri), sync(mode=mode))
        first.synchroniser.once()
        slapd.delete(*people("bob"))
        slapd.add("".join(person(f"n{number}") for number in range(20)))
        slapd.delete(*people("n3"))
        wanted = AT_FIRST - people("bob") | people(*(f"n{number}" for number in range(20) if number != 3))
        with Running(ldap(slapd.uri), sync(mode=mode), first.mirror) as second:
            second.until_dns(wanted)
        assert KeepOnly in first.mirror.applied[1]


@pytest.mark.parametrize("mode", FOLLOWING)
def test_a_server_replaced_by_an_empty_one(slapd: Slapd, mode: Sync) -> None:
    it = Running(ldap(slapd.uri), sync(mode=mode))
    it.synchroniser.once()
    with Slapd(content=[TREE]) as empty:
        other = Running(ldap(empty.uri), sync(mode=mode), it.mirror)
        with other:
            other.until_failed("without force")
            other.until(lambda: other.synchroniser.status().failures >= 2, "a second refusal")
            assert it.mirror.dns() == AT_FIRST
            other.synchroniser.force()
            other.until_dns(set())


def test_one_group_less_than_half_is_believed(slapd: Slapd) -> None:
    it = Running(ldap(slapd.uri), sync(mode=Sync.RELOAD))
    it.synchroniser.once()
    slapd.delete(*groups("sales"))
    it.synchroniser.once()
    assert it.mirror.dns() == AT_FIRST - groups("sales")
    slapd.delete(*groups("staff"))
    with pytest.raises(LostTooMuch, match="1 of 1 groups"):
        it.synchroniser.once()
    assert it.mirror.dns() == AT_FIRST - groups("sales")
    it.synchroniser.once(force=True)
    assert it.mirror.dns() == people("anna", "bob")


def test_the_force_of_one_load_is_not_that_of_the_next(slapd: Slapd) -> None:
    it = Running(ldap(slapd.uri), sync(mode=Sync.RELOAD))
    it.synchroniser.once(force=True)
    slapd.delete(*groups("sales", "staff"))
    with pytest.raises(LostTooMuch):
        it.synchroniser.once()


@pytest.mark.parametrize("mode", [Sync.PERSIST, Sync.POLL])
def test_a_server_restored_from_a_backup(mode: Sync) -> None:
    """Our cookie is then newer than all that the server has."""
    with Slapd(content=[START]) as slapd:
        it = Running(ldap(slapd.uri), sync(mode=mode))
        it.synchroniser.once()
        backup = slapd.search(SUFFIX, "(objectClass=*)", "*", "+")
        slapd.add(person("carl"))
        it.synchroniser.once()
    assert it.mirror.dns() == AT_FIRST | people("carl")
    with Slapd(content=[restorable(backup)]) as restored:
        with Running(ldap(restored.uri), sync(mode=mode), it.mirror) as after:
            after.until_dns(AT_FIRST)
        assert after.log.count("directory_full_refresh") == 1


def restorable(backup: str) -> str:
    unwanted = ("entryDN:", "subschemaSubentry:", "hasSubordinates:")
    return "".join(f"{line}\n" for line in backup.splitlines() if not line.startswith(unwanted))


def test_the_pauses_grow_and_are_bounded() -> None:
    settings = replace(sync(), first_pause=1.0, longest_pause=10.0)
    it = Running(replace(ldap("ldap://127.0.0.1:1"), connect_timeout=5.0), settings)
    pauses = []
    for _ in range(6):
        with pytest.raises(ReadFailed):
            it.synchroniser.once()
        pauses.append(it.synchroniser.pause() / 0.75)
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_a_silent_server_costs_one_line_for_each_attempt(slapd: Slapd) -> None:
    with Running(ldap(slapd.uri)) as it:
        it.until_connected()
        slapd.stop()
        it.until(lambda: it.synchroniser.status().failures >= 3, "three failures")
    lines = [facts["failures"] for name, facts in it.log.lines if name == "directory_failed"]
    assert lines == list(range(1, len(lines) + 1))
    assert it.log.count("directory_connected") == 1


@dataclass(slots=True)
class FullMirror(MemoryMirror):
    """A mirror whose disk is full while `full` is set."""

    full: bool = True

    def apply(
        self, changes: Iterable[Change], *, now: float, cookie: bytes | None = None, complete: bool = True
    ) -> int:
        """Fail as SQLite does."""
        if self.full:
            raise MirrorError("database or disk is full")
        # Without arguments super() fails in a dataclass with slots: it is a class of its own.
        return MemoryMirror.apply(self, changes, now=now, cookie=cookie, complete=complete)


@pytest.mark.parametrize("mode", FOLLOWING)
def test_a_full_disk(slapd: Slapd, mode: Sync) -> None:
    mirror = FullMirror()
    with Running(ldap(slapd.uri), sync(mode=mode), mirror) as it:
        it.until_failed("disk is full")
        mirror.full = False
        it.until_dns(AT_FIRST)
        it.until_connected()
        mirror.full = True
        slapd.add(person("carl"))
        it.until_failed("disk is full")
        mirror.full = False
        it.until_dns(AT_FIRST | people("carl"))
