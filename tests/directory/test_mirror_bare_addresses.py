"""Bare member addresses that belong to somebody of the directory: the person or the group is meant, once."""

from __future__ import annotations

from pathlib import Path

from tests.directory.mirrors import found_group, found_person, group, looking, opened, person

from groupmilter.directory.entry import Put


def test_a_persons_alias_is_the_person(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    anna = Put(person("anna", mail=["anna@example.org"], mailLocalAddress="anna.alias@example.org"))
    both = Put(group("both", "anna", dgMemberAddress=["Anna.Alias@example.org", "x@partner.example"]))
    with opened(path, anna, both), looking(path) as seen:
        members = seen.members(found_group(seen, "both").node)
        node = found_person(seen, "anna").node
        assert [(m.address, m.node) for m in members.people] == [
            ("anna@example.org", node),
            ("x@partner.example", None),
        ]


def test_another_groups_address_is_that_group(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    inner = Put(group("inner", "anna", dgAlias="within@example.org"))
    outer = Put(group("outer", dgMemberAddress="within@example.org"))
    with opened(path, Put(person("anna")), inner, outer), looking(path) as seen:
        members = seen.members(found_group(seen, "outer").node)
        assert members.groups == (found_group(seen, "inner").node,)
        assert members.people == ()


def test_a_locked_persons_address_gets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    locked = Put(person("anna", pwdAccountLockedTime="000001010000Z"))
    only = Put(group("only", dgMemberAddress="anna@example.org"))
    with opened(path, locked, only), looking(path) as seen:
        members = seen.members(found_group(seen, "only").node)
        assert members.people == ()
        assert "locked" in members.left_out[0]
