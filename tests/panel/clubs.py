"""Groups of a house that tests make for themselves."""

from __future__ import annotations

from tests.membership.offices import GROUPS, PEOPLE
from tests.panel.house import House

from groupmilter.groups.group import Group
from groupmilter.groups.ticket import digest


def founded(home: House, name: str, more: str = "") -> str:
    """Make a group of Zoë's with herself as its only member, and wait for the mirror; return its path."""
    home.office.slapd.add(
        f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\ncn: {name}\n"
        f"displayName: The {name}\nmail: {name}@masociete.example\nowner: uid=zoe,{PEOPLE}\n"
        f"member: uid=zoe,{PEOPLE}\n{more}"
    )
    [uuid] = home.office.values(name, "entryUUID")
    # The mirror may still have one of that name that a test before has dissolved.
    home.until(lambda: mirrored(home, name) and home.group(name).uuid == uuid)
    return f"/groups/{home.group(name).uuid}"


def dissolved(home: House, name: str) -> None:
    """Remove such a group."""
    home.office.slapd.delete(f"cn={name},{GROUPS}")


def mirrored(home: House, name: str) -> bool:
    """Whether the mirror has a group."""
    with home.parts.lookups.snapshot() as directory:
        return directory.by_dn(f"cn={name},{GROUPS}") is not None


def name_of(home: House, path: str) -> str:
    """The name of the group whose page it is."""
    with home.parts.lookups.snapshot() as directory:
        found = directory.by_digest(digest(path.split("/")[2]))
    assert isinstance(found, Group)
    return found.address.partition("@")[0]


def members(home: House, path: str) -> set[str]:
    """The DNs that the directory has as members of the group whose page it is."""
    return set(home.office.values(name_of(home, path), "member"))


def person(uid: str) -> str:
    """The DN of somebody."""
    return f"uid={uid},{PEOPLE}"
