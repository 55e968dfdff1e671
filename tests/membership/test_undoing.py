"""A change taken back from its row of the journal: value by value, and nothing that somebody did later."""

from __future__ import annotations

import pytest
from tests.membership.offices import CONTACT, GROUPS, JEAN, PEOPLE, ZOE, Office

from groupmilter.directory.change import Difference
from groupmilter.membership.journal import journal_texts
from groupmilter.membership.service import Groups
from groupmilter.membership.undoing import NotUndone, Piece, Still, fields_of, pieces, wishes
from groupmilter.membership.vocabulary import Several, Single, Wish
from groupmilter.moderation.rows import AuditRow


def _changed(office: Office, *wanted: Wish) -> AuditRow:
    with office.service() as groups:
        prepared, problems = groups.prepare(groups.stored(CONTACT), wanted)
        assert problems == ()
        groups.apply(prepared)
    return office.journal("group-edit")[-1]


def _pieces(groups: Groups, row: AuditRow) -> tuple[Piece, ...]:
    group = groups.stored(CONTACT)
    look = lambda name, language: groups.value(group, name, language)  # noqa: E731 - one call
    return pieces(groups.writer.profile, look, row.before, row.after)


def _undo(office: Office, row: AuditRow) -> tuple[Piece, ...]:
    with office.service() as groups:
        found = _pieces(groups, row)
        prepared, problems = groups.prepare(groups.stored(CONTACT), wishes(found))
        assert problems == ()
        groups.apply(prepared)
    return found


def test_lists_and_single_values_go_back(office: Office) -> None:
    before = (set(office.values("contact", "member")), office.values("contact", "dgMailTip;lang-fr"))
    row = _changed(
        office,
        Several("members", (ZOE,), (JEAN,)),
        Single("hidden", "yes"),
        Single("mail_tip.fr", "Bonjour"),
        Several("external_senders", ("@partner.example",)),
    )
    found = {piece.field: piece for piece in _undo(office, row)}
    assert found["members"].comes == (f"uid=jean,{PEOPLE}",)
    assert {piece.still for piece in found.values()} == {Still.SO}
    assert (set(office.values("contact", "member")), office.values("contact", "dgMailTip;lang-fr")) == before
    assert office.values("contact", "dgExternalSender") == []
    again = _undo(office, row)
    assert wishes(again) == ()
    assert {piece.still for piece in again if not piece.listed} == {Still.BACK}


def test_what_somebody_did_later_stays(office: Office) -> None:
    row = _changed(office, Several("members", (ZOE,), (JEAN,)), Single("hold_hours", "5"))
    _changed(office, Several("members", (JEAN,)), Single("hold_hours", "7"))
    with office.service() as groups:
        found = {piece.field: piece for piece in _pieces(groups, row)}
    members, hours = found["members"], found["hold_hours"]
    assert (members.comes, members.goes, members.kept) == (
        (),
        (f"uid=zoe,{PEOPLE}",),
        (f"uid=jean,{PEOPLE}",),
    )
    assert (hours.still, hours.was, hours.now) == (Still.OTHERWISE, None, 7)
    _undo(office, row)
    with office.service() as groups:
        assert groups.value(groups.stored(CONTACT), "hold_hours") == 7
    assert set(office.values("contact", "member")) == {f"uid={one},{PEOPLE}" for one in ("jean", "pierre")}
    _changed(office, Single("hold_hours", ""))


def test_who_is_gone_does_not_come_back_unseen(office: Office) -> None:
    office.slapd.modify(
        f"dn: uid=passing,{PEOPLE}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Passing\nsn: Passing\n"
        "mail: passing@masociete.example\n"
    )
    row = _changed(office, Several("denied", ("passing@masociete.example",)))
    row = _changed(office, Several("denied", (), ("passing@masociete.example",)))
    office.slapd.modify(f"dn: uid=passing,{PEOPLE}\nchangetype: delete\n")
    with office.service() as groups:
        prepared, [problem] = groups.prepare(groups.stored(CONTACT), wishes(_pieces(groups, row)))
    assert prepared.differences == ()
    assert problem.written == f"uid=passing,{PEOPLE}"


def test_a_row_that_holds_nothing_cannot_be_undone(office: Office) -> None:
    with office.service() as groups:
        group = groups.stored(CONTACT)
        for before, after in (("", ""), ("{", "}"), ("[1]", "2"), ('{"nothing": 1}', "{}")):
            with pytest.raises(NotUndone):
                pieces(groups.writer.profile, lambda *_: None, before, after)
        assert group.entry.dn == f"cn=contact,{GROUPS}"


def test_what_one_step_does_to_a_field_twice_is_all_in_the_journal() -> None:
    steps = (
        Difference("members", (), ("a",)), Difference("hidden", False, True), Difference("members", ("b",), ()),
        Difference("hidden", True, None),
    )  # fmt: skip
    assert fields_of(*journal_texts(steps)) == (("members", ("b",), ("a",)), ("hidden", False, None))


def test_fields_are_read_as_they_were_written() -> None:
    read = fields_of('{"members": ["a"], "hidden": null, "hold_hours": 3}', '{"members": [], "hidden": true}')
    assert read == (("members", ("a",), ()), ("hidden", None, True), ("hold_hours", 3, None))
