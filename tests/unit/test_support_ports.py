"""Self-test: ports that the tests are given are nobody else's, however many run at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ASK = "from tests.support.ports import free_port; print(*(free_port() for _ in range(200)), flush=True); input()"


def test_no_two_processes_are_given_the_same_port() -> None:
    asked = [
        subprocess.Popen(
            [sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(3)
    ]
    # Each goes on living until all have theirs.
    lines = [one.stdout.readline() for one in asked if one.stdout is not None]
    for one in asked:
        one.communicate("\n")
    given = [*(int(port) for line in lines for port in line.split()), *(free_port() for _ in range(200))]
    assert len(given) == len(set(given)) == 800


def test_a_port_comes_again_only_after_many_others() -> None:
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == 200
