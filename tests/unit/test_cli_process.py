"""The commands as real processes: serve with its answers, what a terminal and a pipe get, how soon help is there."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_port

from groupmilter.cli.exits import Exit

CASES = Path(__file__).parents[1] / "cases"
GROUPMILTER = (sys.executable, "-m", "groupmilter")
DEADLINE = 150.0


def environment(**more: str) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
    }
    return {**kept, "PYTHONPATH": str(CASES.parents[1] / "milter"), **more}


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"listen: unix:{tmp_path}/milter.sock\nsocket: {{group: ''}}\nworkers: 1\n"
        f"control: {tmp_path}/control.sock\n"
        f'directory: {{url: "ldif:{CASES}/house.ldif", base: "dc=masociete,dc=example"}}\n'
        f"service:\n  domain: groups.masociete.example\n  key_file: {tmp_path}/ticket.key\n"
        f"  release: {{secret_file: {tmp_path}/release.secret}}\n"
        f"panel: {{listen: '127.0.0.1:{free_port()}'}}\n"
        f"mirror: {tmp_path}/mirror.db\nstate: sqlite:///{tmp_path}/state.db\n"
        f"hold_mailbox: maildir:{tmp_path}/hold\nmap: {{path: {tmp_path}/groups, type: texthash}}\n"
    )
    return file


def call(config: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = (*GROUPMILTER, "--config", str(config), *arguments)
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(**more), timeout=DEADLINE, check=False
    )


def until(question: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture(name="serving")
def _serving(config: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        (*GROUPMILTER, "serve", "--config", str(config)),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        until(lambda: call(config, "status").returncode == Exit.OK, "serve answers")
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


def answered(config: Path, *arguments: str) -> dict[str, Any]:
    done = call(config, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_serve_status_sync_reload_stop(config: Path, serving: subprocess.Popen[str]) -> None:
    until(lambda: bool(answered(config, "status")["settled"]), "all roles work")
    children = answered(config, "status")["children"]
    assert sorted(child["role"] for child in children) == ["desk", "directory", "milter", "panel"]
    assert "milter" in call(config, "status").stdout

    synced = answered(config, "directory", "sync")
    assert synced["groups"] > 50
    assert answered(config, "directory", "status")["usable"] is True
    assert call(config, "directory", "sync", "--force").returncode == Exit.FINDING

    before = answered(config, "status")["generation"]
    assert answered(config, "reload")["generation"] == before + 1

    good = config.read_text()
    config.write_text(good + "workers: many\n")
    refused = call(config, "reload")
    assert refused.returncode == Exit.CONFIGURATION
    assert "workers" in refused.stderr
    config.write_text(good.replace("milter.sock", "other.sock"))
    assert "needs a restart" in call(config, "reload").stderr
    config.write_text(good)
    assert answered(config, "status")["generation"] == before + 1

    serving.send_signal(signal.SIGTERM)
    assert serving.wait(DEADLINE) == 0
    assert call(config, "status").returncode == Exit.NOT_RUNNING


def test_serve_with_a_bad_configuration(config: Path) -> None:
    config.write_text("nonsense: true\n")
    done = call(config, "serve")
    assert done.returncode == Exit.CONFIGURATION
    assert f"{config}:1: nonsense: unknown key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pipe_gets_no_colours_and_whole_lines(config: Path) -> None:
    done = call(config, "group", "show", "news@masociete.example")
    assert "\x1b[" not in done.stdout
    assert "interns@masociete.example, @partner.example, david@masociete.example" in done.stdout


def on_terminal(config: Path, *arguments: str, **more: str) -> str:
    """Return what a command prints on a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        (*GROUPMILTER, "--config", str(config), *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="xterm", COLUMNS="120", **more),
    )
    os.close(theirs)
    received = b""
    try:
        while chunk := os.read(ours, 65_536):
            received += chunk
    except OSError:
        # Linux says EIO once the last process has closed its end (pty(7)).
        received += b""
    finally:
        os.close(ours)
    assert process.wait(DEADLINE) in (0, Exit.FINDING)
    return received.decode()


def test_a_terminal_gets_colours_unless_it_wants_none(config: Path) -> None:
    options = ("explain", "--from", "x@outside.example", "--to", "staff@masociete.example")
    assert "\x1b[31m" in on_terminal(config, *options) or "\x1b[1;31m" in on_terminal(config, *options)
    plain = on_terminal(config, *options, NO_COLOR="1")
    assert "\x1b[31m" not in plain
    assert "\x1b[1;31m" not in plain
    assert "550 5.7.1" in plain


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, groupmilter.cli.app\n"
        "heavy = {'pydantic', 'ldap3', 'milter', 'yaml', 'structlog', 'sqlite3', 'rich.console'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", code),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_completion_is_there() -> None:
    done = subprocess.run(
        (*GROUPMILTER, "ex"),
        capture_output=True,
        text=True,
        env=environment(_GROUPMILTER_COMPLETE="complete_bash", COMP_WORDS="groupmilter ex", COMP_CWORD="1"),
        timeout=DEADLINE,
        check=False,
    )
    assert {"explain", "expand"} <= set(done.stdout.split())
