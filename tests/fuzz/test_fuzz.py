"""The fuzzer for a bounded number of inputs, the same in every run, and all its seeds without it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.invariants import TARGETS
from tests.fuzz.seeds import seeds

ROOT = Path(__file__).resolve().parents[2]
RUNS = {
    "address": 20_000,
    "content": 20_000,
    "header": 10_000,
    "held": 2_000,
    "policy": 800,
    "results": 3_000,
    "signature": 15_000,
    "token": 10_000,
}
"""Inputs for each target: some seconds' worth, counted so that a slow machine tries no fewer."""


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_findings_of_before(target: str) -> None:
    for seed in seeds(target):
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
def test_fuzzed(target: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", target, "--runs", str(RUNS[target]), "--seed", "1"]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'milter'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    output = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, output[-4_000:]
    done_runs = re.search(r"^Done (\d+) runs", output, re.MULTILINE)
    # libFuzzer ends with the mutations of the input that it is at: sometimes a few more.
    assert done_runs is not None, output[-4_000:]
    assert int(done_runs[1]) >= RUNS[target]


def test_a_broken_invariant_is_a_finding(tmp_path: Path) -> None:
    """The fuzzer sees what it should: a target that fails ends with the input in a file."""
    program = tmp_path / "broken.py"
    program.write_text(
        "import sys, atheris\n"
        "def broken(octets):\n"
        "    assert b'<' not in octets\n"
        "atheris.Setup([sys.argv[0], '-runs=100000', '-seed=1'], broken)\n"
        "atheris.Fuzz()\n",
        "utf-8",
    )
    done = subprocess.run([sys.executable, str(program)], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0
    assert list(tmp_path.glob("crash-*"))
