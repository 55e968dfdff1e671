"""schemathesis at the real application with a real slapd: whatever is sent, the answer is one that is described.

Bounded here, the same each time; more by command: ``GROUPMILTER_EXAMPLES=100``, which tries also the two calls with
the most fields combination by combination.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.panel.calling import ADMINISTRATOR, token
from tests.panel.house import House, house
from tests.panel.watching import held

from groupmilter.panel import server
from groupmilter.panel.app import Surroundings
from groupmilter.panel.server import Patient

HERE = Path(__file__).parent
EXAMPLES = os.environ.get("GROUPMILTER_EXAMPLES", "")
# Thirty fields in every combination of good and bad take minutes.
BRIEF = """
[[operations]]
include-operation-id = ["createGroup", "changeGroup"]
phases.coverage.enabled = false
"""
MANY = 1_000_000
PATIENCE = "150"
"""Seconds for one answer."""


@pytest.fixture
def much_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house that is patient with whoever asks often, and with whoever thinks long before he asks again."""
    monkeypatch.setattr(server, "_KEEP_ALIVE", 3600)
    monkeypatch.setattr(Patient, "silence", 3600.0)

    def patient(usual: Surroundings) -> Surroundings:
        return replace(usual, calls=MANY, bad_tokens=MANY, bad_tokens_in_all=MANY)

    with house(tmp_path, around=patient) as made:
        for _ in range(2):
            held(made)
        yield made


@pytest.mark.timeout(7200 if EXAMPLES else 1800)
def test_every_answer_is_one_that_is_described(much_asked: House, tmp_path: Path) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text((HERE / "schemathesis.toml").read_text("utf-8") + ("" if EXAMPLES else BRIEF))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run"),
            *(f"{much_asked.url}/api/v1/openapi.json", "--checks", "all", "--no-color", "--seed", "1"),
            *("-H", f"Authorization: Bearer {token(much_asked, ADMINISTRATOR)}"),
            *("--max-examples", EXAMPLES or "5", "--continue-on-failure", "--generation-database", "none"),
            # However slow this machine is: only the answers count.
            *("--request-timeout", PATIENCE, "--max-response-time", PATIENCE, "--wait-for-schema", PATIENCE),
            *("--suppress-health-check", "too_slow"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "NO_PROXY": "*", "PYTHONHASHSEED": "1"},
    )
    summary = done.stdout[done.stdout.rfind("= SUMMARY =") :]
    assert done.returncode == 0, (
        "\n".join(line[:300] for line in done.stdout.splitlines()[:400]) + done.stderr
    )
    found = re.search(r"(\d+) generated, (\d+) passed", summary)
    assert found is not None, summary
    assert int(found[1]) > 1000, summary
    assert not [line for line in much_asked.site.log.lines if line[0] == "error"]
