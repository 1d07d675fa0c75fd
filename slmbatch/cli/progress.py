"""Progress on standard error: a live line on a terminal, a plain line now and then elsewhere (cron)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import typer

from slmbatch.run.loop import Counts

PLAIN_EVERY_S = 30.0


class Progress:
    """Shows how far a run is. Use it as a context manager, and `show` as the run's watch."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live = None
        self._said = time.monotonic()
        self._news = _News(self)
        if not quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        if not self._quiet:
            logging.getLogger("slmbatch").addHandler(self._news)
        return self

    def say(self, text: str) -> None:
        """Show a line that stays."""
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            typer.echo(text, err=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question."""
        if self._live is None:
            yield
            return
        self._live.stop()
        yield
        self._live.start()

    def show(self, counts: Counts) -> None:
        if self._live is not None:
            self._live.update(line(counts))
        elif not self._quiet and time.monotonic() - self._said >= PLAIN_EVERY_S:
            self._said = time.monotonic()
            typer.echo(line(counts), err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("slmbatch").removeHandler(self._news)
        if self._live is not None:
            self._live.stop()


class _News(logging.Handler):
    """Passes on what is logged about servers started here (one is loading a model, or died) and about batches."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        facts = getattr(record, "facts", {})
        if "batch" in facts:
            results = f", {facts['results']} results" if "results" in facts else ""
            self._progress.say(
                f"{facts['tier']}: {record.getMessage()}: {facts['batch']}, {facts['requests']} requests{results}"
            )
        if "server" in facts:
            server, about = facts["server"], facts.get("log") or facts.get("why", "")
            self._progress.say(f"{server}: {record.getMessage()}: {about}")


def line(counts: Counts) -> str:
    """Return one line: rows done, rows/s, share settled per tier, dollars so far, time left."""
    elapsed = max(time.monotonic() - counts.started, 1e-9)
    rate = (counts.done - counts.resumed) / elapsed
    rows = f"{counts.done}/{counts.total}" if counts.total is not None else f"{counts.done}"
    settled = sum(counts.tiers.values())
    shares = ", ".join(f"{tier} {100 * count / settled:.0f} %" for tier, count in counts.tiers.items())
    left = ""
    if counts.total is not None and rate > 0:
        left = f", {_duration((counts.total - counts.done) / rate)} left"
    return f"{rows} rows, {rate:.1f}/s" + (f", {shares}" if shares else "") + f", {counts.usd:.4f} USD{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
