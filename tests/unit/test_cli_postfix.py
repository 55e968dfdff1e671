"""The lines for Postfix and the advice on them: as values, and with the real postconf over a private configuration."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.postfix import settled
from typer.testing import CliRunner

from groupmilter.cli.advice import Advice, Level
from groupmilter.cli.app import app
from groupmilter.cli.exits import Exit
from groupmilter.cli.postfix_advice import advise
from groupmilter.cli.postfix_installed import Installed, Service
from groupmilter.cli.postfix_wanted import Owner, addresses, main_lines, master_entries, milters, split
from groupmilter.config.load import read_document
from groupmilter.config.model import Site
from groupmilter.config.places import Listen
from groupmilter.config.validation import validate

MAP = "lmdb:/var/lib/groupmilter/map/groups"
SOCKET = "unix:groupmilter/milter.sock"
GOOD = {
    "queue_directory": "/var/spool/postfix",
    "smtpd_milters": f"inet:localhost:8891, {SOCKET}",
    "non_smtpd_milters": SOCKET,
    "milter_default_action": "tempfail",
    "virtual_alias_maps": f"{MAP}, hash:/etc/postfix/virtual",
    "relay_domains": "groups.example.org",
    "enable_original_recipient": "yes",
    "recipient_delimiter": "+",
    "message_size_limit": "10240000",
    "smtpd_forbid_bare_newline": "normalize",
    "smtpd_discard_ehlo_keywords": "silent-discard, dsn",
    "receive_override_options": "",
}
ENTRIES = ("groupmilter-hold unix", "127.0.0.1:10027", "groupmilter-cleanup unix")
RELEASE = Service("127.0.0.1:10027", "inet", "smtpd", {"smtpd_milters": SOCKET})
SMTP = Service("smtp", "inet", "smtpd")


def site(more: str = "") -> Site:
    text = (
        "directory: {url: 'ldap://127.0.0.1', base: 'dc=example,dc=org'}\n"
        f"service: {{domain: groups.example.org}}\n{more}"
    )
    return validate(Site, read_document(text, "config.yaml"), Path("/"))


def advice(services: tuple[Service, ...] = (SMTP, RELEASE), **main: str) -> dict[str, Advice]:
    found = advise(site(), Installed({**GOOD, **main}, {}, services), MAP)
    return {one.subject: one for one in found if one.level is not Level.OK}


def test_a_postfix_that_is_set_up_right_hears_nothing() -> None:
    assert advice() == {}


@pytest.mark.parametrize(
    ("name", "value", "level", "part"),
    [
        ("smtpd_milters", "inet:localhost:8891", Level.ERROR, "isn't there"),
        ("smtpd_milters", f"{SOCKET}, inet:localhost:8891", Level.ERROR, "stands before inet:localhost:8891"),
        ("smtpd_milters", f"{SOCKET} {{ inet:h:1, connect_timeout=10s }}", Level.ERROR, "before inet:h:1"),
        ("non_smtpd_milters", "", Level.ERROR, "local submission"),
        ("milter_default_action", "accept", Level.ERROR, "mail can be lost"),
        ("milter_default_action", "quarantine", Level.ERROR, "mail can be lost"),
        (
            "smtpd_milters",
            f"{{ {SOCKET}, default_action=accept }}",
            Level.ERROR,
            "default_action=accept is set",
        ),
        ("non_smtpd_milters", f"{{{SOCKET},default_action=quarantine}}", Level.ERROR, "mail can be lost"),
        ("virtual_alias_maps", "hash:/etc/postfix/virtual", Level.ERROR, "isn't there"),
        ("virtual_alias_maps", f"hash:/etc/postfix/virtual {MAP}", Level.ERROR, "behind hash:/etc/postfix"),
        ("enable_original_recipient", "no", Level.ERROR, "it would stay"),
        ("message_size_limit", "5000000", Level.ERROR, "refused by Postfix after"),
        ("message_size_limit", "20000000", Level.WARNING, "the same in both"),
        ("message_size_limit", "0", Level.WARNING, "any number"),
        ("recipient_delimiter", "-", Level.ERROR, "read in two ways"),
        ("recipient_delimiter", "", Level.ERROR, "read in two ways"),
        ("smtpd_discard_ehlo_keywords", "", Level.WARNING, "DSN"),
        ("receive_override_options", "no_milters", Level.ERROR, "switches every milter off"),
        ("receive_override_options", "no_address_mappings", Level.WARNING, "isn't asked"),
    ],
)
def test_one_setting_that_is_wrong(name: str, value: str, level: Level, part: str) -> None:
    found = advice(services=(RELEASE,), **{name: value})[name]
    assert found.level is level
    assert part in found.text


@pytest.mark.parametrize(
    ("overrides", "level", "part"),
    [
        ({"smtpd_milters": ""}, Level.ERROR, "a door"),
        ({"smtpd_milters": "inet:localhost:8891"}, Level.ERROR, "a door"),
        ({"smtpd_milters": f"{SOCKET},inet:localhost:8891"}, Level.ERROR, "isn't the last"),
        ({"receive_override_options": "no_milters"}, Level.WARNING, "a door"),
        ({"milter_default_action": "accept"}, Level.ERROR, "milter_default_action=accept here"),
    ],
)
def test_a_listener_that_goes_its_own_way(overrides: dict[str, str], level: Level, part: str) -> None:
    door = Service("127.0.0.1:10025", "inet", "smtpd", overrides)
    found = advice(services=(SMTP, door, RELEASE))["master.cf 127.0.0.1:10025"]
    assert found.level is level
    assert part in found.text


@pytest.mark.parametrize(
    ("command", "overrides"),
    [
        ("pickup", {"receive_override_options": "no_milters"}),
        ("cleanup", {"non_smtpd_milters": ""}),
        ("qmqpd", {"non_smtpd_milters": "inet:localhost:8891"}),
    ],
)
def test_a_way_of_local_submission_past_us(command: str, overrides: dict[str, str]) -> None:
    found = advice(services=(SMTP, Service(command, "unix", command, overrides), RELEASE))
    assert "a door" in found[f"master.cf {command}"].text


def test_a_service_that_goes_on_without_us_or_without_the_map() -> None:
    pickup = Service("pickup", "unix", "pickup", {"milter_default_action": "accept"})
    cleanup = Service("other", "unix", "cleanup", {"virtual_alias_maps": "hash:/etc/postfix/virtual"})
    found = advice(services=(SMTP, pickup, cleanup, RELEASE))
    assert "mail can be lost" in found["master.cf pickup"].text
    assert "catches groups' mail" in found["master.cf other"].text
    ours = replace(cleanup, overrides={"virtual_alias_maps": f"{MAP} hash:/etc/postfix/virtual"})
    assert advice(services=(SMTP, ours, RELEASE)) == {}


def test_clients_with_milters_of_their_own() -> None:
    assert (
        "each may be a door"
        in advice(smtpd_milter_maps="cidr:/etc/postfix/milters")["smtpd_milter_maps"].text
    )


def test_a_service_that_takes_no_mail_is_no_door() -> None:
    client = Service("smtp", "unix", "smtp", {"smtpd_milters": ""})
    assert advice(services=(SMTP, client, RELEASE)) == {}


def test_the_service_domain_belongs_somewhere_once() -> None:
    assert advice(relay_domains="")["service domain"].level is Level.ERROR
    assert advice(mydestination="groups.example.org")["service domain"].level is Level.WARNING
    assert advice(relay_domains="", virtual_mailbox_domains="groups.example.org") == {}


def test_lists_keep_what_stands_in_braces() -> None:
    assert split("a, b {c, d} inline:{ {x=y} }") == ["a", "b", "{c, d}", "inline:{ {x=y} }"]
    assert milters("{ inet:h:1, connect_timeout=1s }, unix:/s") == ["inet:h:1", "unix:/s"]


def test_our_socket_is_known_in_every_spelling() -> None:
    unix = addresses(
        Listen("unix", path=Path("/var/spool/postfix/groupmilter/milter.sock")), "/var/spool/postfix"
    )
    assert {
        SOCKET,
        "unix:/var/spool/postfix/groupmilter/milter.sock",
        "local:groupmilter/milter.sock",
    } <= unix
    tcp = addresses(Listen("inet", host="127.0.0.1", port=8892), "/var/spool/postfix")
    assert "inet:localhost:8892" in tcp


def test_lines_keep_what_postfix_has_around_ours() -> None:
    main = {**GOOD, "smtpd_milters": f"{SOCKET}, inet:localhost:8891", "transport_maps": "hash:/t"}
    main["relay_recipient_maps"] = "hash:/r"
    lines = {line.name: line.value for line in main_lines(site(), Installed(main, main), MAP)}
    assert lines["smtpd_milters"] == f"inet:localhost:8891, {SOCKET}"
    assert lines["virtual_alias_maps"] == f"{MAP}, hash:/etc/postfix/virtual"
    assert lines["transport_maps"] == "inline:{{groups.example.org=groupmilter-hold:}}, hash:/t"
    assert lines["relay_recipient_maps"] == "inline:{{@groups.example.org=ok}}, hash:/r"
    assert lines["relay_domains"] == "groups.example.org"


def test_lines_keep_another_milter_of_local_mail_and_other_keywords() -> None:
    main = {**GOOD, "non_smtpd_milters": "inet:localhost:8891", "smtpd_discard_ehlo_keywords": "etrn"}
    lines = {line.name: line.value for line in main_lines(site(), Installed(main, main), MAP)}
    assert lines["non_smtpd_milters"] == f"inet:localhost:8891, {SOCKET}"
    assert lines["smtpd_discard_ehlo_keywords"] == "etrn, silent-discard, dsn"


def test_nothing_leads_away_from_the_members_while_only_observing() -> None:
    lines = {line.name for line in main_lines(site("mode: observe"), Installed(GOOD, GOOD), MAP)}
    assert "smtpd_milters" in lines
    assert "virtual_alias_maps" not in lines


@pytest.mark.parametrize(
    ("more", "asked"), [("", False), ("certificates: [{subject: erp, login: erp}]", True)]
)
def test_clients_are_asked_for_certificates_only_where_some_are_known(more: str, asked: bool) -> None:
    lines = {line.name for line in main_lines(site(more), Installed(GOOD, GOOD), MAP)}
    assert ("smtpd_tls_ask_ccert" in lines) is asked


def test_a_map_that_would_take_mail_away_while_only_observing_is_named() -> None:
    watching = site("mode: observe")
    named = {one.subject: one for one in advise(watching, Installed(GOOD, {}, (SMTP, RELEASE)), MAP)}
    assert named["virtual_alias_maps"].level is Level.ERROR
    free = {**GOOD, "virtual_alias_maps": "hash:/etc/postfix/virtual"}
    quiet = {one.subject for one in advise(watching, Installed(free, {}, (SMTP, RELEASE)), MAP)}
    assert "virtual_alias_maps" not in quiet


def test_the_release_listener_is_printed_as_configured() -> None:
    more = "  \n" + "mta: {recipient_delimiter: '+'}\n"
    entries = [str(e) for e in master_entries(site(more), Installed({}), Owner(107, 115))]
    assert entries[1].startswith("127.0.0.1:10027 inet ")
    assert "    -o milter_macro_daemon_name=groupmilter-release" in entries[1].splitlines()
    assert "    -o virtual_uid_maps=static:107" in entries[0].splitlines()


@pytest.fixture(name="postfix")
def _postfix(tmp_path: Path) -> Path:
    """Return a configuration as Debian ships it; no Postfix runs with it."""
    folder = tmp_path / "postfix"
    folder.mkdir()
    shutil.copy("/usr/share/postfix/master.cf.dist", folder / "master.cf")
    (folder / "main.cf").write_text("compatibility_level = 3.6\nsmtpd_milters = inet:localhost:8891\n")
    settled(folder / "main.cf")
    return folder


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(
        "directory: {url: 'ldap://127.0.0.1', base: 'dc=example,dc=org'}\n"
        f"service: {{domain: groups.example.org, key_file: {tmp_path}/key}}\n"
        f"mirror: {tmp_path}/mirror.db\nstate: sqlite:///{tmp_path}/state.db\n"
        f"hold_mailbox: maildir:{tmp_path}/hold\n"
    )
    return file


def called(*arguments: str, code: Exit = Exit.OK) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_what_is_printed_satisfies_what_is_checked(postfix: Path, config: Path) -> None:
    common = ("--config", str(config), "--postfix-config", str(postfix))
    options = (*common, "--no-directory", "--no-dns")
    before = called("check", *options, code=Exit.FINDING)["checks"]
    assert {c["subject"] for c in before if c["area"] == "postfix" and c["level"] == "error"} >= {
        "smtpd_milters",
        "non_smtpd_milters",
        "virtual_alias_maps",
        "service domain",
        "smtpd_forbid_bare_newline",
        "recipient_delimiter",
    }
    printed = called("postfix", *common)
    main = "".join(f"{line['name']} = {line['value']}\n" for line in printed["main"])
    (postfix / "main.cf").write_text(f"compatibility_level = 3.6\n{main}")
    settled(postfix / "main.cf")
    with (postfix / "master.cf").open("a") as master:
        master.writelines("\n".join(entry["lines"]) + "\n" for entry in printed["master"])
    after = called("check", *options, code=Exit.FINDING)["checks"]
    told = [c for c in after if c["area"] == "postfix" and c["level"] != "ok"]
    assert [c for c in told if c["level"] != "hint"] == []
    assert {c["subject"] for c in told} == {"allow_percent_hack", "swap_bangpath"}
    assert {c["area"] for c in after if c["level"] == "error"} == {"mirror"}


def test_a_user_who_is_not_there_yet_is_said(postfix: Path, config: Path) -> None:
    common = ("--config", str(config), "--postfix-config", str(postfix))
    [hold] = [
        e
        for e in called("postfix", "--user", "no-such-user", *common)["master"]
        if "virtual" in e["lines"][0]
    ]
    assert "THERE IS NO USER no-such-user" in hold["why"]
    [hold] = [
        e for e in called("postfix", "--user", "nobody", *common)["master"] if "virtual" in e["lines"][0]
    ]
    assert "NO USER" not in hold["why"]


def test_lines_can_be_pasted(postfix: Path, config: Path) -> None:
    result = CliRunner().invoke(app, ["postfix", "--config", str(config), "--postfix-config", str(postfix)])
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if line and not line.startswith("#")]
    assert "milter_default_action = tempfail" in lines
    assert all("=" in line or line.startswith(ENTRIES) for line in lines)


def test_a_postfix_that_cannot_be_read(config: Path, tmp_path: Path) -> None:
    options = ("--config", str(config), "--postfix-config", str(tmp_path / "nowhere"))
    assert called("postfix", *options, code=Exit.POSTFIX)["exit"] == Exit.POSTFIX
    assert called("check", "--no-directory", "--no-dns", *options, code=Exit.POSTFIX)["exit"] == Exit.POSTFIX
