"""The commands as a user calls them, on an LDIF directory: what they print, and with which exit code they end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from groupmilter import __version__
from groupmilter.cli.app import app
from groupmilter.cli.exits import Exit

CASES = Path(__file__).parents[1] / "cases"
HOUSE = CASES / "house.ldif"
Run = Callable[..., Result]


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"listen: unix:{tmp_path}/milter.sock\n"
        f"control: {tmp_path}/control.sock\n"
        f'directory: {{url: "ldif:{HOUSE}", base: "dc=masociete,dc=example"}}\n'
        f"service: {{domain: groups.masociete.example, key_file: {tmp_path}/ticket.key}}\n"
        f"mirror: {tmp_path}/mirror.db\n"
        f"state: sqlite:///{tmp_path}/state.db\n"
        f"hold_mailbox: maildir:{tmp_path}/hold\n"
        f"map: {{path: {tmp_path}/groups, type: texthash}}\n"
    )
    return file


@pytest.fixture(name="run")
def _run(config: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, code: Exit = Exit.OK) -> Result:
        result = CliRunner().invoke(app, ["--config", str(config), *arguments])
        assert result.exit_code == code, result.output
        return result

    return run


def shape(run: Run, *arguments: str, code: Exit = Exit.OK) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json", code=code).stdout)
    return found


def test_version_and_help_need_no_configuration() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"groupmilter {__version__}\n"
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    for command in ("serve", "check", "explain", "expand", "test", "directory", "group", "postfix", "reload"):
        assert command in shown.stdout


def test_a_command_line_that_cannot_be_read() -> None:
    assert CliRunner().invoke(app, ["explain"]).exit_code == Exit.USAGE
    assert CliRunner().invoke(app, ["frobnicate"]).exit_code == Exit.USAGE


def test_expand_names_the_way_to_each_member(run: Run) -> None:
    found = shape(run, "expand", "everybody@masociete.example")
    ways = {member["address"]: member["path"] for member in found["members"]}
    assert ways["gus@masociete.example"] == ["everybody@masociete.example"]
    assert ways["chloe@masociete.example"] == ["everybody@masociete.example", "board@masociete.example"]
    assert found["count"] == len(ways) == 6
    assert "board@masociete.example" in run("expand", "EVERYBODY@masociete.example").stdout


def test_expand_says_who_gets_no_mail(run: Run) -> None:
    found = shape(run, "expand", "odd@masociete.example")
    assert any("uid=eve" in sentence for sentence in found["left_out"])
    assert {member["address"] for member in found["members"]} >= {"anne@masociete.example"}


def test_expand_ends_on_rings(run: Run) -> None:
    assert shape(run, "expand", "ring-a@masociete.example")["count"] == 2


@pytest.mark.parametrize("address", ["nobody@masociete.example", "anne@masociete.example", "no address"])
def test_expand_of_what_is_no_group(run: Run, address: str) -> None:
    found = shape(run, "expand", address, code=Exit.FINDING)
    assert found["exit"] == Exit.FINDING
    assert address in found["errors"][0]["text"]


def test_group_list(run: Run) -> None:
    found = shape(run, "group", "list")["groups"]
    by_address = {group["address"]: group for group in found}
    assert by_address["staff@masociete.example"]["senders"] == "insiders"
    assert by_address["partners@masociete.example"]["senders"] == "insiders and partners"
    assert by_address["news@masociete.example"]["moderated"] is True
    assert by_address["partners@masociete.example"]["members"] == 3, "an address from outside is a member"
    assert by_address["former@masociete.example"]["senders"] == "nobody (disabled)"
    assert "folder" not in {group["name"] for group in found}


def test_group_list_keeps_addresses_whole_on_a_narrow_screen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    said = re.sub(r"\x1b\[[0-9;]*m", "", run("group", "list").stdout)
    assert all(len(line) <= 80 for line in said.splitlines())
    assert re.search(r"^ partners@masociete\.example +3 +insiders and partners *$", said, re.MULTILINE), said
    assert re.search(
        r"^ news@masociete\.example .*\n News? .* moderated *$", said, re.MULTILINE | re.IGNORECASE
    ), said


def test_group_list_by_pattern_knows_aliases(run: Run) -> None:
    found = shape(run, "group", "list", "TEAM@*")["groups"]
    assert [group["address"] for group in found] == ["staff@masociete.example"]
    assert "No such group." in run("group", "list", "zzz*").stdout


def test_group_show(run: Run) -> None:
    found = shape(run, "group", "show", "news@masociete.example")
    assert found["moderators"] == ["chloe@masociete.example"]
    assert found["bypass"] == ["interns@masociete.example", "@partner.example", "david@masociete.example"]
    assert found["require_authentication"] is False
    assert "require authentication" in run("group", "show", "news@masociete.example").stdout


def test_explain_tells_the_identity_and_each_rule(run: Run) -> None:
    options = ("--from", "ben@masociete.example", "--login", "ben")
    found = shape(
        run, "explain", *options, "--to", "board@masociete.example", "--to", "gus@masociete.example"
    )
    assert found["identity"]["strength"] == "login"
    refused, passed = found["recipients"]
    assert refused["verdict"] == "refuse"
    assert refused["at"] == "rcpt"
    assert refused["reply"].startswith("550 5.7.2 ")
    rules = {step["rule"]: step for step in refused["trace"]}
    assert rules["authentication"]["answer"] == "miss"
    assert rules["allowed"]["answer"] == "hit"
    assert "dgAllowedSender" in rules["allowed"]["because"]
    assert passed["verdict"] == "pass"


def test_explain_in_words(run: Run) -> None:
    options = ("--from", "ben@masociete.example", "--login", "ben", "--to", "everybody@masociete.example")
    words = run("explain", *options).stdout
    for part in (
        "Ben Carter <ben@masociete.example>, proven by the login ben",
        "EXPAND",
        "Becomes 3 members through 1 nested group",
        "board@masociete.example inside is left out: 550 5.7.2",
        "The copy for news@masociete.example inside waits",
        "dgModerated is TRUE",
    ):
        assert part in words


def test_explain_an_outsider_by_default_with_supposed_proof(run: Run) -> None:
    options = ("explain", "--from", "paul@partner.example", "--to", "partners@masociete.example")
    assert shape(run, *options)["recipients"][0]["verdict"] == "refuse"
    assert shape(run, *options, "--dkim", "partner.example")["identity"]["strength"] == "dmarc"
    assert shape(run, *options, "--dkim", "partner.example")["recipients"][0]["members"] == 3


def test_explain_a_message_from_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "message.eml"
    file.write_bytes(
        b"From: Anne <anne@masociete.example>\nTo: x\nAuto-Submitted: auto-replied\n\nbody\n" + b"x" * 6000
    )
    options = ("explain", "--from", "x@outside.example", "--message", str(file))
    found = shape(run, *options, "--to", "open@masociete.example")["recipients"][0]
    assert found["trace"][-1]["because"] == "Auto-Submitted: auto-replied"
    small = shape(run, *options, "--to", "small@masociete.example")["recipients"][0]
    assert small["reply"].startswith("550 5.2.3")


def test_explain_ends_the_header_where_the_mta_does(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "broken.eml"
    file.write_bytes(b"From: x@outside.example\nno field\nAuto-Submitted: auto-replied\n\nbody\n")
    options = (
        "explain",
        "--from",
        "x@outside.example",
        "--message",
        str(file),
        "--to",
        "open@masociete.example",
    )
    assert shape(run, *options)["recipients"][0]["verdict"] == "expand"


def test_explain_a_message_in_another_character_set(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "latin.eml"
    file.write_bytes(
        "From: Ren\xe9 <x@outside.example>\r\nSubject: \xe9t\xe9\r\n\r\nbody\r\n".encode("latin-1")
    )
    options = (
        "explain",
        "--from",
        "x@outside.example",
        "--message",
        str(file),
        "--to",
        "open@masociete.example",
    )
    assert shape(run, *options)["recipients"][0]["verdict"] == "expand"


def test_explain_local_submission_and_the_null_sender(run: Run) -> None:
    found = shape(run, "explain", "--from", "root@x.example", "--local", "--to", "staff@masociete.example")
    assert (found["client"], found["recipients"][0]["at"]) == ("local", "end")
    null = run("explain", "--from", "<>", "--to", "open@masociete.example").stdout
    assert "<> (the null sender)" in null
    assert "the envelope sender is null" in null


def test_explain_one_answer_for_all(run: Run) -> None:
    options = (
        "explain",
        "--from",
        "ben@masociete.example",
        "--login",
        "ben",
        "--author",
        "sales@masociete.example",
    )
    words = run(*options, "--to", "gus@masociete.example", "--to", "staff@masociete.example").stdout
    assert "The whole message is answered: 550 5.7.1" in words


def test_cases_hold_or_are_shown_side_by_side(run: Run, tmp_path: Path) -> None:
    assert "all hold" in run("test", str(CASES / "conformance" / "basics.yaml")).stdout
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        f"name: a wrong expectation\ndirectory: {HOUSE}\n"
        "message: {client: 192.0.2.1, login: ben, mail_from: ben@masociete.example, to: [staff@masociete.example]}\n"
        "expect: {staff@masociete.example: {deliver: [zoe@masociete.example]}}\n"
    )
    words = run("test", str(wrong), code=Exit.FINDING).stdout
    assert "a wrong expectation" in words
    assert "deliver: zoe@masociete.example" in words
    assert "deliver: anne@masociete.example" in words
    assert "authenticated: login ben" in words
    found = shape(run, "test", str(wrong), code=Exit.FINDING)
    assert (found["cases"], found["failed"]) == (1, 1)
    assert found["results"][0]["differences"][0]["expected"] == ["deliver: zoe@masociete.example"]


def test_cases_with_the_configurations_own_directory(run: Run, tmp_path: Path) -> None:
    case = tmp_path / "case.yaml"
    case.write_text(
        "name: the configured directory\n"
        "message: {client: 192.0.2.1, login: ben, mail_from: ben@masociete.example, to: [staff@masociete.example]}\n"
        "expect: {staff@masociete.example: {deliver: [anne@masociete.example, ben@masociete.example]}}\n"
    )
    assert "holds" in run("test", str(case)).stdout
    run("directory", "sync")
    assert "holds" in run("test", str(case)).stdout
    alone = CliRunner().invoke(app, ["test", str(case)])
    assert alone.exit_code == Exit.CONFIGURATION
    assert "directory: is required" in alone.stderr


def test_the_mirror_before_and_after_a_load(run: Run) -> None:
    assert shape(run, "directory", "status", code=Exit.MIRROR)["exit"] == Exit.MIRROR
    loaded = shape(run, "directory", "sync")
    found = shape(run, "directory", "status")
    assert found["usable"] is True
    assert (found["people"], found["groups"]) == (loaded["people"], loaded["groups"])
    kinds = {finding["kind"] for finding in found["findings"]}
    assert {"cycle", "empty-group", "bad-address", "nested-refuses"} <= kinds
    assert "contains itself" in run("directory", "status").stdout


def test_nobody_is_asked_where_nobody_runs(run: Run) -> None:
    for command in ("status", "reload"):
        assert "is groupmilter running?" in run(command, code=Exit.NOT_RUNNING).stderr
        assert shape(run, command, code=Exit.NOT_RUNNING)["exit"] == Exit.NOT_RUNNING


def test_check(run: Run, tmp_path: Path) -> None:
    before = shape(run, "check", "--no-dns", "--no-postfix", code=Exit.FINDING)
    assert before["ok"] is False
    assert [c["area"] for c in before["checks"] if c["level"] == "error"] == ["mirror"]
    run("directory", "sync")
    after = run("check", "--no-dns", "--no-postfix").stdout
    assert "Nothing serious" in after
    assert "open@masociete.example takes mail from anybody" in after
    quiet = run("check", "--no-dns", "--no-postfix", "--quiet").stdout
    assert "read without error" not in quiet
    tmp_path.chmod(0o777)
    assert "everybody may write" in run("check", "--no-dns", "--no-postfix").stdout


def test_every_error_of_a_configuration_at_once(config: Path) -> None:
    config.write_text("listen: nonsense\ndirectory: {base: x}\nworkerz: 3\n")
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert result.exit_code == Exit.CONFIGURATION
    for part in (f"{config}:1: listen", "directory.url: is required", "did you mean workers?", "service"):
        assert part in result.stderr
    assert "Traceback" not in result.output
    found = json.loads(CliRunner().invoke(app, ["--json", "check", "--config", str(config)]).stdout)
    assert {error["path"] for error in found["errors"]} >= {"listen", "workerz"}


def test_a_directory_file_that_is_none(config: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.ldif").write_text("dn: dc=x\nnonsense\n")
    config.write_text(config.read_text().replace(str(HOUSE), str(tmp_path / "bad.ldif")))
    result = CliRunner().invoke(app, ["expand", "x@y.example", "--config", str(config)])
    assert result.exit_code == Exit.CONFIGURATION
    assert "bad.ldif:2: 'attribute: value' expected" in result.stderr


def test_every_exit_code_has_a_meaning_and_stands_in_the_documentation() -> None:
    documents = [
        (CASES.parents[1] / "docs" / name).read_text("utf-8") for name in ("commands.md", "fr/commandes.md")
    ]
    for code in Exit:
        assert code.meaning
        for text in documents:
            assert f"\n| {int(code)} |" in text


def commands() -> list[tuple[str, ...]]:
    """Every command as its words, from the program itself."""

    def within(group: object, before: tuple[str, ...]) -> list[tuple[str, ...]]:
        inside = getattr(group, "commands", None)
        if inside is None:
            return [before]
        return [words for name, one in inside.items() for words in within(one, (*before, name))]

    return within(get_command(app), ())


@pytest.mark.parametrize("command", [(), *commands()])
def test_a_help_text_fits_80_columns_and_shows_no_types_of_python(command: tuple[str, ...]) -> None:
    shown = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert re.search(r"--help +-h +Show this message and exit", shown.stdout)
    assert not re.search(r"<(bool|str|int|path|list)\b|\[\[", shown.stdout), shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_paragraphs_of_help_break_where_the_terminal_ends() -> None:
    shown = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app, ["backup", "--help"]).stdout
    assert re.search(r"Mail that still lies in the mail server's queue is not in it\.", shown)


def test_every_command_and_option_stands_in_the_manual_page() -> None:
    page = (CASES.parents[1] / "deploy" / "man" / "groupmilter.8").read_text("ascii").replace("Fl -", "--")
    plain = page.replace("\\", "")
    for command in commands():
        assert re.search(rf"^\.It Ic {' '.join(command)}\b", plain, re.MULTILINE), command
        shown = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*command, "--help"]).stdout
        for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown))):
            assert option in plain, option


def test_every_command_stands_in_the_documentation_in_both_languages() -> None:
    for name in ("commands.md", "fr/commandes.md"):
        text = (CASES.parents[1] / "docs" / name).read_text("utf-8")
        first = [line.partition("|")[2].rpartition("|")[0] for line in text.splitlines() if line[:3] == "| `"]
        rows = " ".join(first)
        for command in commands():
            assert re.search(rf"`{' '.join(command)}\b", rows), f"{name}: {command}"
