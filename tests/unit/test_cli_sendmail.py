"""The lines for Sendmail: as printed, and as m4 makes a configuration of them (that, in tests/e2e)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.qa.source import ROOT
from typer.testing import CliRunner

from groupmilter.cli.advice import Level
from groupmilter.cli.app import app
from groupmilter.cli.sendmail_advice import advise_sendmail, read_cf
from groupmilter.cli.sendmail_wanted import Beside, login_pieces, milter_address, sendmail_pieces
from groupmilter.config.load import read_document
from groupmilter.config.model import Site
from groupmilter.config.places import Listen
from groupmilter.config.validation import validate

BESIDE = Beside(Path("/usr/local/bin/groupmilter"), "groupmilter", 10_028)
MINIMAL = (
    "listen: unix:/run/groupmilter/milter.sock\n"
    "directory: {url: 'ldap://127.0.0.1', base: 'dc=example,dc=org'}\n"
    "service: {domain: groups.example.org}\n"
)


def site(more: str = "") -> Site:
    """A configuration with more lines."""
    return validate(Site, read_document(MINIMAL + more, "config.yaml"), Path("/"))


def mc(more: str = "") -> list[str]:
    """The lines for sendmail.mc."""
    return [line for piece in sendmail_pieces(site(more), BESIDE) for line in piece.lines]


def printed(path: Path, *options: str) -> str:
    """What the command says."""
    file = path / "config.yaml"
    file.write_text(MINIMAL)
    done = CliRunner().invoke(app, ["-c", str(file), *options])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_example_is_what_is_printed(tmp_path: Path) -> None:
    example = (ROOT / "deploy" / "sendmail" / "groupmilter.mc").read_text("utf-8")
    said = printed(tmp_path, "sendmail", "--user", "nobody", "--host", "mx.example.org")
    assert said.replace("U=nobody", "U=groupmilter") == example


def test_a_rule_has_its_tab_and_m4_its_quotes(tmp_path: Path) -> None:
    said = printed(tmp_path, "sendmail", "--user", "nobody")
    rules = [line for line in said.splitlines() if line.startswith("R") and "RELAY" not in line]
    assert len(rules) == 9
    assert all("\t" in rule for rule in rules)
    code = [line for line in said.splitlines() if not line.startswith(("dnl", "#"))]
    assert "".join(code).count("`") == "".join(code).count("'")


def test_the_milter_defers_while_it_is_down_and_has_more_time_than_we_take() -> None:
    [line] = [line for line in mc() if line.startswith("INPUT_MAIL_FILTER")]
    assert "S=unix:/run/groupmilter/milter.sock, F=T, T=C:5m;S:30s;R:30s;E:5m" in line


def test_only_watching_no_group_leads_into_the_hold_mailbox() -> None:
    assert any(line.startswith("Kgroupmilter") for line in mc())
    assert not any("groupmilter $1" in line or line.startswith("Kgroup") for line in mc("mode: observe\n"))


def test_without_a_delimiter_no_extension_is_looked_up() -> None:
    assert any("$+ + $*" in line for line in mc())
    assert not any("$+ + $*" in line for line in mc("mta: {recipient_delimiter: ''}\n"))


def test_the_release_listener_asks_for_a_login_and_local_submission_for_none() -> None:
    release, local = [line for line in mc() if line.startswith("DAEMON_OPTIONS")]
    assert "Name=groupmilter-release, Family=inet, Addr=127.0.0.1, Port=10027, M=Ea'" in release
    assert "Name=groupmilter-local, Family=inet, Addr=127.0.0.1, Port=10028, M=EA'" in local


def test_the_login_is_made_in_the_realm_of_sendmail_and_no_password_is_shown() -> None:
    [piece] = login_pieces(site(), Path("/etc/sasldb2"), "mx.example.org")
    assert piece.lines == (
        "saslpasswd2 -c -p -f /etc/sasldb2 -u mx.example.org groupmilter-release"
        " < /var/lib/groupmilter/release.secret",
    )


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        (Listen("unix", path=Path("/run/m.sock")), "unix:/run/m.sock"),
        (Listen("inet", host="127.0.0.1", port=8890), "inet:8890@127.0.0.1"),
        (Listen("fd", port=3), "unix:/run/groupmilter/milter.sock"),
    ],
)
def test_the_socket_as_sendmail_names_it(listen: Listen, said: str) -> None:
    assert milter_address(listen) == said


def test_json_has_every_piece_with_its_reason(tmp_path: Path) -> None:
    shape: dict[str, Any] = json.loads(printed(tmp_path, "--json", "sendmail"))
    assert set(shape) == {"sendmail.mc", "submit.mc", "login"}
    assert all(piece["lines"] and piece["why"] for pieces in shape.values() for piece in pieces)


def test_a_user_who_is_not_there_is_said(tmp_path: Path) -> None:
    assert "THERE IS NO USER nobodyhere HERE YET" in " ".join(
        printed(tmp_path, "sendmail", "--user", "nobodyhere").replace("dnl #", "").split()
    )


GOOD = """\
O DaemonPortOptions=Name=MTA
O DaemonPortOptions=Name=groupmilter-release, Family=inet, Addr=127.0.0.1, Port=10027, M=Ea
O DaemonPortOptions=Name=groupmilter-local, Family=inet, Addr=127.0.0.1, Port=10028, M=EA
O InputMailFilters=dkim, groupmilter
#O MaxMessageSize=100
O MaxMessageSize=11288576
Kgroupmilter text -k0 -v0 /var/lib/groupmilter/map/groups
Xdkim, S=inet:8891@localhost
Xgroupmilter, S=unix:/run/groupmilter/milter.sock, F=T, T=C:5m;S:30s;R:30s;E:5m
Mgroupmilter-hold,\tP=/usr/local/bin/groupmilter, F=nmuzX, S=GroupmilterAsIs,
\t\tT=DNS/RFC822/SMTP, U=groupmilter, A=groupmilter deliver /var/lib/groupmilter/hold
"""


def told(text: str, more: str = "", owner: str | None = "groupmilter") -> dict[str, Level]:
    """What is said of a sendmail.cf, but for what is well."""
    found = advise_sendmail(site(more), read_cf(text), owner)
    return {one.subject: one.level for one in found if one.level is not Level.OK}


def test_a_sendmail_that_is_set_up_right_hears_nothing() -> None:
    assert told(GOOD) == {}
    assert told(GOOD, owner=None) == {}


@pytest.mark.parametrize(
    ("before", "after", "subject", "level"),
    [
        ("dkim, groupmilter", "groupmilter, dkim", "INPUT_MAIL_FILTER", Level.ERROR),
        ("dkim, groupmilter", "dkim", "INPUT_MAIL_FILTER", Level.ERROR),
        ("unix:/run/groupmilter/", "unix:/run/other/", "INPUT_MAIL_FILTER", Level.ERROR),
        ("F=T, ", "", "INPUT_MAIL_FILTER F=", Level.ERROR),
        ("F=T, ", "F=R, ", "INPUT_MAIL_FILTER F=", Level.ERROR),
        (";E:5m", "", "INPUT_MAIL_FILTER T=", Level.WARNING),
        ("E:5m", "E:30s", "INPUT_MAIL_FILTER T=", Level.WARNING),
        ("Name=MTA", "Name=MTA, InputMailFilters=dkim", "DAEMON_OPTIONS MTA", Level.ERROR),
        ("groupmilter-release", "other", "DAEMON_OPTIONS groupmilter-release", Level.ERROR),
        ("127.0.0.1, Port=10027", "0.0.0.0, Port=10027", "DAEMON_OPTIONS groupmilter-release", Level.ERROR),
        ("Port=10027", "Port=10026", "DAEMON_OPTIONS groupmilter-release", Level.ERROR),
        ("M=Ea", "M=E", "DAEMON_OPTIONS groupmilter-release", Level.ERROR),
        ("groupmilter-local", "other", "DAEMON_OPTIONS groupmilter-local", Level.WARNING),
        ("127.0.0.1, Port=10028", "0.0.0.0, Port=10028", "DAEMON_OPTIONS groupmilter-local", Level.ERROR),
        ("Mgroupmilter-hold", "Mother", "groupmilter-hold", Level.ERROR),
        ("deliver /var/lib", "deliver /srv", "groupmilter-hold", Level.ERROR),
        ("U=groupmilter", "U=mail:mail", "groupmilter-hold", Level.ERROR),
        ("Kgroupmilter", "Kother", "Kgroupmilter", Level.ERROR),
        ("\nO MaxMessageSize=11288576", "\nO MaxMessageSize=10240000", "confMAX_MESSAGE_SIZE", Level.ERROR),
    ],
)
def test_what_is_wrong_is_named(before: str, after: str, subject: str, level: Level) -> None:
    assert before in GOOD
    assert told(GOOD.replace(before, after)) == {subject: level}


def test_only_watching_the_map_is_what_is_wrong() -> None:
    assert told(GOOD, "mode: observe\n") == {"Kgroupmilter": Level.ERROR}


def test_check_reads_the_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "sendmail.cf").write_text(GOOD.replace("F=T, ", ""))
    (tmp_path / "config.yaml").write_text(MINIMAL)
    options = ("--no-directory", "--no-dns", "--json", "--sendmail-cf", str(tmp_path / "sendmail.cf"))
    done = CliRunner().invoke(app, ["-c", str(tmp_path / "config.yaml"), "check", *options])
    said = [one for one in json.loads(done.stdout)["checks"] if one["area"] in {"sendmail", "postfix"}]
    assert {one["area"] for one in said} == {"sendmail"}
    assert [one["fix"] for one in said if one["level"] == "error"] == ["F=T"]


def test_check_says_that_it_cannot_read_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(MINIMAL)
    done = CliRunner().invoke(
        app, ["-c", str(tmp_path / "config.yaml"), "check", "--no-directory", "--sendmail-cf", "/nowhere"]
    )
    assert done.exit_code == 7
