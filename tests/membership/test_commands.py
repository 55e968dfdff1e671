"""``group create|edit|add|remove`` against a real slapd, as the account that may write groups and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.directory.writing import PLACEHOLDER, READER
from tests.membership.offices import CONTACT, GROUPS, JEAN, PEOPLE, ZOE, Office
from tests.support.ports import free_port

from groupmilter.cli.exits import Exit


def test_a_group_is_shown_then_made_then_there(office: Office) -> None:
    arguments = (
        "group", "create", "paris@masociete.example", "--name", "Équipe Paris", "--owner", JEAN, "--member", ZOE,
        "--member", "x@ailleurs.example", "--alias", "lutece@masociete.example", "--set", "moderated=yes",
        "--set", "max_size=10MB", "--set", "mail_tip.fr=Bonjour",
    )  # fmt: skip
    shown = office.asked(*arguments, "--dry-run")
    assert shown["dry_run"]
    assert office.values("paris", "mail") == []
    assert office.journal() == ()
    made = office.asked(*arguments)
    assert sorted(each["field"] for each in made["differences"]) == sorted(
        each["field"] for each in shown["differences"]
    )
    assert office.values("paris", "objectClass") == ["groupOfNames", "distributionGroup"]
    assert office.values("paris", "member") == [f"uid=zoe,{PEOPLE}"]
    assert office.values("paris", "dgMemberAddress") == ["x@ailleurs.example"]
    assert office.values("paris", "dgMaxMessageSize") == ["10000000"]
    [row] = office.journal("group-create")
    assert (row.group, row.detail) == ("paris@masociete.example", f"cn=paris,{GROUPS}")
    assert json.loads(row.after)["owners"] == [f"uid=jean,{PEOPLE}"]
    assert json.loads(row.before)["moderated"] is False
    office.asked("directory", "sync")
    there = office.asked("group", "show", "lutece@masociete.example")
    assert (there["moderated"], there["require_authentication"]) == (True, True)
    assert there["owners"] == [JEAN]
    again = office.call(*arguments)
    assert again.exit_code == Exit.IN_THE_WAY
    assert "group edit changes it" in again.stderr


def test_an_empty_group_holds_the_placeholder_until_somebody_comes(office: Office) -> None:
    said = office.call("group", "create", "vide@masociete.example")
    assert "nobody owns it" in said.stdout
    assert office.values("vide", "member") == [PLACEHOLDER]
    office.asked("group", "add", "vide@masociete.example", "jean@masociete.example")
    assert office.values("vide", "member") == [f"uid=jean,{PEOPLE}"]
    office.asked("group", "remove", "vide@masociete.example", JEAN)
    assert office.values("vide", "member") == [PLACEHOLDER]


@pytest.mark.parametrize("name", ["a,b+c", " #x ", 'say "hi"', "<a;b>", "back\\slash", "été"])
def test_a_name_may_hold_what_separates_names(office: Office, name: str) -> None:
    address = f"n{abs(hash(name))}@masociete.example"
    made = office.asked("group", "create", address, "--cn", name)
    assert office.slapd.search(made["dn"], "(objectClass=*)", "mail", scope="base").count(address) == 1
    office.slapd.delete(made["dn"])


def test_everything_wrong_is_told_at_once_and_nothing_is_written(office: Office) -> None:
    arguments = (
        "group", "create", "jean@masociete.example", "--member", "nobody@masociete.example", "--owner",
        "x@ailleurs.example", "--alias", "info@masociete.example", "--set", "moderated=maybe", "--set", "colour=red",
    )  # fmt: skip
    errors = office.asked(*arguments, code=Exit.FINDING)["errors"]
    assert [each["field"] for each in errors] == [
        "address",
        "aliases",
        "owners",
        "members",
        "moderated",
        "colour",
    ]
    assert "Jean Dupont (uid=jean," in errors[0]["text"]
    assert f"the group Contact (cn=contact,{GROUPS}) has this address" in errors[1]["text"]
    assert office.values("jean", "mail") == []


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("x@groups.masociete.example", "tickets only"),
        ("no address", "no mail address"),
        ("a%b@masociete.example", "no mail address"),
    ],
)
def test_addresses_that_no_group_may_have(office: Office, address: str, says: str) -> None:
    assert says in office.call("group", "create", address).stderr


def test_an_address_in_a_foreign_domain_is_remarked(office: Office) -> None:
    assert "none of own_domains" in office.call("group", "create", "x@foreign.example", "--dry-run").stdout


def test_people_come_and_go_by_any_of_their_addresses(office: Office) -> None:
    office.asked("group", "add", CONTACT, ZOE, "x@ailleurs.example", f"cn=ventes,{GROUPS}")
    assert f"uid=zoe,{PEOPLE}" in office.values("contact", "member")
    assert f"cn=ventes,{GROUPS}" in office.values("contact", "member")
    again = office.call("group", "add", CONTACT, ZOE.upper(), "x@ailleurs.example", f"cn=ventes,{GROUPS}")
    assert "nothing to change" in again.stdout
    office.slapd.modify(
        f"dn: cn=contact,{GROUPS}\nchangetype: modify\nadd: dgMemberAddress\ndgMemberAddress: jean@masociete.example\n"
    )
    # He is in it twice, by entry and by an address: both go.
    gone = office.asked("group", "remove", CONTACT, JEAN, "nobody@ailleurs.example")
    assert {each["field"] for each in gone["differences"]} == {"members", "member_addresses"}
    assert gone["remarks"] == ["nobody@ailleurs.example is not among the members"]
    assert office.values("contact", "dgMemberAddress") == ["x@ailleurs.example"]


def test_other_lists_and_several_fields_in_one_step(office: Office) -> None:
    office.asked("group", "add", "--list", "moderators", "equipe@masociete.example", JEAN)
    assert office.values("equipe", "dgModerator") == [f"uid=jean,{PEOPLE}"]
    changed = office.asked(
        "group", "edit", "equipe@masociete.example", "-s", "moderated=yes", "-s", "mail_tip.fr=Doucement", "-a",
        "allowed=@partenaire.example", "-a", f"allowed={JEAN}", "-a", "external_senders=@.autre.example", "-r",
        f"moderators={JEAN}",
    )  # fmt: skip
    assert len(changed["differences"]) == 6
    assert office.values("equipe", "dgModerator") == []
    assert office.values("equipe", "dgAllowedSenderAddress") == ["@partenaire.example"]
    assert office.values("equipe", "dgAllowedSender") == [f"uid=jean,{PEOPLE}"]
    [*_, row] = office.journal("group-edit")
    assert "moderated: no \N{RIGHTWARDS ARROW} yes" in row.detail
    assert "moderators -1" in row.detail
    back = office.asked("group", "edit", "equipe@masociete.example", "-s", "moderated=", "-s", "mail_tip.fr=")
    assert [each["after"] for each in back["differences"]] == [None, None]
    assert office.values("equipe", "dgModerated") == []


def test_somebody_else_was_faster(office: Office) -> None:
    with office.service() as groups:
        group = groups.stored("equipe@masociete.example")
        from groupmilter.membership.vocabulary import Single

        prepared, problems = groups.prepare(group, [Single("hold_hours", "24")])
        assert problems == ()
        office.slapd.replace(f"cn=equipe,{GROUPS}", {"dgHoldHours": "48"})
        result = groups.apply(prepared)
    assert result.meanwhile is not None
    assert (result.meanwhile.seen, result.meanwhile.found) == (None, 48)
    assert office.values("equipe", "dgHoldHours") == ["48"]
    assert office.journal() == ()


def test_ten_thousand_members_from_a_file_and_again(office: Office, tmp_path: Path) -> None:
    office.asked("group", "create", "foule@masociete.example", "--owner", JEAN)
    file = tmp_path / "members"
    file.write_text("# everybody\n" + "".join(f"m{number}@crowd.example\n" for number in range(10_000)))
    office.asked("group", "add", "foule@masociete.example", "--file", str(file))
    assert len(office.values("foule", "dgMemberAddress")) == 10_000
    rows = office.journal("group-edit")
    assert [len(json.loads(row.after)["member_addresses"]) for row in rows] == [500] * 20
    again = office.asked("group", "add", "foule@masociete.example", "--file", "-", stdin=file.read_text())
    assert again["differences"] == []
    gone = office.asked("group", "remove", "foule@masociete.example", "--file", str(file))
    assert [len(each["before"]) for each in gone["differences"]] == [10_000]


@pytest.mark.parametrize(
    "arguments",
    [
        ("group", "edit", CONTACT),
        ("group", "edit", CONTACT, "-s", "moderated"),
        ("group", "add", CONTACT),
    ],
)
def test_a_command_line_that_says_nothing(office: Office, arguments: tuple[str, ...]) -> None:
    assert office.call(*arguments).exit_code == Exit.USAGE


def test_no_such_group(office: Office) -> None:
    for address in ("nobody@masociete.example", JEAN):
        result = office.call("group", "edit", address, "-s", "moderated=yes")
        assert result.exit_code == Exit.FINDING
        assert "no group has the address" in result.stderr


def test_an_account_without_the_right_is_told_for_which_attribute(office: Office) -> None:
    office.configure(READER)
    result = office.call("group", "edit", CONTACT, "-s", "hidden_members=yes")
    assert result.exit_code == Exit.DIRECTORY
    assert "insufficient access rights to change dghiddenmembers" in result.stderr.replace("\n", " ")
    assert office.journal() == ()


def test_a_directory_that_is_down_or_a_file(office: Office) -> None:
    office.configure(url=f"ldap://127.0.0.1:{free_port()}")
    assert office.call("group", "add", CONTACT, JEAN).exit_code == Exit.DIRECTORY
    office.config.write_text(
        f"directory: {{url: 'ldif:x.ldif', base: '{GROUPS}'}}\nservice: {{domain: groups.masociete.example}}\n"
    )
    result = office.call("group", "add", "--dry-run", CONTACT, JEAN)
    assert result.exit_code == Exit.DIRECTORY
    assert "read-only" in result.stderr


def test_without_a_ledger_nothing_is_changed(office: Office) -> None:
    (office.folder / "state.db").unlink()
    before = office.values("contact", "dgDeniedSenderAddress")
    result = office.call("group", "edit", CONTACT, "-a", "denied=x@ailleurs.example")
    assert result.exit_code == Exit.STATE
    assert office.values("contact", "dgDeniedSenderAddress") == before


def test_check_tries_the_account_that_writes(office: Office) -> None:
    def said() -> dict[str, str]:
        found = json.loads(office.call("--json", "check", "--no-postfix").stdout)["checks"]
        [check] = [check for check in found if check["subject"] == "write"]
        return {"level": check["level"], "text": check["text"]}

    assert said()["level"] == "ok"
    text = office.config.read_text()
    office.config.write_text(text.replace(f"groups: '{GROUPS}'", "groups: 'ou=none,dc=masociete,dc=example'"))
    assert said()["text"].startswith("ou=none,dc=masociete,dc=example isn't there")
    (office.folder / "writer").write_text("wrong")
    assert "groups can't be changed" in said()["text"]


def test_a_group_refuses_everything_by_one_command_and_takes_mail_again_by_another(office: Office) -> None:
    assert "would change" in office.call("group", "suspend", CONTACT, "--dry-run").stdout
    assert office.values("contact", "dgEnabled") == []
    [stopped] = office.asked("group", "suspend", CONTACT)["differences"]
    assert stopped == {"field": "enabled", "before": True, "after": False}
    assert office.values("contact", "dgEnabled") == ["FALSE"]
    assert "nothing to change" in office.call("group", "suspend", CONTACT).stdout
    [again] = office.asked("group", "resume", CONTACT)["differences"]
    assert again == {"field": "enabled", "before": False, "after": True}
    assert office.values("contact", "dgEnabled") == ["TRUE"]
    assert [row.detail for row in office.journal("group-edit")] == ["enabled: yes → no", "enabled: no → yes"]
