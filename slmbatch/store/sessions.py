"""How long the sessions of a run took, and how fast they went: a run that was interrupted and resumed has several."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAVE_EVERY_S = 5.0
FINEST_S, MOST_INTERVALS = 0.25, 240  # a minute in quarter seconds, a day in intervals of about nine minutes


@dataclass(frozen=True, slots=True)
class SessionPace:
    """One session: when it began (ISO, UTC), its seconds, and the rows settled in each `interval_s`."""

    started_at: str
    wall_s: float
    interval_s: float
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds over all sessions: wall clock, and busy time by tier; and each session's pace, oldest first."""

    wall_s: float
    busy_s: Mapping[str, float]
    paces: Sequence[SessionPace]


class Pace:
    """Rows settled in each interval since the start. Intervals double in length whenever there would be too many."""

    def __init__(self) -> None:
        self.interval_s = FINEST_S
        self.rows: list[int] = []

    def add(self, at_s: float, rows: int) -> None:
        """Count rows that were settled so many seconds after the start."""
        while at_s >= self.interval_s * MOST_INTERVALS:
            self.rows = [sum(self.rows[at : at + 2]) for at in range(0, len(self.rows), 2)]
            self.interval_s *= 2
        at = int(at_s // self.interval_s)
        self.rows += [0] * (at + 1 - len(self.rows))
        self.rows[at] += rows


class Session:
    """One session's clock, saved from time to time so that a kill loses only the last seconds of it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"session-{len(list(folder.glob('session-*.json'))):04d}.json"
        self._began = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._started = time.monotonic()
        self._saved = 0.0
        self._pace = Pace()

    def count(self, rows: int) -> None:
        """Note that rows were settled just now."""
        self._pace.add(time.monotonic() - self._started, rows)

    def save(self, busy_s: Mapping[str, float], *, now: bool = False) -> None:
        """Write the clock, at most every SAVE_EVERY_S seconds unless `now`."""
        wall_s = time.monotonic() - self._started
        if now or wall_s - self._saved >= SAVE_EVERY_S:
            self._saved = wall_s
            pace = {"started_at": self._began, "interval_s": self._pace.interval_s, "rows": self._pace.rows}
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps({"wall_s": wall_s, "busy_s": dict(busy_s), **pace}))
            temporary.replace(self._path)


def spent(folder: Path) -> Spent:
    """Sum the sessions of a run."""
    wall_s, busy_s, paces = 0.0, Counter[str](), []
    for path in sorted(folder.glob("session-*.json")):
        try:
            session = json.loads(path.read_text())
        except ValueError:  # lost with the power: its seconds are unknown
            continue
        wall_s += session["wall_s"]
        busy_s.update(session["busy_s"])
        paces.append(
            SessionPace(session["started_at"], session["wall_s"], session["interval_s"], tuple(session["rows"]))
        )
    return Spent(wall_s, busy_s, paces)
