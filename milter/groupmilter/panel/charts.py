"""Geometry of charts that the server draws as SVG: columns of a few stacked colours, and one bar. Pure.

Only numbers and class names come out: colours and fonts are the stylesheet's, so both schemes and the strict policy of
the pages hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 4, 10, 26
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Point:
    """What a chart shows at one place of its lower axis.

    :param label: for people, shown at some of the places. ``values``: one for each of the chart's series.
    """

    label: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """One coloured box; ``series`` says which colour."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the scale, or a label below, at a place."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is drawn of a chart, in units of its view box."""

    boxes: tuple[Box, ...]
    scale: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    points: tuple[Point, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    floor: int = HEIGHT - _BOTTOM


def columns(points: Sequence[Point], every: int = 7) -> Chart:
    """Return a chart of columns.

    :param every: so many places have a label together, counted from the last.
    """
    top = _ceiling(max((sum(point.values) for point in points), default=0))
    high, wide = HEIGHT - _TOP - _BOTTOM, WIDTH - _LEFT - _RIGHT
    step = wide / max(1, len(points))
    boxes: list[Box] = []
    for number, point in enumerate(points):
        floor = float(HEIGHT - _BOTTOM)
        for series, value in enumerate(point.values):
            tall = high * value / top
            floor -= tall
            if value:
                x, gap = _LEFT + number * step, min(2.0, step / 5)
                boxes.append(
                    Box(round(x + gap / 2, 2), round(floor, 2), round(step - gap, 2), round(tall, 2), series)
                )
    scale = [Mark(round(HEIGHT - _BOTTOM - high * value / top, 2), str(value)) for value in _ticks(top)]
    labels = [
        Mark(round(_LEFT + (number + 0.5) * step, 2), point.label)
        for number, point in enumerate(points)
        if (len(points) - 1 - number) % every == 0
    ]
    return Chart(tuple(boxes), tuple(scale), tuple(labels), tuple(points))


def share(value: float, most: float) -> float:
    """Return how far a bar of 100 units is filled."""
    return round(100 * min(1.0, max(0.0, value / most)), 1) if most > 0 else 100.0


def _ceiling(most: int) -> int:
    """Return the end of a scale: 1, 2 or 5 times a power of ten, at least 4."""
    if most <= 4:
        return 4
    power = int(10 ** math.floor(math.log10(most)))
    return next(step * power for step in (*_STEPS, 10) if step * power >= most)


def _ticks(top: int) -> tuple[int, ...]:
    return (0, top // 2, top)
