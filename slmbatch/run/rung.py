"""What the cascade and the loop know of a tier, whether a model's or a head's."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from slmbatch.engines.loaders import HEADS
from slmbatch.engines.wire import Meter
from slmbatch.run.answers import Task
from slmbatch.run.clock import BusyClock
from slmbatch.run.fieldwise import Fieldwise
from slmbatch.run.plan import TierPlan
from slmbatch.types import Attempt, Document


class Rung(Protocol):
    """Something that tries documents."""

    plan: TierPlan
    busy: BusyClock

    @property
    def concurrency(self) -> int:
        """How many documents at a time it works best with."""

    async def start(self) -> None:
        """Begin before a document asks for it."""

    async def attempt(self, document: Document, before: Attempt | None = None) -> Attempt | None:
        """Try one document, whose last answer so far is that of `before`; None if there is nothing in it for this tier.

        What fails for this document only is an attempt with an error, not an exception.
        """

    async def close(self) -> None: ...


def make_rung(
    plan: TierPlan, task: Task, *, log: Path, download: bool, meter: Meter | None, fieldwise: Fieldwise | None = None
) -> Rung:
    """Make the tier of a plan; nothing is started. `meter` counts the money of a paid tier.

    With `fieldwise` it's asked only for what an earlier tier's answer leaves in doubt.
    """
    if plan.spec.engine in HEADS:
        from slmbatch.run.head_tier import HeadTier

        return HeadTier(plan, task, download=download)
    from slmbatch.run.tier import Tier

    return Tier(plan, task, log=log, download=download, meter=meter, fieldwise=fieldwise)
