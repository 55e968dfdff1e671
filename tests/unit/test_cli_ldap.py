"""The commands that talk to a directory, with a real slapd: what they find, and how they fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.slapd import Slapd
from typer.testing import CliRunner, Result

from groupmilter.cli.app import app
from groupmilter.cli.exits import Exit

SAMPLE = Path(__file__).parents[2] / "ldap_schema" / "openldap" / "sample.ldif"
BASE = "dc=masociete,dc=example"


@pytest.fixture(name="slapd", scope="module")
def _slapd() -> Iterator[Slapd]:
    with Slapd(content=[SAMPLE]) as running:
        yield running


def configured(folder: Path, url: str, more: str = "") -> Path:
    file = folder / "config.yaml"
    file.write_text(
        f"directory: {{url: '{url}', base: '{BASE}'{more}}}\n"
        f"service: {{domain: groups.masociete.example, key_file: {folder}/ticket.key}}\n"
        f"mirror: {folder}/mirror.db\nstate: sqlite:///{folder}/state.db\n"
        f"hold_mailbox: maildir:{folder}/hold\nmap: {{path: {folder}/groups, type: texthash}}\n"
        f"control: {folder}/control.sock\n"
    )
    return file


def call(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), "--json", *arguments])


def checks(config: Path) -> dict[str, dict[str, Any]]:
    found = json.loads(call(config, "check", "--no-dns", "--no-postfix").stdout)["checks"]
    return {check["subject"]: check for check in found if check["area"] == "directory"}


def test_sync_then_everything_is_answered_from_the_mirror(slapd: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, slapd.uri)
    loaded = call(config, "directory", "sync")
    assert loaded.exit_code == Exit.OK, loaded.output
    assert json.loads(loaded.stdout)["groups"] == 13
    assert (
        "contact@masociete.example\tunprocessed@groups.masociete.example" in (tmp_path / "groups").read_text()
    )
    members = json.loads(call(config, "expand", "contact@masociete.example").stdout)["members"]
    assert {m["address"] for m in members} == {
        "jean.dupont@masociete.example",
        "pierre.durand@masociete.example",
    }
    options = (
        "explain",
        "--from",
        "jean@masociete.example",
        "--login",
        "jean",
        "--to",
        "contact@masociete.example",
    )
    assert json.loads(call(config, *options).stdout)["recipients"][0]["members"] == 2


def test_check_binds_and_finds_the_base(slapd: Slapd, tmp_path: Path) -> None:
    found = checks(configured(tmp_path, slapd.uri))
    assert "can be read" in found[slapd.uri]["text"]
    assert found["sync"]["level"] == "ok"


def test_check_names_a_base_that_is_not_there(slapd: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, slapd.uri)
    config.write_text(config.read_text().replace(BASE, f"ou=nowhere,{BASE}"))
    assert checks(config)["base"]["level"] == "error"


def test_check_names_a_password_that_is_wrong(slapd: Slapd, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    more = f", bind_dn: 'uid=jean,ou=people,{BASE}', password_file: {secret}"
    found = checks(configured(tmp_path, slapd.uri, more))[slapd.uri]
    assert found["level"] == "error"
    assert "result code 49" in found["text"]
    assert "wrong" not in found["text"]


def test_a_directory_that_does_not_answer(tmp_path: Path) -> None:
    config = configured(tmp_path, "ldap://127.0.0.1:9")
    failed = call(config, "directory", "sync")
    assert failed.exit_code == Exit.DIRECTORY
    assert "ldap://127.0.0.1:9" in json.loads(failed.stdout)["errors"][0]["text"]
    assert checks(config)["ldap://127.0.0.1:9"]["level"] == "error"
