"""How long the sessions of a run took: a run that was interrupted and resumed has several."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SAVE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds over all sessions: wall clock, and busy time by tier."""

    wall_s: float
    busy_s: Mapping[str, float]


class Session:
    """One session's clock, saved from time to time so that a kill loses only the last seconds of it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"session-{len(list(folder.glob('session-*.json'))):04d}.json"
        self._started = time.monotonic()
        self._saved = 0.0

    def save(self, busy_s: Mapping[str, float], *, now: bool = False) -> None:
        """Write the clock, at most every SAVE_EVERY_S seconds unless `now`."""
        wall_s = time.monotonic() - self._started
        if now or wall_s - self._saved >= SAVE_EVERY_S:
            self._saved = wall_s
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps({"wall_s": wall_s, "busy_s": dict(busy_s)}))
            temporary.replace(self._path)


def spent(folder: Path) -> Spent:
    """Sum the sessions of a run."""
    wall_s, busy_s = 0.0, Counter[str]()
    for path in sorted(folder.glob("session-*.json")):
        try:
            session = json.loads(path.read_text())
        except ValueError:  # lost with the power: its seconds are unknown
            continue
        wall_s += session["wall_s"]
        busy_s.update(session["busy_s"])
    return Spent(wall_s, busy_s)
