"""The benchmarks, in one command: `python -m tests.benchmarks` (see README.md).

Exit status: 0 when everything asked for was measured (targets may be missed: the result says so), 1 when a
benchmark failed; what was measured until then is written all the same.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks import (
    acceptance,
    directory,
    moderation,
    ours,
    panel_reads,
    panel_writes,
    plot,
    proof,
    raw,
    throughput,
)
from tests.benchmarks.bench import Bench
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.programs import build
from tests.benchmarks.report import Report, now, write_json

BENCHMARKS: Mapping[str, Callable[[Bench], Outcome]] = {
    "raw": raw.run,
    "throughput": throughput.run,
    "acceptance": acceptance.run,
    "directory": directory.run,
    "moderation": moderation.run,
    "proof": proof.run,
    "panel-reads": panel_reads.run,
    "panel-writes": panel_writes.run,
}
RESULTS = Path(__file__).resolve().parent / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description="groupmilter's benchmarks"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run of a minute; figures mean little")
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="this benchmark (repeatable)"
    )
    parser.add_argument("--stand-in", action="store_true", help="a trivial pymilter in place of the program")
    parser.add_argument("--results", type=Path, default=RESULTS, help="directory for the JSON and the PNG")
    return parser.parse_args()


def _bench(arguments: argparse.Namespace, workdir: Path) -> tuple[Bench, str]:
    tools = build(workdir)
    if arguments.stand_in:
        return Bench(tools, workdir, ours.stand_in(tools), arguments.quick), "stand-in (trivial pymilter)"
    if ours.available():
        return Bench(tools, workdir, ours.starter(tools), arguments.quick), "groupmilter"
    return Bench(tools, workdir, None, arguments.quick), "absent (groupmilter serve doesn't run)"


def _measure(bench: Bench, names: tuple[str, ...], outcome: Outcome) -> bool:
    """Run the benchmarks one after the other; False if one failed, and then its reason is a remark."""
    complete = True
    for name in names:
        sys.stderr.write(f"{name}\n")
        try:
            outcome.take(BENCHMARKS[name](bench))
        except (RuntimeError, OSError) as error:
            outcome.remarks.append(f"{name} failed: {type(error).__name__}: {error}")
            complete = False
    return complete


def main() -> int:
    """Measure, write, tell."""
    arguments = _arguments()
    names = tuple(arguments.only or BENCHMARKS)
    outcome, started = Outcome(), now()
    with tempfile.TemporaryDirectory(prefix="groupmilter-bench-", ignore_cleanup_errors=True) as temporary:
        workdir = Path(temporary)
        workdir.chmod(0o755)
        bench, who = _bench(arguments, workdir)
        complete = _measure(bench, names, outcome)
    report = Report(started, who, arguments.quick, names, outcome)
    path = write_json(report, arguments.results)
    plot.draw(report, path.with_suffix(".png"))
    sys.stdout.writelines(f"{line}\n" for line in [*report.lines(), f"written: {path} and .png"])
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
