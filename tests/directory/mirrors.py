"""People, groups and mirrors for the tests of the directory room: short to write, read by the native profile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from groupmilter.directory.entry import Change, Entry
from groupmilter.directory.findings import Kind
from groupmilter.directory.mirror import Mirror, MirrorSettings
from groupmilter.directory.mirror_refusals import Limits
from groupmilter.directory.profile import Profile
from groupmilter.directory.snapshot import Reader, Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "ldap_schema" / "profiles" / "native.yaml"
BASE = "dc=example,dc=org"
OWN = frozenset({"example.org"})
NOW = 1_000_000.0


def native() -> Profile:
    """Return the shipped native profile."""
    return Profile.from_mapping(yaml.safe_load(NATIVE.read_text("utf-8")))


def settings(base: str = BASE, own: frozenset[str] = OWN) -> MirrorSettings:
    """Return settings with the native profile and small limits."""
    return MirrorSettings(native(), base, own, limits=Limits(members=5, depth=3))


def entry(uuid: str, dn: str, **attributes: str | list[str]) -> Entry:
    """Return an entry; an underscore in a keyword stands for the semicolon of an option."""
    return Entry(
        uuid,
        dn,
        {
            name.lower().replace("_", ";").replace(";;", "-"): tuple(
                text.encode() for text in ([value] if isinstance(value, str) else value)
            )
            for name, value in attributes.items()
        },
    )


def person_dn(name: str) -> str:
    """Return a person's DN."""
    return f"uid={name},ou=people,{BASE}"


def group_dn(name: str) -> str:
    """Return a group's DN."""
    return f"cn={name},ou=groups,{BASE}"


def person(name: str, uuid: str = "", **attributes: str | list[str]) -> Entry:
    """Return a person ``name@example.org``, UUID ``person-name`` if none is given."""
    basics: dict[str, str | list[str]] = {
        "objectClass": "inetOrgPerson",
        "uid": name,
        "cn": name.title(),
        "mail": f"{name}@example.org",
    }
    return entry(uuid or f"person-{name}", person_dn(name), **(basics | attributes))


def group(name: str, *members: str, uuid: str = "", **attributes: str | list[str]) -> Entry:
    """Return a group ``name@example.org``, owned by ``owner``, with members by DN or by a person's name."""
    basics: dict[str, str | list[str]] = {
        "objectClass": ["groupOfNames", "distributionGroup"],
        "cn": name,
        "mail": f"{name}@example.org",
        "owner": person_dn("owner"),
        "member": [member if "=" in member else person_dn(member) for member in members],
    }
    merged = {key: value for key, value in (basics | attributes).items() if value != []}
    return entry(uuid or f"group-{name}", group_dn(name), **merged)


@contextmanager
def opened(path: Path, *changes: Change) -> Iterator[Mirror]:
    """Give a mirror, with these changes applied as a complete load if there are any."""
    mirror = Mirror.open(path, settings())
    try:
        if changes:
            mirror.apply(changes, now=NOW)
        yield mirror
    finally:
        mirror.close()


@contextmanager
def looking(path: Path, now: float = NOW) -> Iterator[Snapshot]:
    """Give a snapshot from a reader of its own."""
    reader = Reader(path, 3600.0)
    try:
        with reader.snapshot(now) as snapshot:
            yield snapshot
    finally:
        reader.close()


def found_group(snapshot: Snapshot, name: str) -> Group:
    """Return the group ``name@example.org``, which must be there."""
    found = snapshot.find(f"{name}@example.org")
    assert isinstance(found, Group)
    return found


def found_person(snapshot: Snapshot, name: str) -> Person:
    """Return the person ``name@example.org``, who must be there."""
    found = snapshot.find(f"{name}@example.org")
    assert isinstance(found, Person)
    return found


def receivers(snapshot: Snapshot, name: str) -> set[str]:
    """Return the addresses of a group's direct people."""
    return {member.address for member in snapshot.members(found_group(snapshot, name).node).people}


def kinds(mirror: Mirror, subject: str) -> set[Kind]:
    """Return the kinds of findings about one subject."""
    return {finding.kind for finding in mirror.findings() if finding.subject == subject}
