"""The result as one PNG: throughput, acceptance by size, raw transactions, CPU per message. Needs
matplotlib.
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from tests.benchmarks.figures import Figure
from tests.benchmarks.report import Report

_COLOURS = {
    "C milter": "#4c72b0",
    "ours": "#c44e52",
    "trivial pymilter": "#8c8c8c",
    "ldap": "#dd8452",
    "no milter": "#55a868",
    "C milter, as libmilter comes": "#a6b8d8",
}


def draw(report: Report, path: Path) -> None:
    """Write the picture; a panel without figures says so."""
    mpl.use("Agg")
    canvas = Canvas(figsize=(14, 10), layout="constrained")
    panels = canvas.subplots(2, 2)
    figures = report.outcome.figures
    _bars(panels[0][0], _starting(figures, "throughput/"), "Through Postfix, accepted messages/s")
    _curves(panels[0][1], _starting(figures, "acceptance/"))
    _bars(panels[1][0], _starting(figures, "raw/"), "Raw milter transactions/s")
    _bars(panels[1][1], _starting(figures, "raw cpu/"), "CPU ms per message")
    note = " (smoke run: figures mean little)" if report.quick else ""
    canvas.suptitle(f"groupmilter benchmarks, {report.when:%Y-%m-%d %H:%M} UTC, ours: {report.ours}{note}")
    canvas.savefig(path, dpi=110)


def _starting(figures: Mapping[str, Figure], prefix: str) -> dict[tuple[str, str], Figure]:
    """The figures below a prefix, by (variant, contender)."""
    chosen = {name.removeprefix(prefix): one for name, one in figures.items() if name.startswith(prefix)}
    return {(name.rpartition("/")[0], name.rpartition("/")[2]): one for name, one in chosen.items()}


def _bars(axes: Axes, figures: Mapping[tuple[str, str], Figure], title: str) -> None:
    axes.set_title(title)
    if not figures:
        axes.text(0.5, 0.5, "not measured", ha="center")
        return
    variants = sorted({variant for variant, _ in figures})
    contenders = sorted({contender for _, contender in figures})
    height = 0.8 / len(contenders)
    for place, contender in enumerate(contenders):
        rows = [row for row, variant in enumerate(variants) if (variant, contender) in figures]
        medians = [figures[variants[row], contender].median for row in rows]
        heights = [row + place * height for row in rows]
        axes.barh(heights, medians, height, label=contender, color=_COLOURS.get(contender))
    axes.set_yticks([row + 0.4 for row in range(len(variants))], variants)
    axes.invert_yaxis()
    axes.legend(fontsize="small")


def _curves(axes: Axes, figures: Mapping[tuple[str, str], Figure]) -> None:
    axes.set_title("Acceptance of one message by group size (ms)")
    if not figures:
        axes.text(0.5, 0.5, "not measured", ha="center")
        return
    for contender in sorted({contender for _, contender in figures}):
        points = sorted((int(size), one.median) for (size, who), one in figures.items() if who == contender)
        axes.loglog(*zip(*points, strict=True), marker="o", label=contender, color=_COLOURS.get(contender))
    axes.set_xlabel("members")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize="small")
