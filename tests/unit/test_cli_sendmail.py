"""The lines for Sendmail: as printed, and as m4 makes a configuration of them (that, in tests/e2e)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.qa.source import ROOT
from typer.testing import CliRunner

from groupmilter.cli.app import app
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
    assert len(rules) == 7
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
