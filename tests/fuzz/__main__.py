"""The fuzzer: `python -m tests.fuzz TARGET [--seconds N] [--runs N] [--seed N] [--corpus FOLDER]`.

Mutates the seeds of a target, guided by what parts of groupmilter they reach (atheris, libFuzzer), until the time or
the runs are over. Exit 0: every invariant held. Anything else: a finding, whose input is in the output and in a file
`crash-*` of the current folder; once mended, it goes into `tests/fuzz/found/TARGET/`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["groupmilter"], enable_loader_override=False):
    from tests.fuzz.invariants import TARGETS
    from tests.fuzz.seeds import seeds

_LONGEST = 4_096


def main() -> None:
    """Read the command line and fuzz; ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz a parser of groupmilter.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=0, help="stop after so long (0: never)")
    parser.add_argument("--runs", type=int, default=-1, help="stop after so many inputs (-1: never)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of chance; the same does the same (0: another each time)"
    )
    parser.add_argument("--corpus", type=Path, help="a folder that keeps what reaches new parts")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="groupmilter-fuzz-") as folder:
        for number, seed in enumerate(seeds(asked.target)):
            (Path(folder) / f"{number:04d}").write_bytes(seed)
        kept = [str(asked.corpus)] if asked.corpus else []
        options = (
            f"-max_total_time={asked.seconds}", f"-runs={asked.runs}", f"-seed={asked.seed}", f"-max_len={_LONGEST}",
            "-timeout=600", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1",
        )  # fmt: skip
        child = os.fork()
        if not child:
            # libFuzzer ends its process without a word to Python, so the folder is another's to remove.
            atheris.Setup([sys.argv[0], *options, *kept, folder], TARGETS[asked.target])
            atheris.Fuzz()
        _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
