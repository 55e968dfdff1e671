"""``group export`` and ``group import`` against a real slapd: there and back, from Exchange, and from Mailman 3."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from tests.membership.offices import CONTACT, GROUPS, JEAN, PEOPLE, ZOE, Office

from groupmilter.cli.exits import Exit
from groupmilter.membership.draft import Draft
from groupmilter.membership.importing import applied, compared
from groupmilter.membership.table import rows

EXCHANGE = [
    {
        "Name": "Comptabilité",
        "DisplayName": "Comptabilité Paris",
        "PrimarySmtpAddress": "compta@masociete.example",
        "EmailAddresses": "SMTP:compta@masociete.example;smtp:facturation@masociete.example;X500:/o=x",
        "ManagedBy": "masociete.example/Staff/Jean Dupont",
        "Members": f"{JEAN};tresor@masociete.example;x@ailleurs.example",
        "AcceptMessagesOnlyFromSendersOrMembers": "direction@masociete.example",
        "ModerationEnabled": "True",
        "ModeratedBy": ZOE,
        "CustomAttribute1": "site-a",
    },
    {
        "Name": "Trésorerie",
        "PrimarySmtpAddress": "tresor@masociete.example",
        "ManagedBy": "masociete.example/Staff/Nobody Here",
        "Members": "compta@masociete.example",
        "RequireSenderAuthenticationEnabled": "False",
    },
]


def written(path: Path, content: list[dict[str, str]]) -> str:
    columns = list(dict.fromkeys(name for row in content for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=";", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(content)
    path.write_text(text.getvalue(), encoding="utf-16", newline="")
    return str(path)


def snapshot(office: Office) -> str:
    return office.slapd.search(GROUPS, "(objectClass=distributionGroup)", "*")


def test_what_is_exported_comes_back_as_it_was(office: Office, tmp_path: Path) -> None:
    office.asked("directory", "sync")
    text = office.call("group", "export").stdout
    assert len(rows(text)) == 13
    before = snapshot(office)
    file = tmp_path / "groups.csv"
    file.write_text(text, newline="")
    found = office.asked("group", "import", "--exact", str(file))
    assert [each["differences"] for each in found["groups"]] == [[]] * 13
    assert found["unmapped"] == []
    assert snapshot(office) == before
    assert office.journal() == ()
    assert office.asked("group", "export", "sup*")["groups"][0]["denied"] == "@.spam.example"


def test_a_table_adds_and_takes_away_only_where_it_is_told_to(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(f"address,members,name,colour\n{CONTACT},{ZOE},,blue\n")
    found = office.asked("group", "import", str(file), "--dry-run", code=Exit.FINDING)
    assert [(d["field"], d["before"], d["after"]) for d in found["groups"][0]["differences"]] == [
        ("members", [], [f"uid=zoe,{PEOPLE}"])
    ]
    assert [each["what"] for each in found["unmapped"]] == ["column colour"]
    assert f"uid=zoe,{PEOPLE}" not in office.values("contact", "member")
    office.asked("group", "import", str(file), code=Exit.FINDING)
    assert len(office.values("contact", "member")) == 3
    office.asked("group", "import", "--exact", str(file), code=Exit.FINDING)
    assert office.values("contact", "member") == [f"uid=zoe,{PEOPLE}"]
    assert office.values("contact", "displayName") == []


def test_groups_of_exchange_that_name_each_other(office: Office, tmp_path: Path) -> None:
    file = written(tmp_path / "exchange.csv", EXCHANGE)
    before = snapshot(office)
    shown = office.asked("group", "import", "-F", "exchange", file, "--dry-run", code=Exit.FINDING)
    assert snapshot(office) == before
    made = office.asked("group", "import", "-F", "exchange", file, code=Exit.FINDING)
    assert made["unmapped"] == shown["unmapped"]
    assert [each["what"] for each in made["unmapped"]] == [
        "column CustomAttribute1", "EmailAddresses X500:/o=x", "owners masociete.example/Staff/Nobody Here",
    ]  # fmt: skip
    assert office.values("Comptabilité", "member") == [f"uid=jean,{PEOPLE}", f"cn=Trésorerie,{GROUPS}"]
    office.asked("directory", "sync")
    there = office.asked("group", "show", "facturation@masociete.example")
    assert there["allowed"] == ["direction@masociete.example"]
    assert there["member_groups"] == ["tresor@masociete.example"]
    assert (there["owners"], there["moderators"], there["moderated"]) == ([JEAN], [ZOE], True)
    assert office.asked("group", "show", "tresor@masociete.example")["require_authentication"] is False
    again = office.asked("group", "import", "-F", "exchange", file, code=Exit.FINDING)
    assert [each["differences"] for each in again["groups"]] == [[], []]
    assert len(office.journal("group-create")) == 2


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        (
            "AcceptMessagesOnlyFrom",
            "System.Collections.ArrayList",
            "AcceptMessagesOnlyFrom is not in the file",
        ),
        ("RejectMessagesFrom", "System.String[]", "RejectMessagesFrom is not in the file"),
        ("AcceptMessagesOnlyFrom", "nobody@masociete.example", "none of its allowed senders"),
        ("RejectMessagesFrom", "Nobody Here", "a denied sender can't be told"),
        ("ModerationEnabled", "Perhaps", "who may write to it can't be told"),
        ("PrimarySmtpAddress", "jean@masociete.example", "it can't have its address"),
    ],
)
def test_a_group_that_would_come_out_more_open_is_left_alone(
    office: Office, tmp_path: Path, column: str, cell: str, why: str
) -> None:
    content = {"PrimarySmtpAddress": "open@masociete.example", "Name": "open", column: cell}
    file = written(tmp_path / "exchange.csv", [content])
    found = office.asked("group", "import", "-F", "exchange", file, code=Exit.FINDING)
    assert found["groups"] == []
    assert why in found["unmapped"][-1]["why"]
    assert office.values("open", "mail") == []


def test_a_group_that_is_in_a_file_twice_is_read_once(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(f"address,members\n{CONTACT},{ZOE}\n{CONTACT.upper()},{JEAN}\n")
    found = office.asked("group", "import", "--dry-run", str(file), code=Exit.FINDING)
    assert [each["why"] for each in found["unmapped"]] == ["it is in the file twice"]


def test_a_roster_of_mailman(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "roster"
    file.write_text("Jean Dupont <jean@masociete.example>\nbart@ailleurs.example\n")
    office.asked("group", "import", "-F", "mailman", "-g", "ant@masociete.example", str(file))
    assert office.values("ant", "member") == [f"uid=jean,{PEOPLE}"]
    assert office.values("ant", "dgMemberAddress") == ["bart@ailleurs.example"]
    arguments = ("group", "import", "-F", "mailman", "--role", "owner", "-g", "ant@masociete.example", "-")
    office.asked(*arguments, stdin=f"{ZOE}\n")
    assert office.values("ant", "owner") == [f"uid=zoe,{PEOPLE}"]
    # What could not be read may be somebody who is in the list: nobody is taken out then.
    office.asked(*arguments[:-1], "--exact", "-", stdin="broken\n", code=Exit.FINDING)
    assert office.values("ant", "owner") == [f"uid=zoe,{PEOPLE}"]
    assert office.call(*arguments[:4], str(file)).exit_code == Exit.USAGE


def test_what_is_no_such_file_is_refused(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("a,b\n1,2\n")
    assert "PrimarySmtpAddress" in office.call("group", "import", "-F", "exchange", str(file)).stderr
    assert "row 2 has no address" in office.call("group", "import", str(file)).stderr
    file.write_text("PrimarySmtpAddress;DisplayName\nfish@masociete.example;Fish\n")
    assert "it is an export of Exchange" in office.call("group", "import", str(file)).stderr
    assert office.call("group", "import", str(tmp_path / "none")).exit_code == Exit.CONFIGURATION


def test_a_directory_that_goes_away_in_the_middle_is_told_and_the_rest_left(office: Office) -> None:
    drafts = [Draft(f"late{number}@masociete.example", lists={"owners": (JEAN,)}) for number in range(3)]
    with office.service() as groups:
        found = list(compared(groups, drafts, exact=False))
        office.slapd.stop()
        try:
            results = [str(made.refused) for made in applied(groups, found)]
        finally:
            office.slapd.start()
    assert "refused" in results[0]
    assert results[1:] == ["not tried: the directory had failed before"] * 2
    assert office.values("late0", "mail") == []
