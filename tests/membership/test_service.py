"""The service under all ways in: two who make the same group at once, a directory that falls silent, who is named."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.membership.offices import CONTACT, GROUPS, JEAN, PEOPLE, WHO, ZOE, Office
from tests.support.fake_ldap import SEARCH, FakeLdap, Request, entry, page_end

from groupmilter.directory.change import Meanwhile, Values, WriteRefused, Written
from groupmilter.directory.ldap_matching import MATCHED_VALUES
from groupmilter.directory.writer import OutcomeUnknown
from groupmilter.membership.address_book import Known
from groupmilter.membership.service import NoSuchGroup
from groupmilter.membership.vocabulary import Several, Single, Wish
from groupmilter.membership.wishes import Rules

UUID = b"6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11"


def test_an_address_that_two_take_at_the_same_moment_is_never_had_by_both(office: Office) -> None:
    address = "twice@masociete.example"
    start = threading.Barrier(2)

    def make(cn: str) -> bool:
        with office.service() as groups:
            prepared, problems = groups.prepare_new(address, [Several("owners", (JEAN,))], cn)
            assert problems == ()
            start.wait()
            with suppress(WriteRefused):
                groups.apply(prepared)
                return True
            return False

    with ThreadPoolExecutor(2) as pool:
        made = [done.result() for done in [pool.submit(make, cn) for cn in ("one", "two")]]
    there = office.slapd.search(GROUPS, f"(mail={address})", "dn").count("dn: ")
    assert there == sum(made) <= 1


def test_a_change_that_nobody_answered_is_in_the_journal_as_such(office: Office) -> None:
    with office.service() as groups:
        prepared, _ = groups.prepare(groups.stored(CONTACT), [Several("members", (ZOE,))])

        def script(request: Request) -> list[bytes] | None:
            if request.tag != SEARCH:
                return None
            if not request.base or MATCHED_VALUES in request.controls:
                held = {"supportedControl": (MATCHED_VALUES.encode(),)} if not request.base else {}
                return [entry(request.number, request.base, held), page_end(request.number)]
            held = {"objectClass": (b"groupOfNames",), "member": (b"cn=x",), "entryUUID": (UUID,)}
            return [entry(request.number, request.base, held), page_end(request.number)]

        with FakeLdap(script) as server:
            office.configure(url=server.uri)
            with office.service() as silent, pytest.raises(OutcomeUnknown):
                silent.apply(prepared)
    [row] = office.journal()
    assert row.detail.startswith("outcome unknown: ")
    assert (row.action, row.actor, row.way, row.origin) == ("group-edit", WHO.name, WHO.way.value, WHO.origin)


def test_a_change_can_be_undone_from_its_row_without_touching_anybody_elses(office: Office) -> None:
    with office.service() as groups:
        group = groups.stored(CONTACT)
        prepared, _ = groups.prepare(group, [Several("members", (ZOE,), (JEAN,)), Single("hidden", "yes")])
        groups.apply(prepared)
        office.slapd.modify(
            f"dn: cn=contact,{GROUPS}\nchangetype: modify\nadd: member\nmember: uid=jose,{PEOPLE}\n"
        )
        [row] = office.journal()
        before, after = json.loads(row.before), json.loads(row.after)
        assert (before["hidden"], after["hidden"]) == (False, True)
        undone = groups.writer.change(
            group.entry.dn, [Values("members", tuple(before["members"]), tuple(after["members"]))]
        )
        assert isinstance(undone, Written)
    members = office.values("contact", "member")
    assert set(members) == {f"uid={name},{PEOPLE}" for name in ("jean", "pierre", "jose")}


def test_rules_of_a_new_group_are_there_from_the_beginning_however_long(office: Office) -> None:
    """Nobody may slip in between: only members come in later steps."""
    many = tuple(f"x{number}@ailleurs.example" for number in range(700))
    seen: list[tuple[int, int]] = []
    with office.service() as groups:
        wishes: list[Wish] = [Several("denied", many), Several("members", many), Single("moderated", "yes")]
        prepared, problems = groups.prepare_new("long@masociete.example", wishes)
        assert problems == ()
        create = groups.writer.create

        def watched(dn: str, attributes: object) -> bool:
            made = create(dn, attributes)  # type: ignore[arg-type]
            counts = (
                len(office.values("long", name)) for name in ("dgDeniedSenderAddress", "dgMemberAddress")
            )
            seen.append(tuple(counts))  # type: ignore[arg-type]
            return made

        groups.writer.create = watched  # type: ignore[method-assign]
        groups.apply(prepared)
    assert seen == [(700, 0)]
    assert len(office.values("long", "dgMemberAddress")) == 700


def test_where_new_groups_go_has_to_be_known(office: Office) -> None:
    with office.service() as groups:
        bare = type(groups)(groups.book, groups.writer, Rules(frozenset(), "x.example"), groups.note)
        with pytest.raises(WriteRefused, match=r"directory\.write\.groups"):
            bare.prepare_new("x@masociete.example", [])


def test_a_group_is_removed_with_all_it_held_in_the_journal(office: Office) -> None:
    with office.service() as groups:
        prepared, _ = groups.prepare_new(
            "gone@masociete.example", [Several("members", (ZOE,)), Single("hidden", "yes")]
        )
        groups.apply(prepared)
        group = groups.stored("gone@masociete.example")
        assert groups.delete(group) is True
        assert groups.delete(group) is False
        assert groups.find("gone@masociete.example") is None
    [row] = office.journal("group-delete")
    held = json.loads(row.before)
    assert (held["members"], held["hidden"], held["address"]) == (
        [f"uid=zoe,{PEOPLE}"], True, "gone@masociete.example",
    )  # fmt: skip
    assert row.detail == f"cn=gone,{GROUPS}"


def test_what_somebody_else_set_since_it_was_seen_is_shown_and_nothing_is_written(office: Office) -> None:
    address = "seen@masociete.example"
    with office.service() as groups:
        made, _ = groups.prepare_new(address, [Single("name", "Before"), Single("mail_tip.fr", "Un\nmot")])
        groups.apply(made)
        group = groups.stored(address)
        assert groups.at(group.entry.dn, group.entry.uuid) == group
        theirs, _ = groups.prepare(group, [Single("name", "Theirs"), Single("hold_hours", "24")])
        groups.apply(theirs)
        wishes: list[Wish] = [
            Single("name", "Mine", "Before"),
            Single("hold_hours", "24", ""),
            Single("mail_tip.fr", "Deux", "Un\r\nmot "),
            Several("members", (ZOE,)),
        ]
        prepared, problems = groups.prepare(groups.stored(address), wishes)
        assert (prepared.meanwhile, problems) == ((Meanwhile("name", "Before", "Theirs"),), ())
        assert groups.apply(prepared).meanwhile == prepared.meanwhile[0]
        assert groups.value(groups.stored(address), "mail_tip", "fr") == "Un\nmot"
        agreed, _ = groups.prepare(groups.stored(address), [Single("name", "Mine", "Theirs"), *wishes[1:]])
        assert groups.apply(agreed).meanwhile is None
        now = groups.stored(address)
        assert [groups.value(now, "name"), groups.value(now, "mail_tip", "fr")] == ["Mine", "Deux"]
        assert groups.delete(now) is True
        with pytest.raises(NoSuchGroup):
            groups.at(now.entry.dn, now.entry.uuid)


def test_what_cannot_be_had_is_told_with_who_stands_in_the_way(office: Office) -> None:
    with office.service() as groups:
        _, (problem,) = groups.prepare(groups.stored(CONTACT), [Several("aliases", (JEAN,))])
        assert (problem.field, problem.written, problem.sentence) == (
            "aliases", JEAN, "{who} has this address",
        )  # fmt: skip
        [jean] = problem.values.values()
        assert isinstance(jean, Known)
        assert str(problem) == f"aliases: '{JEAN}': {jean} has this address"
