"""Taking changes back while others work: what somebody changes in that instant stays his, and the journal is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from tests.membership.offices import CONTACT, GROUPS, PEOPLE, WHO, ZOE, Office

from groupmilter import bootstrap
from groupmilter.config.reload import load
from groupmilter.directory.change import Change
from groupmilter.directory.entry import Entry
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.membership.authority import Unlimited
from groupmilter.membership.service import Groups
from groupmilter.membership.taking_back import Standing, TakingBack
from groupmilter.membership.undoing import Still
from groupmilter.membership.vocabulary import Several, Single, Wish
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.undone import deed, taken_back


@dataclass(frozen=True, slots=True)
class Interrupted(Unlimited):
    """Everything may be done; but something else happens each time before the directory is asked."""

    meanwhile: Callable[[], None]

    def require(self, group: Entry, changes: Sequence[Change]) -> None:  # noqa: ARG002 - the protocol's
        self.meanwhile()


def changed(office: Office, *wanted: Wish) -> AuditRow:
    with office.service() as groups:
        prepared, problems = groups.prepare(groups.stored(CONTACT), wanted)
        assert problems == ()
        groups.apply(prepared)
    return office.journal("group-edit")[-1]


def hours(office: Office, value: int) -> None:
    office.slapd.modify(f"dn: cn=contact,{GROUPS}\nreplace: dgHoldHours\ndgHoldHours: {value}\n")


def interrupted(groups: Groups, *steps: Callable[[], None]) -> TakingBack:
    """What takes changes back; at each question for the right the next step happens first."""
    left = list(steps)
    return TakingBack(replace(groups, authority=Interrupted(lambda: left.pop(0)() if left else None)))


def nothing() -> None:
    """The moment passes."""


def test_what_somebody_changes_in_that_instant_stays_and_is_not_said_to_be_undone(office: Office) -> None:
    row = changed(office, Single("hold_hours", "5"))
    with office.service() as groups:
        [undo] = interrupted(groups, nothing, lambda: hours(office, 9)).done((deed(row),))
    assert office.values("contact", "dgHoldHours") == ["9"]
    assert undo.standing is Standing.NOTHING
    [piece] = undo.pieces
    assert (piece.still, piece.now) == (Still.OTHERWISE, 9)
    changed(office, Single("hold_hours", ""))


def test_the_rest_goes_back_all_the_same(office: Office) -> None:
    row = changed(office, Single("hold_hours", "5"), Several("members", (ZOE,)))
    with office.service() as groups:
        [undo] = interrupted(groups, nothing, lambda: hours(office, 9)).done((deed(row),))
    assert undo.standing is Standing.READY
    assert office.values("contact", "dgHoldHours") == ["9"]
    assert f"uid=zoe,{PEOPLE}" not in office.values("contact", "member")
    assert {piece.field: piece.still for piece in undo.pieces if not piece.listed} == {
        "hold_hours": Still.OTHERWISE
    }
    changed(office, Single("hold_hours", ""))


def test_the_journal_tells_of_what_was_undone_before_the_directory_went_away(office: Office) -> None:
    first = changed(office, Several("members", (ZOE,)))
    second = changed(office, Single("hidden", "yes"))
    with (
        closing(bootstrap.ledger(load(office.config))) as ledger,
        office.service() as groups,
    ):
        taking = interrupted(groups, nothing, nothing, office.slapd.stop)
        try:
            with pytest.raises(DirectoryUnknown):
                taken_back(taking, (deed(first), deed(second)), ledger, WHO, 1_800_000_000)
        finally:
            office.slapd.start()
    assert office.journal("group-undo")[-1].detail == f"#{second.id}"
    assert f"uid=zoe,{PEOPLE}" in office.values("contact", "member")
    changed(office, Several("members", (), (ZOE,)))
