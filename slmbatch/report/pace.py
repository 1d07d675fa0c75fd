"""The part of report.html that shows how fast rows settled, over all sessions of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any
from xml.etree.ElementTree import Element

from slmbatch.report.markup import details, element, table
from slmbatch.report.svg import steps


def pace(sessions: Sequence[Mapping[str, Any]]) -> list[Element]:
    """Return the plot of how fast rows settled, and its figures; nothing where no session took any time."""
    begins = accumulate((session["wall_s"] for session in sessions), initial=0.0)
    runs = [_steps(session, begin) for session, begin in zip(sessions, begins, strict=False)]
    if not any(runs):
        return []
    rows = [
        [
            session["started_at"][:19].replace("T", " "),
            f"{session['wall_s']:,.1f}",
            f"{sum(session['rows']):,}",
            f"{sum(session['rows']) / (session['wall_s'] or 1):,.1f}",
        ]
        for session in sessions
    ]
    told = "; ".join(f"session of {row[0]} UTC: {row[2]} rows in {row[1]} s" for row in rows)
    unit, length_s = _unit(sum(session["wall_s"] for session in sessions))
    scaled = [[(start / length_s, end / length_s, height) for start, end, height in run] for run in runs]
    plot = steps("Throughput over time", told, scaled, unit=unit)
    return [
        element("h2", "Throughput over time"),
        element("p", "Rows settled per second of work, sessions one after the other.", class_="soft"),
        element("figure", plot, details(table(["Began (UTC)", "Seconds", "Rows", "Rows/s"], rows))),
    ]


def _unit(seconds: float) -> tuple[str, float]:
    """The unit of time that a span of so many seconds is read in, and its seconds."""
    return ("h", 3600.0) if seconds > 3 * 3600 else ("min", 60.0) if seconds > 180 else ("s", 1.0)


def _steps(session: Mapping[str, Any], begin: float) -> list[tuple[float, float, float]]:
    """Each interval of a session as (from, to, rows per second); the last one may have ended early."""
    length, wall_s = session["interval_s"], session["wall_s"]
    spans = [(at * length, min((at + 1) * length, wall_s), rows) for at, rows in enumerate(session["rows"])]
    return [(begin + start, begin + end, rows / length) for start, end, rows in spans if end > start]
