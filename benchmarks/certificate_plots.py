"""The plots of docs/certificates.md, drawn from the cells that certificates.py has kept.

    python benchmarks/certificate_plots.py cells.json docs/

Writes certificates.svg (what the top tier isn't asked, by size and target) and certificates-broken.svg (how often
promises break). The count rule with history is in the second alone: it needs 600 rows more, so its means are of fewer
sets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, indent, tostring

import numpy as np
from certificates import BARGAIN, COUNT, KNOWN, METHODS, NAIVE, SIZES, TARGETS, Cell

from slmbatch.certificates.noise import clopper_pearson
from slmbatch.report.markup import element

DELTA = 0.1
LOOKS = {  # the colours of Okabe and Ito; a mark for who can't tell them apart
    COUNT: ("blue", "circle"),
    KNOWN: ("blue", "ring"),
    BARGAIN: ("orange", "square"),
    "Learn then Test": ("green", "triangle"),
    "Hoeffding": ("pink", "diamond"),
    NAIVE: ("grey", "cross"),
}
LIGHT = {"blue": "#0072b2", "orange": "#c25400", "green": "#00805c", "pink": "#b0528a", "grey": "#6e7781"}
LIGHT |= {"ink": "#1f2328", "soft": "#59636e", "back": "#ffffff", "grid": "#d1d9e0"}
DARK = {"blue": "#56b4e9", "orange": "#f0883e", "green": "#2fbf92", "pink": "#e29cc4", "grey": "#9198a1"}
DARK |= {"ink": "#e6edf3", "soft": "#9198a1", "back": "#0d1117", "grid": "#3d444d"}
STYLE = """
text { font: 12px system-ui, sans-serif }
.title, .name { font-weight: 600 }
.title { font-size: 13px }
.line, .cross { fill: none }
.line, .ring, .cross { stroke-width: 2 }
.dashed { stroke-dasharray: 4 3 }
.limit { stroke-dasharray: 2 2; stroke-width: 1.5 }
"""
WIDTH, LEFT, TOP, BOTTOM = 860, 44, 62, 44
PANEL, GAP, HIGH, MOST = 156, 18, 240, 0.8  # one panel of the first plot, and the share at its top
NAMES = 124  # to the right of the last panel
LABEL = 15  # from one name to the next at least
ROW, NAMED, TOLD = 40, 170, 250  # of the second plot: a row's height, the room of its name and its figures


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of one size, averaged over sets: by method the shares avoided at each target."""

    name: str
    avoided: dict[str, list[float]]


def style() -> str:
    """The style sheet, in both of its colours."""
    return f"{STYLE}{coloured(LIGHT)}@media (prefers-color-scheme: dark) {{\n{coloured(DARK)}}}\n"


def coloured(inks: dict[str, str]) -> str:
    told = f"text {{ fill: {inks['ink']} }}\n.soft {{ fill: {inks['soft']} }}\n.back {{ fill: {inks['back']} }}\n"
    told += (
        f".grid {{ stroke: {inks['grid']} }}\n.limit {{ stroke: {inks['ink']} }}\n.ring {{ fill: {inks['back']} }}\n"
    )
    for name in dict.fromkeys(colour for colour, _ in LOOKS.values()):
        told += f".line.{name}, .ring.{name}, .cross.{name} {{ stroke: {inks[name]} }}\n"
        told += f".full.{name}, .name.{name} {{ fill: {inks[name]} }}\n"
    return told


def groups(cells: Sequence[Cell]) -> Iterator[Group]:
    for size in SIZES:
        some = [one for one in cells if (one.rows == size and not one.full if size else one.full)]
        told = {method: [one for one in some if one.method == method] for method in METHODS if method != KNOWN}
        avoided = {
            method: [float(np.mean([one.avoided for one in of if one.target == target])) for target in TARGETS]
            for method, of in told.items()
        }
        name = f"{size:,} rows" if size else "whole sets"
        yield Group(f"{name}, {len({one.set for one in some})} sets", avoided)


def avoided_plot(cells: Sequence[Cell]) -> Element:
    drawn: list[Element] = [
        element(
            "text",
            "Share of rows that the top tier isn't asked about, labels counted as asked",
            x=0,
            y=16,
            class_="title",
        ),
        element(
            "text",
            "By the agreement that is promised, with 90 % certainty; mean over recorded sets",
            x=0,
            y=34,
            class_="soft",
        ),
    ]
    found = list(groups(cells))
    for number, group in enumerate(found):
        left = LEFT + number * (PANEL + GAP)
        drawn += axes(left, group.name, first=number == 0)
        for method, shares in group.avoided.items():
            drawn += curve(
                method, [(left + across(target), upto(share)) for target, share in zip(TARGETS, shares, strict=True)]
            )
    ends = {method: upto(shares[-1]) for method, shares in found[-1].avoided.items()}
    x = LEFT + 4 * PANEL + 3 * GAP + 6
    for method, y in apart(ends).items():
        drawn.append(element("text", method, x=x, y=f"{y + 4:.1f}", class_=f"name {LOOKS[method][0]}"))
    told = "; ".join(
        f"{group.name}: "
        + ", ".join(f"{method} {' '.join(f'{one:.3f}' for one in shares)}" for method, shares in group.avoided.items())
        for group in found
    )
    return picture("What certificates save", told, TOP + HIGH + BOTTOM, drawn)


def across(target: float) -> float:
    return 14 + TARGETS.index(target) * (PANEL - 28) / (len(TARGETS) - 1)


def upto(share: float) -> float:
    return TOP + HIGH * (1 - share / MOST)


def axes(left: float, name: str, *, first: bool) -> Iterator[Element]:
    yield element("text", name, x=left + PANEL / 2, y=TOP - 8, text_anchor="middle")
    for tick in np.arange(0, MOST + 0.1, 0.2):
        y = f"{upto(tick):.1f}"
        yield element("line", x1=left, x2=left + PANEL, y1=y, y2=y, class_="grid")
        if first:
            yield element("text", f"{tick:g}", x=left - 8, y=f"{upto(tick) + 4:.1f}", text_anchor="end", class_="soft")
    for target in TARGETS:
        x = f"{left + across(target):.1f}"
        yield element("text", f"{target:g}", x=x, y=TOP + HIGH + 20, text_anchor="middle", class_="soft")


def curve(method: str, points: Sequence[tuple[float, float]]) -> Iterator[Element]:
    colour, kind = LOOKS[method]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dashed = " dashed" if method == NAIVE else ""
    yield element("path", d=f"M{path}", class_=f"line {colour}{dashed}")
    yield from (mark(kind, colour, x, y) for x, y in points)


def mark(kind: str, colour: str, x: float, y: float) -> Element:
    """One point; sizes are such that all kinds look alike large."""
    shapes = {
        "square": "M-3.6-3.6h7.2v7.2h-7.2z",
        "triangle": "M0-4.8L4.6 3.4H-4.6z",
        "diamond": "M0-5L5 0 0 5-5 0z",
        "cross": "M-3.5-3.5l7 7M-3.5 3.5l7-7",
    }
    if kind in shapes:
        class_ = f"cross {colour}" if kind == "cross" else f"full {colour}"
        return element("path", d=shapes[kind], transform=f"translate({x:.1f} {y:.1f})", class_=class_)
    return element(
        "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_=f"{'ring' if kind == 'ring' else 'full'} {colour}"
    )


def apart(heights: dict[str, float]) -> dict[str, float]:
    """Move names off each other, the highest stays."""
    placed: dict[str, float] = {}
    last = -np.inf
    for name, y in sorted(heights.items(), key=lambda one: one[1]):
        last = max(y, last + LABEL)
        placed[name] = last
    return placed


def broken_plot(cells: Sequence[Cell]) -> Element:
    """A row for each method: all its promises together, and its worst cell, each with its interval."""
    wide = WIDTH - NAMED - TOLD
    height = TOP + ROW * len(METHODS)
    drawn: list[Element] = [
        element("text", "Share of promises that broke; each may, with a chance of delta", x=0, y=16, class_="title"),
        element(
            "text",
            "Full: all cells together; open: the worst cell; lines: 95 % intervals (Clopper and Pearson)",
            x=0,
            y=34,
            class_="soft",
        ),
    ]
    worst_of = {method: max((one for one in cells if one.method == method), key=share) for method in METHODS}
    right = 0.1 * np.ceil(10 * max(interval(one)[1] for one in worst_of.values()))
    for tick in np.arange(0, right + 0.05, 0.1):
        x = NAMED + wide * tick / right
        limit = abs(tick - DELTA) < 1e-9
        drawn.append(
            element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=TOP - 10, y2=height, class_="limit" if limit else "grid")
        )
        drawn.append(element("text", f"{tick:.1f}", x=f"{x:.1f}", y=height + 20, text_anchor="middle", class_="soft"))
    drawn.append(element("text", "delta", x=f"{NAMED + wide * DELTA / right + 5:.1f}", y=TOP - 2, class_="soft"))
    told = []
    for number, method in enumerate(METHODS):
        y = TOP + ROW * (number + 0.5)
        colour = LOOKS[method][0]
        some = [one for one in cells if one.method == method]
        every = replace(some[0], seeds=sum(one.seeds for one in some), broken=sum(one.broken for one in some))
        worst = worst_of[method]
        drawn.append(element("text", method, x=0, y=y + 4, class_=f"name {colour}"))
        for one, kind, at in ((worst, "ring", y + 7), (every, "circle", y - 7)):
            low, high = (NAMED + wide * end / right for end in interval(one))
            drawn.append(element("line", x1=f"{low:.1f}", x2=f"{high:.1f}", y1=at, y2=at, class_=f"line {colour}"))
            drawn.append(mark(kind, colour, NAMED + wide * share(one) / right, at))
        said = f"{share(every):.4f} of {every.seeds:,}"
        drawn.append(element("text", said, x=NAMED + wide + 16, y=y - 3))
        drawn.append(
            element(
                "text",
                f"{share(worst):.3f} in the worst of {len(some)} cells",
                x=NAMED + wide + 16,
                y=y + 13,
                class_="soft",
            )
        )
        told.append(f"{method}: {said}, worst cell {share(worst):.3f}")
    return picture("How often promises break", "; ".join(told), height + BOTTOM, drawn)


def share(one: Cell) -> float:
    return one.broken / one.seeds


def interval(one: Cell) -> tuple[float, float]:
    return clopper_pearson(one.broken, one.seeds)


def picture(title: str, told: str, height: int, drawn: Sequence[Element]) -> Element:
    return element(
        "svg",
        element("title", title),
        element("desc", told),
        element("style", style()),
        element("rect", width="100%", height="100%", class_="back"),
        element("g", *drawn, transform="translate(12 8)"),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH + 24} {height + 8}",
        role="img",
        aria_label=f"{title}. {told}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, help="what certificates.py --cells has kept")
    parser.add_argument("folder", type=Path, help="where the plots are written")
    given = parser.parse_args()
    cells = [Cell(**one) for one in json.loads(given.cells.read_text())]
    for name, drawn in (("certificates", avoided_plot(cells)), ("certificates-broken", broken_plot(cells))):
        indent(drawn)
        (given.folder / f"{name}.svg").write_bytes(tostring(drawn) + b"\n")


if __name__ == "__main__":
    main()
