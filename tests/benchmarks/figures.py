"""The harness's arithmetic: interleaved runs, medians, ratios, and the judgement against a target.

Pure but for `interleaved`, which calls what it is given. An empty list of samples, or a ratio over zero, is
a ValueError: a figure that wasn't measured must not look like one.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Sample = TypeVar("Sample")
Direction = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value: the median of its samples and their range, in `unit`."""

    median: float
    lowest: float
    highest: float
    samples: int
    unit: str


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached: `figure` names a ratio or an absolute figure, `bound` is in the figure's unit."""

    figure: str
    direction: Direction
    bound: float
    wish: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A target beside its figure; `shortfall` is how far off it is in percent of the bound, 0 when met."""

    target: Target
    value: float
    met: bool
    shortfall: float

    @property
    def text(self) -> str:
        """One line for people."""
        verdict = "met" if self.met else f"missed by {self.shortfall:.0f} %"
        wanted = f"{self.target.direction} {self.target.bound:g}"
        return f"{self.target.wish}: {self.value:.3g} ({wanted}): {verdict}"


def interleaved(rounds: int, runs: Mapping[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
    """Run every contender once in each round, A B A B, so that a drift of the machine meets all alike."""
    if rounds < 1:
        raise ValueError("at least one round is needed")
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            samples[name].append(run())
    return samples


def figure(samples: Sequence[float], unit: str) -> Figure:
    """The median and the range of samples; ValueError without any."""
    if not samples:
        raise ValueError("no samples")
    return Figure(statistics.median(samples), min(samples), max(samples), len(samples), unit)


def ratio(numerator: Figure, denominator: Figure) -> float:
    """The ratio of two medians; ValueError when the denominator is zero or the units differ."""
    if numerator.unit != denominator.unit:
        raise ValueError(f"{numerator.unit} cannot be set against {denominator.unit}")
    if denominator.median == 0:
        raise ValueError("the denominator is zero")
    return numerator.median / denominator.median


def judge(target: Target, value: float) -> Judgement:
    """Set a value against a target."""
    met = value >= target.bound if target.direction == "at least" else value <= target.bound
    shortfall = 0.0 if met else 100 * abs(value - target.bound) / target.bound
    return Judgement(target, value, met, shortfall)


def judge_all(targets: Sequence[Target], values: Mapping[str, float]) -> tuple[list[Judgement], list[Target]]:
    """The judgements of all targets whose figure was measured, and the targets whose figure was not."""
    judged = [judge(target, values[target.figure]) for target in targets if target.figure in values]
    return judged, [target for target in targets if target.figure not in values]
