"""The whole way: a real slapd, the native profile, the mirror in SQLite, and what a reader of it then sees."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from tests.directory.running import DEADLINE, SUFFIX, TREE, Recorder, group, ldap, person
from tests.support.slapd import Slapd

from groupmilter.directory.ldif import LdifError
from groupmilter.directory.mirror import Mirror, MirrorSettings
from groupmilter.directory.profile import Profile
from groupmilter.directory.snapshot import Reader, Snapshot
from groupmilter.directory.synchroniser import Surroundings, Synchroniser
from groupmilter.directory.synchroniser_settings import LostTooMuch, SyncSettings
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group

PROFILE = Path(__file__).resolve().parents[2] / "ldap_schema" / "profiles" / "native.yaml"
START = TREE + person("anna") + person("bob") + group("sales", "anna") + group("staff", "anna", "bob")
SALES = "sales@masociete.example"


def profile() -> Profile:
    return Profile.from_mapping(yaml.safe_load(PROFILE.read_text("utf-8")))


@dataclass(slots=True)
class Stage:
    """A mirror, and what it takes to follow a directory into it."""

    path: Path
    log: Recorder = field(default_factory=Recorder)
    told: list[int] = field(default_factory=list)
    profile: Profile = field(default_factory=profile)

    def open(self) -> Mirror:
        own = frozenset({"masociete.example"})
        return Mirror.open(self.path, MirrorSettings(self.profile, SUFFIX, own))

    def settings(self) -> SyncSettings:
        return SyncSettings(
            self.profile.filter(),
            self.profile.attributes(),
            keepalive=0.1,
            first_pause=0.05,
            longest_pause=0.2,
        )

    def around(self) -> Surroundings:
        return Surroundings(self.log, time.time, time.monotonic, lambda: 0.5, self.told.append)

    def ldap(self, mirror: Mirror, url: str) -> Synchroniser:
        return Synchroniser.of_ldap(ldap(url), mirror, self.settings(), self.around())

    def ldif(self, mirror: Mirror, path: Path) -> Synchroniser:
        return Synchroniser.of_ldif(path, SUFFIX, mirror, self.settings(), self.around())


@dataclass(slots=True)
class Turns:
    """A wish to stop after so many turns, of which each is over at once."""

    left: int

    def is_set(self) -> bool:
        return self.left <= 0

    def wait(self, timeout: float) -> bool:  # noqa: ARG002 - nobody waits
        self.left -= 1
        return True


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "mirror.db")


@pytest.fixture
def slapd() -> Iterator[Slapd]:
    with Slapd(content=[START]) as running:
        yield running


@dataclass(slots=True)
class Followed:
    """A synchroniser at work beside the test, and a reader of its mirror."""

    reader: Reader
    synchroniser: Synchroniser

    def until(self, condition: Callable[[Snapshot], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not self.holds(condition):
            assert time.monotonic() < deadline, f"not in time: {what}; {self.synchroniser.status()}"
            time.sleep(0.005)

    def holds(self, condition: Callable[[Snapshot], bool]) -> bool:
        try:
            with self.reader.snapshot(time.time()) as snapshot:
                return condition(snapshot)
        except DirectoryUnknown:
            return False


@pytest.fixture
def followed(stage: Stage, slapd: Slapd) -> Iterator[Followed]:
    mirror = stage.open()
    stop, reader = threading.Event(), Reader(stage.path, 3600.0)
    synchroniser = stage.ldap(mirror, slapd.uri)
    thread = threading.Thread(target=synchroniser.run, args=(stop,))
    thread.start()
    try:
        yield Followed(reader, synchroniser)
    finally:
        stop.set()
        thread.join(DEADLINE)
        reader.close()
        mirror.close()
    assert not thread.is_alive()


def sales(snapshot: Snapshot) -> Group:
    found = snapshot.find(SALES)
    assert isinstance(found, Group)
    return found


def receivers(snapshot: Snapshot) -> set[str]:
    return {member.address for member in snapshot.members(sales(snapshot).node).people}


def test_changes_come_into_force(slapd: Slapd, followed: Followed) -> None:
    followed.until(lambda now: receivers(now) == {"anna@masociete.example"}, "the first load")
    name = f"cn=sales,{SUFFIX}"
    slapd.modify(
        f"dn: {name}\nchangetype: modify\nadd: member\nmember: uid=bob,ou=people,{SUFFIX}\n-\n"
        "replace: dgModerated\ndgModerated: TRUE\n"
    )
    followed.until(lambda now: len(receivers(now)) == 2 and sales(now).moderated, "member and moderation")
    slapd.replace(f"uid=bob,ou=people,{SUFFIX}", mail="robert@masociete.example")
    followed.until(lambda now: "robert@masociete.example" in receivers(now), "the member's new address")
    slapd.delete(name)
    followed.until(lambda now: now.find(SALES) is None, "the group gone")


def test_a_member_that_moves_stays_a_member(slapd: Slapd, followed: Followed) -> None:
    followed.until(lambda now: len(receivers(now)) == 1, "the first load")
    slapd.rename(f"uid=anna,ou=people,{SUFFIX}", "uid=anna", f"ou=guests,{SUFFIX}")
    slapd.replace(f"cn=sales,{SUFFIX}", member=f"uid=anna,ou=guests,{SUFFIX}")
    followed.until(lambda now: receivers(now) == {"anna@masociete.example"}, "the member at its new place")


def test_a_group_of_fifty_thousand(slapd: Slapd, followed: Followed) -> None:
    followed.until(lambda now: now.find(SALES) is not None, "the first load")
    slapd.add("".join(person(f"m{number}") for number in range(500)))
    slapd.add(group("all", *(f"m{number}" for number in range(50_000))))

    def complete(now: Snapshot) -> bool:
        found = now.find("all@masociete.example")
        return isinstance(found, Group) and len(now.members(found.node).people) == 500

    followed.until(complete, "the group with those of its members that exist")


def test_the_mirror_stays_young_and_tells_each_generation(
    stage: Stage, slapd: Slapd, followed: Followed
) -> None:
    followed.until(lambda now: now.find(SALES) is not None, "the first load")
    slapd.replace(f"cn=sales,{SUFFIX}", dgEnabled="FALSE")
    followed.until(lambda now: not sales(now).enabled, "the group closed")
    with followed.reader.snapshot(time.time()) as snapshot:
        generation = snapshot.generation
    followed.until(lambda _: stage.told[-1:] == [generation], "the generation told")
    assert stage.told == sorted(set(stage.told))


def test_a_restart_reads_only_what_changed(stage: Stage, slapd: Slapd) -> None:
    mirror = stage.open()
    first = stage.ldap(mirror, slapd.uri).once()
    mirror.close()
    slapd.replace(f"cn=sales,{SUFFIX}", dgEnabled="FALSE")
    mirror = stage.open()
    try:
        assert mirror.cookie is not None
        assert stage.ldap(mirror, slapd.uri).once() > first
    finally:
        mirror.close()
    reader = Reader(stage.path, 3600.0)
    with reader.snapshot(time.time()) as snapshot:
        assert not sales(snapshot).enabled
    reader.close()


class TestLdif:
    def test_reads_the_file_and_reads_it_again_when_it_changes(self, stage: Stage, tmp_path: Path) -> None:
        path = tmp_path / "directory.ldif"
        path.write_text(START, "utf-8")
        mirror, stop = stage.open(), threading.Event()
        synchroniser = stage.ldif(mirror, path)
        thread = threading.Thread(target=synchroniser.run, args=(stop,))
        thread.start()
        reader = Reader(stage.path, 3600.0)
        followed = Followed(reader, synchroniser)
        try:
            followed.until(lambda now: len(receivers(now)) == 1, "the first load")
            path.write_text(START.replace("cn: sales\n", "cn: sales\ndgModerated: TRUE\n"), "utf-8")
            followed.until(lambda now: sales(now).moderated, "moderation")
            path.write_text("dn: no name\n", "utf-8")
            # A half-written file fails in another way, and is read again.
            followed.until(
                lambda _: synchroniser.status().failures > 0 and str(path) in synchroniser.status().error,
                "a failure",
            )
            assert followed.holds(lambda now: sales(now).moderated)
            path.write_text(START, "utf-8")
            followed.until(lambda now: not sales(now).moderated, "no moderation")
        finally:
            stop.set()
            thread.join(DEADLINE)
            reader.close()
            mirror.close()

    def test_a_change_that_leaves_the_time_of_change_is_read(self, stage: Stage, tmp_path: Path) -> None:
        """As ``cp -p`` and ``rsync -t`` leave it, or two changes in the same moment."""
        path, mirror = tmp_path / "directory.ldif", stage.open()
        synchroniser = stage.ldif(mirror, path)
        for number, content in enumerate((START, START + person("carl"), START.replace("anna", "anne"))):
            path.write_text(content, "utf-8")
            os.utime(path, ns=(10**18, 10**18))
            synchroniser.run(Turns(1))
            assert len(stage.told) == number + 1
        mirror.close()

    def test_what_was_changed_just_now_is_read_until_the_clock_has_gone_on(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        path, mirror = tmp_path / "directory.ldif", stage.open()
        path.write_text(START, "utf-8")
        now = [path.stat().st_ctime + 0.04]
        around = replace(stage.around(), wall=lambda: now[0])
        synchroniser = Synchroniser.of_ldif(path, SUFFIX, mirror, stage.settings(), around)
        synchroniser.run(Turns(2))
        assert synchroniser.status().loads == 2, "it may have changed again without a trace"
        now[0] += 0.02
        synchroniser.run(Turns(3))
        assert synchroniser.status().loads == 3
        assert len(stage.told) == 1
        mirror.close()

    def test_a_file_that_is_not_there(self, stage: Stage, tmp_path: Path) -> None:
        mirror = stage.open()
        with pytest.raises(LdifError, match=r"none\.ldif"):
            stage.ldif(mirror, tmp_path / "none.ldif").once()
        assert mirror.synced_at is None
        mirror.close()

    def test_a_file_without_the_groups_needs_force(self, stage: Stage, tmp_path: Path) -> None:
        path = tmp_path / "directory.ldif"
        path.write_text(START, "utf-8")
        mirror = stage.open()
        synchroniser = stage.ldif(mirror, path)
        synchroniser.once()
        path.write_text(TREE, "utf-8")
        with pytest.raises(LostTooMuch):
            synchroniser.once()
        assert len(mirror.group_uuids()) == 2
        synchroniser.once(force=True)
        assert mirror.group_uuids() == frozenset()
        mirror.close()
