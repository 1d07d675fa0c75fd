"""How long a tier was at work."""

from __future__ import annotations

import time


class BusyClock:
    """Seconds in which at least one request was under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._since = 0.0
        self._sum = 0.0

    def __enter__(self) -> None:
        if not self._under_way:
            self._since = time.monotonic()
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._sum += time.monotonic() - self._since

    @property
    def seconds(self) -> float:
        running = time.monotonic() - self._since if self._under_way else 0.0
        return self._sum + running
