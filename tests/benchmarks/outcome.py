"""What each benchmark hands back: figures by name, ratios derived from them, and remarks.

Names are paths, `benchmark/variant/contender`; a ratio's last part is `numerator:denominator`. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.figures import Figure, figure, ratio


@dataclass(slots=True)
class Outcome:
    """Grows while a benchmark runs; `values` is what targets are judged on."""

    figures: dict[str, Figure] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, float]:
        """Medians and ratios by name."""
        return {name: one.median for name, one in self.figures.items()} | self.ratios

    def add(self, prefix: str, samples: Mapping[str, Sequence[float]], unit: str) -> None:
        """Note the contenders' samples under `prefix/contender`."""
        for name, one in samples.items():
            self.figures[f"{prefix}/{name}"] = figure(one, unit)

    def compare(self, prefix: str, numerator: str, denominator: str) -> None:
        """Note `prefix/numerator:denominator` if both were measured."""
        above, below = self.figures.get(f"{prefix}/{numerator}"), self.figures.get(f"{prefix}/{denominator}")
        if above is not None and below is not None:
            self.ratios[f"{prefix}/{numerator}:{denominator}"] = ratio(above, below)

    def take(self, other: "Outcome") -> None:
        """Add all of another outcome."""
        self.figures.update(other.figures)
        self.ratios.update(other.ratios)
        self.remarks.extend(other.remarks)
