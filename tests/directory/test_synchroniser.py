"""The synchroniser against a real slapd that behaves: whatever changes there is soon the same in the mirror."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.directory.running import (
    SUFFIX,
    TREE,
    Running,
    group,
    groups,
    ldap,
    people,
    person,
    sync,
)
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings

from groupmilter.config.model import Sync
from groupmilter.directory.entry import KeepOnly, Remove
from groupmilter.directory.mirror import Search

START = TREE + person("anna") + person("bob") + group("sales", "anna") + group("staff", "anna", "bob")
AT_FIRST = people("anna", "bob") | groups("sales", "staff")
FOLLOWING = [Sync.PERSIST, Sync.POLL, Sync.RELOAD]


@pytest.fixture
def slapd() -> Iterator[Slapd]:
    with Slapd(content=[START]) as running:
        yield running


@pytest.fixture(params=FOLLOWING)
def it(slapd: Slapd, request: pytest.FixtureRequest) -> Iterator[Running]:
    with Running(ldap(slapd.uri), sync(mode=request.param)) as running:
        running.until_connected()
        assert running.mirror.dns() == AT_FIRST
        yield running


def test_an_entry_is_added(slapd: Slapd, it: Running) -> None:
    slapd.add(person("carl"))
    it.until_dns(AT_FIRST | people("carl"))


def test_an_entry_is_changed(slapd: Slapd, it: Running) -> None:
    name = f"uid=anna,ou=people,{SUFFIX}"
    slapd.replace(name, mail=["anna@masociete.example", "a@masociete.example"])
    it.until(lambda: len(it.mirror.by_dn(name).attributes["mail"]) == 2, "a second address")
    slapd.replace(name, displayName="Anna")
    it.until(lambda: it.mirror.by_dn(name).first("displayName") == "Anna", "the display name")
    slapd.replace(name, displayName=[])
    it.until(lambda: "displayname" not in it.mirror.by_dn(name).attributes, "no display name")


def test_a_member_is_added_and_removed(slapd: Slapd, it: Running) -> None:
    name, bob = f"cn=sales,{SUFFIX}", f"uid=bob,ou=people,{SUFFIX}"

    def members() -> set[bytes]:
        return set(it.mirror.by_dn(name).attributes["member"])

    slapd.modify(f"dn: {name}\nchangetype: modify\nadd: member\nmember: {bob}\n")
    it.until(lambda: len(members()) == 2, "two members")
    slapd.modify(f"dn: {name}\nchangetype: modify\ndelete: member\nmember: {bob}\n")
    it.until(lambda: members() == {f"uid=anna,ou=people,{SUFFIX}".encode()}, "one member")


def test_an_entry_is_deleted(slapd: Slapd, it: Running) -> None:
    slapd.delete(*people("bob"))
    it.until_dns(AT_FIRST - people("bob"))


def test_an_entry_is_renamed(slapd: Slapd, it: Running) -> None:
    uuid = it.mirror.by_dn(f"uid=bob,ou=people,{SUFFIX}").uuid
    slapd.rename(f"uid=bob,ou=people,{SUFFIX}", "uid=robert")
    it.until_dns(AT_FIRST - people("bob") | people("robert"))
    assert it.mirror.by_dn(f"uid=robert,ou=people,{SUFFIX}").uuid == uuid


def test_an_entry_is_moved(slapd: Slapd, it: Running) -> None:
    uuid = it.mirror.by_dn(f"uid=bob,ou=people,{SUFFIX}").uuid
    slapd.rename(f"uid=bob,ou=people,{SUFFIX}", "uid=bob", f"ou=guests,{SUFFIX}")
    moved = f"uid=bob,ou=guests,{SUFFIX}"
    it.until_dns(AT_FIRST - people("bob") | {moved})
    assert it.mirror.by_dn(moved).uuid == uuid


def test_an_entry_matches_no_longer_and_then_again(slapd: Slapd, it: Running) -> None:
    (name,) = people("bob")
    slapd.replace(name, mail=[])
    it.until_dns(AT_FIRST - people("bob"))
    slapd.replace(name, mail="bob@masociete.example")
    it.until_dns(AT_FIRST)


def test_many_changes(slapd: Slapd, it: Running) -> None:
    names = [f"n{number}" for number in range(200)]
    slapd.add("".join(person(name) for name in names))
    it.until_dns(AT_FIRST | people(*names))
    slapd.delete(*people(*names))
    it.until_dns(AT_FIRST)


def until_younger(it: Running) -> None:
    before = it.mirror.synced_at or 0.0
    it.until(lambda: (it.mirror.synced_at or 0.0) > before, "a younger mirror")


def test_nothing_changes_and_the_age_stays_young(it: Running) -> None:
    generation, told = it.mirror.generation, list(it.told)
    for _ in range(3):
        until_younger(it)
    assert it.mirror.generation == generation
    assert it.told == told == [generation]
    status = it.synchroniser.status()
    assert status.age is not None
    assert (status.error, status.failures, status.connected) == ("", 0, True)


def test_the_generation_is_told(slapd: Slapd, it: Running) -> None:
    slapd.add(person("carl"))
    it.until_dns(AT_FIRST | people("carl"))
    it.until(lambda: it.told[-1] == it.mirror.generation, "the generation told")


def test_a_group_of_fifty_thousand(slapd: Slapd, it: Running) -> None:
    slapd.add(group("all", *(f"p{number}" for number in range(50_000))))
    it.until_dns(AT_FIRST | groups("all"))
    assert len(it.mirror.by_dn(f"cn=all,{SUFFIX}").attributes["member"]) == 50_000
    name = f"uid=p50000,ou=people,{SUFFIX}"
    slapd.modify(f"dn: cn=all,{SUFFIX}\nchangetype: modify\nadd: member\nmember: {name}\n")
    it.until(lambda: len(it.mirror.by_dn(f"cn=all,{SUFFIX}").attributes["member"]) == 50_001, "one more")


class TestAuto:
    def test_persists_where_the_server_can(self, slapd: Slapd) -> None:
        with Running(ldap(slapd.uri)) as it:
            it.until_connected()
            assert it.synchroniser.status().mode == "persist"
        assert it.log.names() == ["directory_connected", "directory_loaded"]

    def test_reloads_where_it_can_not(self) -> None:
        with Slapd(Settings(syncprov=False), [START]) as slapd, Running(ldap(slapd.uri)) as it:
            it.until_connected()
            assert it.synchroniser.status().mode == "reload"
            slapd.delete(*people("bob"))
            it.until_dns(AT_FIRST - people("bob"))

    def test_persist_asked_of_a_server_that_can_not(self) -> None:
        with Slapd(Settings(syncprov=False), [START]) as slapd:
            with Running(ldap(slapd.uri), sync(mode=Sync.PERSIST)) as it:
                it.until_failed("result code")
            assert it.mirror.dns() == set()


class TestOnce:
    @pytest.mark.parametrize("mode", [Sync.AUTO, *FOLLOWING])
    def test_loads_and_then_only_what_changed(self, slapd: Slapd, mode: Sync) -> None:
        it = Running(ldap(slapd.uri), sync(mode=mode))
        assert it.synchroniser.once() == 1
        assert it.mirror.dns() == AT_FIRST
        assert it.synchroniser.once() == 1
        slapd.delete(*people("bob"))
        assert it.synchroniser.once() == 2
        assert it.mirror.dns() == AT_FIRST - people("bob")
        if mode is not Sync.RELOAD:
            assert it.mirror.applied[-1] == (Remove,)

    def test_goes_on_from_the_cookie_after_a_restart(self, slapd: Slapd) -> None:
        first = Running(ldap(slapd.uri))
        first.synchroniser.once()
        slapd.add(person("carl"))
        with Running(ldap(slapd.uri), mirror=first.mirror) as second:
            second.until_dns(AT_FIRST | people("carl"))
        assert len(first.mirror.applied[1]) == 1

    def test_another_search_does_not_go_on_from_it(self, slapd: Slapd) -> None:
        first = Running(ldap(slapd.uri))
        first.synchroniser.once()
        second = Running(replace(ldap(slapd.uri), extra_filter="(!(uid=bob))"), mirror=first.mirror)
        second.synchroniser.once()
        assert first.mirror.dns() == AT_FIRST - people("bob")
        assert first.mirror.applied[-1][-1] is KeepOnly


def test_member_urls_that_only_the_server_can_evaluate(slapd: Slapd) -> None:
    it = Running(ldap(slapd.uri))
    it.mirror.member_urls = (Search("the-group", f"ou=people,{SUFFIX}", "one", "(cn~=anna)"),)
    with it:
        it.until(lambda: "the-group" in it.mirror.dynamic, "searched members")
        anna = it.mirror.by_dn(f"uid=anna,ou=people,{SUFFIX}")
        assert it.mirror.dynamic["the-group"] == {anna.uuid}
        slapd.delete(*people("anna"))
        it.until(lambda: it.mirror.dynamic["the-group"] == frozenset(), "nobody")


def test_a_member_url_that_the_server_refuses_keeps_its_members(slapd: Slapd) -> None:
    it = Running(ldap(slapd.uri))
    it.mirror.dynamic["bad"] = frozenset({"kept"})
    it.mirror.member_urls = (
        Search("bad", "dc=elsewhere,dc=example", "sub", "(uid=*)"),
        Search("unreadable", SUFFIX, "sub", "(uid=*"),
        Search("good", SUFFIX, "sub", "(uid=anna)"),
    )
    it.synchroniser.once()
    assert it.mirror.dynamic["bad"] == {"kept"}
    assert len(it.mirror.dynamic["good"]) == 1
    assert it.log.count("member_url_refused") == 2
