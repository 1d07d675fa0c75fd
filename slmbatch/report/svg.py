"""Three plots as SVG: bars, a histogram, a line of steps. Colours and type come from the page's style sheet.

Own functions, since what they draw must follow the page's light and dark colours and be read aloud; plotting libraries
fix both in the file, or bring scripts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from slmbatch.report.markup import element

WIDTH, LEFT, RIGHT = 720, 56, 8
BAR, BAR_ROW = 12, 42
PLOT, TOP, BOTTOM = 180, 22, 40


@dataclass(frozen=True, slots=True)
class Bar:
    """A named bar of pieces (kind, size), where the kind is a class of the style sheet; `told` stands at its end."""

    name: str
    pieces: Sequence[tuple[str, float]]
    told: str


def bars(title: str, told: str, rows: Sequence[Bar]) -> Element:
    """Draw horizontal bars under their names. `told` describes the plot to who can't see it."""
    most = max((sum(size for _, size in row.pieces) for row in rows), default=0) or 1
    drawn: list[Element] = []
    for at, row in enumerate(rows):
        y = at * BAR_ROW + 16
        drawn.append(element("text", row.name, x=0, y=y, class_="name"))
        drawn.append(element("text", row.told, x=WIDTH, y=y, class_="value", text_anchor="end"))
        drawn.append(_box("track", 0, y + 8, WIDTH, BAR))
        x = 0.0
        for kind, size in row.pieces:
            width = max(size / most * WIDTH, 2.0) if size else 0.0
            drawn.append(_box(kind, min(x, WIDTH - width), y + 8, width, BAR))
            x += width
    return _svg(title, told, len(rows) * BAR_ROW, drawn)


def histogram(title: str, told: str, kinds: Sequence[tuple[str, Sequence[int]]], *, mark: float | None) -> Element:
    """Draw counts over [0, 1] as columns, one kind upon the other; `mark` is a line across, with its value."""
    bins = len(kinds[0][1])
    most = max(sum(counts[at] for _, counts in kinds) for at in range(bins))
    frame = _Frame(1.0, float(most))
    drawn = frame.axes([(at / 5, f"{at / 5:g}") for at in range(6)])
    for at in range(bins):
        below = 0
        for kind, counts in kinds:
            if counts[at]:
                y = frame.y(below + counts[at])
                width = frame.x(1 / bins) - frame.x(0) - 2
                drawn.append(_box(kind, frame.x(at / bins) + 1, y, width, frame.y(below) - y))
                below += counts[at]
    if mark is not None:
        drawn += frame.line(mark, f"threshold {mark:g}")
    return _svg(title, told, TOP + PLOT + BOTTOM, drawn)


def steps(title: str, told: str, runs: Sequence[Sequence[tuple[float, float, float]]], *, unit: str) -> Element:
    """Draw heights as steps, each (from, to, height); a line stands where a new run begins."""
    end = max((run[-1][1] for run in runs if run), default=0.0) or 1.0
    frame = _Frame(end, max((height for run in runs for _, _, height in run), default=0.0))
    step = _step(end, 6)
    drawn = frame.axes([(at * step, f"{_figure(at * step)} {unit}") for at in range(int(end / step) + 1)])
    for number, run in enumerate(run for run in runs if run):
        path = [f"M{frame.x(run[0][0]):.1f} {frame.y(0):.1f}"]
        path += [f"V{frame.y(height):.1f}H{frame.x(to):.1f}" for _, to, height in run]
        drawn.append(element("path", d="".join([*path, f"V{frame.y(0):.1f}Z"]), class_="pace"))
        drawn += frame.line(run[0][0], "resumed") if number else []
    return _svg(title, told, TOP + PLOT + BOTTOM, drawn)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values from 0 to `right` and 0 to `top` lie."""

    right: float
    top: float

    def x(self, value: float) -> float:
        return LEFT + value / self.right * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + PLOT * (1 - value / self.ticks()[-1])

    def ticks(self) -> list[float]:
        """Round heights from 0 to the first that nothing exceeds."""
        step = _step(self.top, 4)
        return [at * step for at in range(max(1, math.ceil(self.top / step)) + 1)]

    def axes(self, marks: Sequence[tuple[float, str]]) -> list[Element]:
        drawn: list[Element] = []
        for tick in self.ticks():
            y = self.y(tick)
            drawn.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=_fixed(y), y2=_fixed(y), class_="grid"))
            drawn.append(element("text", _figure(tick), x=LEFT - 8, y=_fixed(y + 4), class_="tick", text_anchor="end"))
        for value, told in marks:
            anchor = "end" if self.x(value) > WIDTH - 30 else "middle"
            x = WIDTH - RIGHT if anchor == "end" else self.x(value)
            drawn.append(element("text", told, x=_fixed(x), y=TOP + PLOT + 20, class_="tick", text_anchor=anchor))
        return drawn

    def line(self, value: float, told: str) -> list[Element]:
        x = self.x(value)
        anchor, beside = ("end", x - 5) if value > self.right / 2 else ("start", x + 5)
        return [
            element("line", x1=_fixed(x), x2=_fixed(x), y1=6, y2=TOP + PLOT, class_="mark"),
            element("text", told, x=_fixed(beside), y=14, class_="tick", text_anchor=anchor),
        ]


def _step(most: float, most_marks: int) -> float:
    """A round number (1, 2 or 5 times a power of ten) of which at most `most_marks` reach `most`."""
    if most <= 0:
        return 1.0
    least = most / most_marks
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _box(kind: str, x: float, y: float, width: float, height: float) -> Element:
    place = {"x": _fixed(x), "y": _fixed(y), "width": _fixed(width), "height": _fixed(height)}
    return element("rect", **place, class_=kind)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def _fixed(value: float) -> str:
    return f"{value:.1f}"


def _svg(title: str, told: str, height: int, drawn: Sequence[Element]) -> Element:
    return element(
        "svg",
        element("title", title),
        element("desc", told),
        *drawn,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=f"{title}. {told}",
    )
