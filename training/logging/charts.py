"""Line charts as SVG inside a page. The colours come from the page, which can be light or dark."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 30
MOST_POINTS = 400
SMOOTHED_FROM, SMOOTHING = 60, 0.08
LOGARITHMIC_FROM = 20.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """One line. A reference is constant, dashed and as wide as the chart."""

    name: str
    points: list[Point]
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values to positions on the page."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return the position of a value."""
        low, high, value = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / ((high - low) or 1.0)

    def ticks(self) -> list[float]:
        """Return round values in the range: about five, or 1, 2, 5 in each power of ten."""
        if self.logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if len(powers) <= 3 else (1,)
            found = [step * 10.0**power for power in powers for step in steps]
        else:
            step = round_step((self.high - self.low) / 4)
            first = math.ceil(self.low / step - 1e-9)
            found = [(first + i) * step for i in range(7)]
        margin = 1e-9 * abs(self.high - self.low)
        return [value for value in found if self.low - margin <= value <= self.high + margin]


def line_chart(series: Sequence[Series], until: float, from_zero: bool = False, noisy: bool = False) -> str:
    """Return an SVG of lines over iterations 0 … `until`, or an empty string when there is no point.

    Noisy lines are drawn pale, with their running mean.
    """
    drawn = [Series(s.name, thinned([p for p in s.points if math.isfinite(p[1])]), s.reference) for s in series]
    drawn = [s for s in drawn if s.points]
    if not drawn:
        return ""
    across, upward = Axis(0.0, max(until, 1.0), LEFT, WIDTH - RIGHT), _upward(drawn, from_zero)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" data-lines="{_data(drawn, across, upward)}">'
    ]
    for value in upward.ticks():
        y = upward.place(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 3.5:.1f}" text-anchor="end">{short(value)}</text>')
    for value in across.ticks():
        x = across.place(value)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 9}" text-anchor="middle">{short(value)}</text>')
    for index, line in enumerate(drawn):
        parts += _line(line, f"c{index}", across, upward, noisy and len(line.points) >= SMOOTHED_FROM)
    return "".join([*parts, f'<g class="cursor"><line y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></g></svg>', _legend(drawn)])


def thinned(points: list[Point]) -> list[Point]:
    """Return at most MOST_POINTS means of neighbouring points."""
    size = math.ceil(len(points) / MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)] if size > 1 else [[p] for p in points]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def smoothed(points: Sequence[Point]) -> list[Point]:
    """Return running means around each point, over fewer points towards the ends."""
    half = max(1, round(len(points) * SMOOTHING / 2))
    found: list[Point] = []
    for index, (x, _) in enumerate(points):
        reach = min(half, index, len(points) - 1 - index)
        near = points[index - reach : index + reach + 1]
        found.append((x, sum(y for _, y in near) / len(near)))
    return found


def round_step(rough: float) -> float:
    """Return the next number from `rough` upwards that is 1, 2 or 5 times a power of ten."""
    if rough <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))


def short(value: float) -> str:
    """Write a number for an axis: 1200, 0.05, 1e-05, 12k."""
    if value >= 10000 and value % 100 == 0:
        return f"{value / 1000:g}k"
    return f"{value:.4g}"


def _upward(drawn: Sequence[Series], from_zero: bool) -> Axis:
    ys = [y for s in drawn for _, y in s.points]
    low, high = min(ys), max(ys)
    logarithmic = not from_zero and low > 0 and high / low > LOGARITHMIC_FROM
    if logarithmic:
        low, high = low / 1.1, high * 1.1
    else:
        margin = 0.06 * ((high - low) or abs(high) or 1.0)
        low, high = (min(0.0, low) if from_zero else low - margin), high + margin
    return Axis(low, high, HEIGHT - BOTTOM, TOP, logarithmic)


def _line(line: Series, colour: str, across: Axis, upward: Axis, noisy: bool) -> list[str]:
    def path(points: Sequence[Point], kind: str) -> str:
        places = " ".join(f"{across.place(x):.1f},{upward.place(y):.1f}" for x, y in points)
        return f'<polyline class="line {colour} {kind}" points="{places}"/>'

    if line.reference:
        return [path([(across.low, line.points[0][1]), (across.high, line.points[-1][1])], "reference")]
    if len(line.points) == 1:
        x, y = line.points[0]
        return [f'<circle class="dot {colour}" cx="{across.place(x):.1f}" cy="{upward.place(y):.1f}" r="3"/>']
    return [path(line.points, "raw"), path(smoothed(line.points), "plain")] if noisy else [path(line.points, "plain")]


def _legend(drawn: Sequence[Series]) -> str:
    items = [
        f'<span class="key c{index}{" reference" if s.reference else ""}">{escape(s.name)}</span>'
        for index, s in enumerate(drawn)
    ]
    return f'<p class="legend">{"".join(items)}</p>'


def _data(drawn: Sequence[Series], across: Axis, upward: Axis) -> str:
    """Return the data that the page uses to show values under the pointer."""
    lines = [
        {"name": s.name, "points": [[round(across.place(x), 1), round(x), float(f"{y:.4g}")] for x, y in s.points]}
        for s in drawn
    ]
    return escape(json.dumps(lines, separators=(",", ":")), quote=True)
