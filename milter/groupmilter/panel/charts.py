"""Geometry of charts that the server draws as SVG: columns of a few stacked colours, ages over time, and one bar. Pure.

Only numbers and class names come out: colours and fonts are the stylesheet's, so both schemes and the strict policy of
the pages hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 4, 10, 26
_STEPS = (1, 2, 5)
_WIDE_LEFT = 58
_AGES = (60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0)
_YOUNGEST = 10.0
"""Seconds; a mirror that is followed is touched more often than one could draw."""

_LEAST = 3.0
"""So high is what is known at least: a gap is told from it at once."""

_GAP = 2


@dataclass(frozen=True, slots=True)
class Point:
    """What a chart shows at one place of its lower axis.

    :param label: for people, shown at some of the places. ``values``: one for each of the chart's series.
    :param told: what the table says instead of the values.
    """

    label: str
    values: tuple[int, ...] = ()
    told: tuple[str, ...] = ()


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
class Area:
    """One coloured area: a path as SVG writes it (SVG 2, section 9.3); ``series`` says which colour."""

    path: str
    series: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is drawn of a chart, in units of its view box.

    :param gaps: areas in which nothing is known. ``limit``: height of a line that isn't to be crossed.
    """

    boxes: tuple[Box, ...]
    scale: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    points: tuple[Point, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    floor: int = HEIGHT - _BOTTOM
    areas: tuple[Area, ...] = ()
    gaps: tuple[Area, ...] = ()
    limit: float | None = None


def columns(points: Sequence[Point], every: int = 7, colours: Sequence[int] = (0, 1, 2)) -> Chart:
    """Return a chart of columns.

    :param every: so many places have a label together, counted from the last.
    :param colours: which one each series of the points has.
    """
    top = _ceiling(max((sum(point.values) for point in points), default=0))
    high, wide = HEIGHT - _TOP - _BOTTOM, WIDTH - _LEFT - _RIGHT
    step = wide / max(1, len(points))
    boxes: list[Box] = []
    for number, point in enumerate(points):
        floor = float(HEIGHT - _BOTTOM)
        for series, value in zip(colours, point.values, strict=False):
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


@dataclass(frozen=True, slots=True)
class Axis:
    """The lower axis of a chart over time.

    :param places: how many columns have room. ``labels``: for people, by number of the column that it stands below.
    """

    places: int
    labels: Mapping[int, str]


def over_time(
    ages: Sequence[float | None],
    limit: float,
    axis: Axis,
    said: Callable[[float], str],
    points: Sequence[Point],
) -> Chart:
    """Return a chart of ages: seconds, on a logarithmic scale, so that both a minute and a week can be read.

    :param ages: of each column from the left; None where nothing is known, infinite past all scales.
    :param limit: up to which all is well; what is above it has the second colour.
    :param said: tells a length of time in few words. ``points``: what the table says.
    """
    finite = [age for age in ages if age is not None and math.isfinite(age)]
    top = next((each for each in _AGES if each >= max(1.5 * limit, *finite, _AGES[0])), _AGES[-1])
    step = (WIDTH - _WIDE_LEFT - _RIGHT) / max(1, axis.places)
    runs = [
        (kind, [(number, age) for number, age in run])
        for kind, run in groupby(enumerate(ages), lambda each: _kind(each[1], limit))
    ]
    drawn = [
        Area(_outline([(_WIDE_LEFT + number * step, _height(age, top)) for number, age in run], step), kind)
        for kind, run in runs
    ]
    labels = [Mark(round(_WIDE_LEFT + number * step, 2), text) for number, text in axis.labels.items()]
    return Chart(
        (),
        tuple(Mark(_height(age, top), said(age)) for age in _AGES if age <= top),
        tuple(labels),
        tuple(points),
        left=_WIDE_LEFT,
        areas=tuple(area for area in drawn if area.series != _GAP),
        gaps=tuple(area for area in drawn if area.series == _GAP),
        limit=_height(limit, top),
    )


def _kind(age: float | None, limit: float) -> int:
    return _GAP if age is None else int(age > limit)


def _height(age: float | None, top: float) -> float:
    """Return where an age stands; a gap is as high as the chart."""
    floor, high = HEIGHT - _BOTTOM, HEIGHT - _TOP - _BOTTOM
    if age is None or age >= top:
        return float(floor - high)
    part = math.log(max(age, _YOUNGEST) / _YOUNGEST) / math.log(top / _YOUNGEST)
    return round(floor - max(_LEAST, high * part), 2)


def _outline(corners: Sequence[tuple[float, float]], step: float) -> str:
    floor = HEIGHT - _BOTTOM
    steps = "".join(f"V{y:g}H{round(x + step, 2):g}" for x, y in corners)
    return f"M{round(corners[0][0], 2):g} {floor}{steps}V{floor}Z"


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
