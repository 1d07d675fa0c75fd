"""Carry out a plan: claim the folder, run the loop, build the tables."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from slmbatch.errors import Interrupted, SlmbatchError
from slmbatch.run.loop import Counts, Loop
from slmbatch.run.plan import Plan
from slmbatch.store.folder import DONE, RunFolder
from slmbatch.store.manifest import open_manifest
from slmbatch.store.parts import PartStore
from slmbatch.store.tables import build_tables
from slmbatch.tasks.extract import ExtractTask


def execute(plan: Plan, *, watch: Callable[[Counts], None] | None = None, debug: bool = False) -> Counts:
    """Run, or go on where an earlier session stopped; returns the counts of this session.

    Results and fields tables are written once every row is settled. Raises UsageError before anything is asked,
    EngineError when an engine is dead for good, Interrupted on Ctrl-C: what had finished is kept in each case.
    """
    folder = RunFolder(plan.choices.out)
    folder.claim(overwrite=plan.choices.overwrite)
    handler = _log_to(folder, debug=debug)
    try:
        open_manifest(folder, plan.settings())
        loop = Loop(plan, folder, watch)
        (folder.root / DONE).unlink(missing_ok=True)
        _run(loop.run())
        schema = plan.task.schema if isinstance(plan.task, ExtractTask) else None
        build_tables(folder, PartStore(folder.parts).paths(), schema)
    except SlmbatchError as error:
        _say_how_to_go_on(error, folder)
        raise
    finally:
        logging.getLogger("slmbatch").removeHandler(handler)
        handler.close()
        folder.release()
    return loop.counts


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:  # not on this platform
        asyncio.run(work)
    else:
        uvloop.run(work)


def _say_how_to_go_on(error: SlmbatchError, folder: RunFolder) -> None:
    if isinstance(error, Interrupted):
        error.remedy = f"Finished rows are kept in {folder.root}. Run the same command again to go on."


def _log_to(folder: RunFolder, *, debug: bool) -> logging.Handler:
    """Log to the run folder as JSON lines. Document texts and keys are never passed to the logger."""
    handler = logging.FileHandler(folder.logs / "slmbatch.jsonl", encoding="utf-8")
    handler.setFormatter(_JsonLines())
    logger = logging.getLogger("slmbatch")
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.addHandler(handler)
    return handler


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({key: value for key, value in entry.items() if value is not None}, ensure_ascii=False)
