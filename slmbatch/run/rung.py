"""What the cascade and the loop know of a tier, whether a model's or a head's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from slmbatch.engines.loaders import HEADS, load_engine
from slmbatch.engines.wire import Meter
from slmbatch.run.answers import Task
from slmbatch.run.clock import BusyClock
from slmbatch.run.fieldwise import Fieldwise
from slmbatch.run.plan import TierPlan
from slmbatch.tasks.extract import ExtractTask
from slmbatch.types import Attempt, Document


class Working(Protocol):
    """A tier at work, as the loop knows it."""

    plan: TierPlan
    busy: BusyClock

    @property
    def concurrency(self) -> int:
        """How many documents at a time it works best with."""

    async def start(self) -> None:
        """Begin before a document asks for it."""

    async def close(self) -> None: ...


class Rung(Working, Protocol):
    """Something that tries documents."""

    async def attempt(self, document: Document, before: Attempt | None = None) -> Attempt | None:
        """Try one document, whose last answer so far is that of `before`; None if there is nothing in it for this tier.

        What fails for this document only is an attempt with an error, not an exception.
        """


def make_rungs(
    plan: TierPlan,
    tasks: Mapping[str, Task],
    *,
    log: Path,
    download: bool,
    meter: Meter | None,
    fieldwise: Mapping[str, Fieldwise],
) -> dict[str, Rung]:
    """Make the tier of a plan for each task, over one engine; nothing is started. `meter` counts a paid tier's money.

    A task with `fieldwise` is asked only for what an earlier tier's answer leaves in doubt. Of several tasks those that
    a head can't do are left out.
    """
    busy = BusyClock()
    if plan.spec.engine in HEADS:
        from slmbatch.run.head_tier import HeadTier

        apt = {name: task for name, task in tasks.items() if len(tasks) == 1 or _fits(plan, task)}
        return {name: HeadTier(plan, task, download=download, busy=busy) for name, task in apt.items()}
    from slmbatch.run.shared_engine import SharedEngine
    from slmbatch.run.tier import Tier

    engine = load_engine(plan.spec, plan.settings, log=log, download=download, meter=meter)
    if len(tasks) > 1:
        engine = SharedEngine(engine, plan.name)
    return {
        name: Tier(plan, task, engine=engine, busy=busy, fieldwise=fieldwise.get(name)) for name, task in tasks.items()
    }


def _fits(plan: TierPlan, task: Task) -> bool:
    return isinstance(task, ExtractTask) and (bool(task.schema.terms) or not plan.embedded)
