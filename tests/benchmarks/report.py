"""The result: JSON, lines for people, and a picture. Writing fails as files do (OSError)."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Judgement, Target, judge_all
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.targets import TARGETS


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the harness. `ours` says what ran under that name: the program, a stand-in, or nothing."""

    when: datetime
    ours: str
    quick: bool
    benchmarks: tuple[str, ...]
    outcome: Outcome

    @property
    def judged(self) -> tuple[list[Judgement], list[Target]]:
        """Targets met or missed, and those not measured; nothing is judged on a stand-in or a smoke run."""
        judgeable = self.ours == "groupmilter" and not self.quick
        return judge_all(TARGETS, self.outcome.values if judgeable else {})

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        judged, unmeasured = self.judged
        return {
            "when": self.when.isoformat(timespec="seconds"),
            "machine": machine(),
            "ours": self.ours,
            "quick": self.quick,
            "benchmarks": self.benchmarks,
            "figures": {name: asdict(one) for name, one in self.outcome.figures.items()},
            "ratios": self.outcome.ratios,
            "targets": [asdict(one) | {"text": one.text} for one in judged],
            "targets_not_measured": [asdict(one) for one in unmeasured],
            "remarks": self.outcome.remarks,
        }

    def lines(self) -> Iterable[str]:
        """The figures, ratios and targets for a terminal."""
        for name, one in self.outcome.figures.items():
            yield f"{name:58} {one.median:12.3f} {one.unit}  ({one.lowest:.3f} to {one.highest:.3f})"
        for name, value in self.outcome.ratios.items():
            yield f"{name:70} {value:8.3f}"
        judged, unmeasured = self.judged
        yield from (one.text for one in judged)
        yield from (f"{one.wish}: not measured" for one in unmeasured)
        yield from self.outcome.remarks


def write_json(report: Report, directory: Path) -> Path:
    """Write the result; its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"benchmarks-{report.when:%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": model[0] if model else platform.processor(),
        "cores": os.cpu_count(),
        "load_at_end": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postfix": _postfix_version(),
    }


def _postfix_version() -> str:
    try:
        done = subprocess.run(
            ["postconf", "-dh", "mail_version"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "not installed"
    return done.stdout.strip()


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)
