"""``audit undo`` against a real slapd: by number, by filter, in what order, and what it never overwrites."""

from __future__ import annotations

import json
import sqlite3

import pytest
from tests.membership.offices import CONTACT, JEAN, PEOPLE, ZOE, Office

from groupmilter.cli.audit_shape import undone_shape
from groupmilter.cli.completing import change_numbers
from groupmilter.cli.exits import Exit
from groupmilter.directory.change import WriteRefused
from groupmilter.membership.refusals import THERE
from groupmilter.membership.taking_back import Deed, Standing, Undo

EQUIPE = "equipe@masociete.example"


@pytest.fixture(autouse=True)
def _plain(office: Office) -> None:
    """Leave nothing to a test of what the one before did."""
    for group in (CONTACT, EQUIPE):
        office.asked("group", "edit", group, "-s", "hold_hours=")
    (office.folder / "state.db").unlink()
    office.configure()


def _newest(office: Office, action: str = "group-edit") -> str:
    return str(office.journal(action)[-1].id)


def test_a_change_is_shown_then_undone_then_nothing_is_left(office: Office) -> None:
    before = set(office.values("contact", "member"))
    office.asked(
        "group", "edit", CONTACT, "-a", f"members={ZOE}", "-r", f"members={JEAN}", "-s", "hidden=yes"
    )
    number = _newest(office)
    shown = office.call("audit")
    assert f"#{number}" in shown.stdout, "the number to be given stands in the list"
    tried = office.call("audit", "undo", number, "--dry-run")
    assert tried.exit_code == Exit.OK
    for said in (
        f"+ uid=jean,{PEOPLE}",
        f"- uid=zoe,{PEOPLE}",
        "hidden: yes → no",
        "Would be undone: 1 of 1.",
    ):
        assert said in tried.stdout, said
    assert office.journal("group-undo") == ()
    assert f"uid=zoe,{PEOPLE}" in office.values("contact", "member")
    [done] = office.asked("audit", "undo", f"#{number}")["changes"]
    assert (done["row"], done["standing"], done["group"]) == (int(number), "ready", CONTACT)
    assert {each["field"] for each in done["pieces"]} == {"members", "hidden"}
    assert set(office.values("contact", "member")) == before
    [row] = office.journal("group-undo")
    assert (row.group, row.detail, row.way) == (CONTACT, f"#{number}", "command")
    again = office.call("audit", "undo", number)
    assert again.exit_code == Exit.OK
    assert "nothing left to undo" in again.stdout
    assert "Undone: 0 of 1." in again.stdout


def test_what_the_directory_refuses_is_told_to_programs_in_words() -> None:
    undo = Undo(Deed(7, "group-edit", EQUIPE, "", ""), Standing.REFUSED, why=WriteRefused(THERE, dn="cn=x"))
    told = json.loads(json.dumps(undone_shape(undo)))
    assert (told["standing"], told["why"]) == ("refused", str(undo.why))
    assert "cn=x" in told["why"]
    assert undone_shape(Undo(undo.deed, Standing.READY))["why"] == ""


def test_an_undo_can_be_undone(office: Office) -> None:
    office.asked("group", "add", EQUIPE, "--list", "moderators", JEAN)
    office.asked("audit", "undo", _newest(office))
    assert office.values("equipe", "dgModerator") == []
    office.asked("audit", "undo", _newest(office))
    assert office.values("equipe", "dgModerator") == [f"uid=jean,{PEOPLE}"]


def test_what_somebody_did_later_stays_and_the_exit_code_says_so(office: Office) -> None:
    office.asked("group", "edit", EQUIPE, "-s", "hold_hours=5", "-a", f"denied={ZOE}")
    number = _newest(office)
    office.asked("group", "edit", EQUIPE, "-s", "hold_hours=7")
    told = office.call("audit", "undo", number)
    assert told.exit_code == Exit.CHANGED
    assert "hold hours: changed since, stays: 7" in told.stdout
    assert office.values("equipe", "dgHoldHours") == ["7"]
    assert office.values("equipe", "dgDeniedSender") == []
    again = office.call("audit", "undo", number)
    assert again.exit_code == Exit.CHANGED
    assert "as it was before" not in again.stdout


def test_a_mass_change_goes_back_by_filter_the_newest_first(office: Office) -> None:
    crowd = "\n".join(f"m{number}@crowd.example" for number in range(1_200))
    office.asked("group", "add", EQUIPE, "--file", "-", stdin=crowd)
    office.asked("group", "edit", EQUIPE, "-s", "hold_hours=5")
    office.asked("group", "edit", EQUIPE, "-s", "hold_hours=9")
    office.asked("group", "edit", CONTACT, "-s", "hold_hours=3")
    unasked = office.call("audit", "undo", "--group", EQUIPE)
    assert unasked.exit_code == Exit.USAGE
    assert "these are 5 changes; --yes undoes without asking" in unasked.stderr.replace("\n", " ")
    assert len(office.values("equipe", "dgMemberAddress")) == 1_200
    done = office.asked("audit", "undo", "--group", EQUIPE, "--since", "1h", "--yes")["changes"]
    rows = [each["row"] for each in done]
    assert rows == sorted(rows, reverse=True)
    assert {each["standing"] for each in done} == {"ready"}
    assert office.values("equipe", "dgMemberAddress") == office.values("equipe", "dgHoldHours") == []
    assert office.values("contact", "dgHoldHours") == ["3"]
    [row] = office.journal("group-undo")
    assert row.detail == ", ".join(f"#{number}" for number in rows)


def test_a_group_is_its_entry_and_not_whoever_had_its_address_before(office: Office) -> None:
    """The changes of a group that is gone are chosen by its address only until another one has that."""
    reims = ("--group", "reims@masociete.example", "--dry-run", "--yes")
    made = ("group", "create", "reims@masociete.example", "--owner", JEAN)
    office.asked(*made)
    office.asked("group", "edit", "reims@masociete.example", "-s", "hold_hours=5")
    office.asked("audit", "undo", _newest(office, "group-create"))
    chosen = office.asked("audit", "undo", *reims, "--action", "group-delete")["changes"]
    assert [each["standing"] for each in chosen] == ["ready"], "nobody has the address: it can come back"
    office.asked(*made, "--member", ZOE)
    office.asked("group", "edit", "reims@masociete.example", "-s", "hold_hours=9")
    newest = {row.id for action in ("group-create", "group-edit") for row in office.journal(action)[-1:]}
    assert {each["row"] for each in office.asked("audit", "undo", *reims)["changes"]} == newest
    # What an earlier version wrote says nothing but the address.
    with sqlite3.connect(office.folder / "state.db") as ledger:
        ledger.execute(
            'INSERT INTO audit (at, action, actor, way, origin, item, "group", "before", "after", detail, '
            "group_uuid) VALUES (1, 'group-edit', 'x', 'command', '', '', 'reims@masociete.example', "
            "'{\"hold_hours\": 5}', '{\"hold_hours\": 7}', '', '')"
        )
        old = ledger.execute("SELECT max(id) FROM audit").fetchone()[0]
    assert {each["row"] for each in office.asked("audit", "undo", *reims, code=11)["changes"]} == newest | {
        old
    }
    office.asked("audit", "undo", _newest(office, "group-create"))


def test_filters_choose_by_whom_and_when_and_find_nothing(office: Office) -> None:
    office.asked("group", "edit", CONTACT, "-s", "hold_hours=3")
    for filtering in (
        ("--by", "nobody-of-the-kind"),
        ("--until", "2020-01-01"),
        ("--action", "group-create"),
    ):
        told = office.call("audit", "undo", *filtering, "--yes")
        assert told.exit_code == Exit.FINDING, filtering
        assert "There is no such change." in told.stdout
    assert office.values("contact", "dgHoldHours") == ["3"]


def test_a_group_that_was_made_goes_and_one_that_was_removed_comes_again(office: Office) -> None:
    office.asked("group", "create", "lyon@masociete.example", "--owner", JEAN, "--member", ZOE)
    made = _newest(office, "group-create")
    tried = office.call("audit", "undo", made, "--dry-run")
    assert "would be removed, with everything" in tried.stdout
    assert office.values("lyon", "mail") == ["lyon@masociete.example"]
    office.asked("audit", "undo", made)
    assert office.values("lyon", "mail") == []
    again = office.call("audit", "undo", _newest(office, "group-delete"))
    assert again.exit_code == Exit.OK
    assert "The group is made again." in again.stdout
    assert office.values("lyon", "owner") == [f"uid=jean,{PEOPLE}"]
    gone = office.call("audit", "undo", made)
    assert gone.exit_code == Exit.FINDING
    assert "no longer there" in gone.stdout, "the one that was made then is another entry"
    assert office.values("lyon", "mail") == ["lyon@masociete.example"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), Exit.USAGE, "either numbers name the changes"),
        (("1", "--group", CONTACT), Exit.USAGE, "either numbers name the changes"),
        (("first",), Exit.USAGE, "wants the number of a change"),
        (("999999", "--dry-run"), Exit.FINDING, "#999999: no change of a group"),
        (("--since", "yesterday"), Exit.USAGE, "wants a date"),
        (("--action", "approve"), Exit.USAGE, "group-create, group-delete, group-edit"),
    ],
)
def test_a_command_line_that_names_no_change(
    office: Office, arguments: tuple[str, ...], code: Exit, says: str
) -> None:
    told = office.call("audit", "undo", *arguments)
    assert told.exit_code == code
    assert says in " ".join(told.stderr.replace("│", " ").split())


def test_a_number_that_is_unknown_keeps_the_others_from_being_undone(office: Office) -> None:
    office.asked("group", "edit", CONTACT, "-s", "hold_hours=3")
    assert office.call("audit", "undo", _newest(office), "999999").exit_code == Exit.FINDING
    assert office.values("contact", "dgHoldHours") == ["3"]


def test_options_of_the_list_do_not_choose_what_is_undone(office: Office) -> None:
    told = office.call("audit", "--group", CONTACT, "undo", "1")
    assert told.exit_code == Exit.USAGE
    assert "options go behind undo" in " ".join(told.stderr.split())


def test_a_directory_that_is_down_changes_nothing(office: Office) -> None:
    office.asked("group", "edit", CONTACT, "-s", "hold_hours=3")
    number = _newest(office)
    office.slapd.freeze()
    try:
        office.config.write_text(office.config.read_text().replace("timeout: 120s", "timeout: 1s"))
        assert office.call("audit", "undo", number).exit_code == Exit.DIRECTORY
    finally:
        office.slapd.thaw()
    assert office.values("contact", "dgHoldHours") == ["3"]
    assert office.journal("group-undo") == ()


def test_the_shell_offers_numbers_of_changes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from groupmilter.cli.app import app

    office.asked("group", "edit", CONTACT, "-s", "hold_hours=3")
    number = _newest(office)
    monkeypatch.setenv("GROUPMILTER_CONFIG", str(office.config))
    ctx = typer.Context(typer.main.get_command(app))
    assert change_numbers(ctx, number) == [number]
    assert number in change_numbers(ctx, "")
    assert change_numbers(ctx, "x") == []
