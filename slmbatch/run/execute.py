"""Carry out a plan in a claimed folder: run the loop, build the tables."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from slmbatch.engines.wire import Meter
from slmbatch.errors import EngineError, Interrupted
from slmbatch.readers import Found, read
from slmbatch.run.answers import Task, extractions
from slmbatch.run.calibrated import CalibratedRung
from slmbatch.run.cascade import Cascade, PlainCascade
from slmbatch.run.fieldwise import Fieldwise
from slmbatch.run.head_tier import HeadTier
from slmbatch.run.loop import Counts, Documents, Loop
from slmbatch.run.paying import metered
from slmbatch.run.plan import Plan, TierPlan
from slmbatch.run.purse import Purse
from slmbatch.run.rung import Rung, make_rungs
from slmbatch.run.triage import SORTING, TypedCascade, TypedTier
from slmbatch.store.folder import DONE, RunFolder, Stage
from slmbatch.store.ledger import Ledger
from slmbatch.store.manifest import open_manifest
from slmbatch.store.parts import part_paths
from slmbatch.store.tables import build_tables
from slmbatch.tasks.triage import TriageTask
from slmbatch.types import printable


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the documents: the tiers that are asked, and where their results are kept.

    With `only`, the contents with these keys are settled and no more; `sources` are the files that hold them.
    `threshold` replaces the run's. What was paid for on another `occasion` doesn't answer this pass.
    """

    tiers: Sequence[TierPlan]
    stage: Stage
    threshold: float | None = None
    only: frozenset[bytes] | None = None
    sources: frozenset[str] | None = None
    occasion: str = ""


def execute(
    plan: Plan,
    folder: RunFolder,
    *,
    watch: Callable[[Counts], None] | None = None,
    only: frozenset[bytes] | None = None,
) -> Counts:
    """Run, or go on where an earlier session stopped; returns the counts of this session.

    With `only`, the contents with these keys are settled and no more: the tables are left to a session of all.
    Results and fields tables are written once every row is settled. Raises UsageError before anything is asked,
    EngineError when an engine is dead for good, Interrupted on Ctrl-C: what had finished is kept in each case.
    """
    counts = run_pass(plan, folder, Pass(plan.tiers, folder.main, only=only), watch=watch, clear=plan.choices.overwrite)
    if only is None:
        build_tables(folder, part_paths(folder.parts), plan.schema)
    return counts


def run_pass(
    plan: Plan,
    folder: RunFolder,
    one: Pass,
    *,
    watch: Callable[[Counts], None] | None = None,
    clear: bool = False,
    begin: Callable[[], None] | None = None,
) -> Counts:
    """Settle what this pass is about. `clear` removes what is in the folder, once tiers and inputs are usable.

    `begin` is called when the folder is this run's, before anything is asked.
    """
    purse = Purse(plan.max_usd)
    asked = plan if one.threshold is None else replace(plan, threshold=one.threshold)
    cascade = _cascade(asked, one, folder, purse)
    documents = read(_found(plan.found, one.sources), plan.reading)
    if one.only is not None:
        documents = _these(documents, one.only)
    if clear:
        folder.clear()
    one.stage.parts.mkdir(parents=True, exist_ok=True)
    handler = _log_to(folder)
    try:
        run = open_manifest(folder, plan.settings())
        if begin is not None:
            begin()
        if any(tier.metered for tier in one.tiers):
            purse.open(Ledger(folder.ledger, run))
        loop = Loop(asked, folder, cascade=cascade, purse=purse, documents=documents, watch=watch, stage=one.stage)
        if one.only is not None:
            loop.counts.total = len(one.only)
        else:
            (folder.root / DONE).unlink(missing_ok=True)
        _run(loop.run())
    except (Interrupted, EngineError) as error:
        kept = f"Finished rows are kept in {folder.root}. Run the same command again to go on."
        error.remedy = f"{error.remedy} {kept}".strip()
        raise
    finally:
        logging.getLogger("slmbatch").removeHandler(handler)
        handler.close()
    return loop.counts


def _found(found: Found, sources: frozenset[str] | None) -> Found:
    """Leave out the files that hold nothing of interest."""
    if sources is None:
        return found
    return replace(found, sources=tuple(one for one in found.sources if printable(str(one.path)) in sources))


def _these(documents: Documents, keys: frozenset[bytes]) -> Documents:
    """Yield the first document of each of these contents."""
    left = set(keys)
    for batch in documents:
        wanted = []
        for document in batch:
            if (key := document.content_hash()) in left:
                left.remove(key)
                wanted.append(document)
        yield wanted


def _cascade(plan: Plan, one: Pass, folder: RunFolder, purse: Purse) -> Cascade:
    """Make the tiers; nothing is started."""
    asked = {} if plan.choices.whole else extractions(plan.task)
    fieldwise = {name: Fieldwise(task, plan.threshold) for name, task in asked.items()}
    meters = {tier.name: partial(metered, purse=purse, tier=tier, occasion=one.occasion) for tier in one.tiers}
    made = [(tier, _rungs(tier, plan, folder, meters[tier.name], fieldwise)) for tier in one.tiers if not tier.sorts]
    if not isinstance(plan.task, TriageTask):
        return PlainCascade([rungs[""] for _, rungs in made])
    (sorter,) = (HeadTier(tier, plan.task, download=False) for tier in one.tiers if tier.sorts)
    return TypedCascade(sorter, [TypedTier(tier, rungs) for tier, rungs in made])


def _rungs(
    tier: TierPlan, plan: Plan, folder: RunFolder, meter: Meter, fieldwise: Mapping[str, Fieldwise]
) -> dict[str, Rung]:
    """Make one tier's rung for each type of document, the only one for ""."""
    log_path = folder.logs / f"{plan.tiers.index(tier) + 1}-{tier.spec.engine}.log"
    download, curve = plan.choices.download, plan.curves.tiers.get(tier.name)
    task = plan.task
    tasks: dict[str, Task] = {"": task} if not isinstance(task, TriageTask) else {**task.types, SORTING: task.sorting}
    paid = meter if tier.metered else None
    rungs = make_rungs(tier, tasks, log=log_path, download=download, meter=paid, fieldwise=fieldwise)
    asked = extractions(task) or tasks  # a curve of fields says nothing of types
    return {
        name: rung if curve is None or name not in asked else CalibratedRung(rung, curve)
        for name, rung in rungs.items()
    }


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:  # not on this platform
        asyncio.run(work)
    else:
        uvloop.run(work)


def _log_to(folder: RunFolder) -> logging.Handler:
    """Log to the run folder as JSON lines. Document texts and keys are never passed to the logger."""
    handler = logging.FileHandler(folder.logs / "slmbatch.jsonl", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_JsonLines())
    logger = logging.getLogger("slmbatch")
    logger.setLevel(logging.INFO)
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
