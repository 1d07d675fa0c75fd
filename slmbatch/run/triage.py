"""Documents of several types: a tier has a rung for each type, and the first of all tiers says which one a document is.

What a row's tiers are is settled here; what they do with it is in cascade.py, as for any row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from slmbatch.run.cascade import settle
from slmbatch.run.plan import TierPlan
from slmbatch.run.rung import Rung, Working
from slmbatch.tasks.triage import OTHER, typed_path
from slmbatch.types import Answer, Attempt, Document, Result, Status


class TypedTier:
    """One tier for documents of several types: one rung each, all on one clock and over one engine."""

    def __init__(self, plan: TierPlan, rungs: Mapping[str, Rung]) -> None:
        self.plan = plan
        self.rungs = rungs
        self.busy = next(iter(rungs.values())).busy

    @property
    def concurrency(self) -> int:
        """How many documents at a time it works best with; they may all be of one type."""
        return max(rung.concurrency for rung in self.rungs.values())

    async def start(self) -> None:
        """Begin before a document asks for it."""
        for rung in self.rungs.values():
            await rung.start()

    async def close(self) -> None:
        for rung in self.rungs.values():
            await rung.close()


class TypedCascade:
    """All tiers of a run whose documents are of several types."""

    def __init__(self, sorter: Rung, tiers: Sequence[TypedTier]) -> None:
        """`sorter` answers with the type as label: OTHER for none of them, no label where it's in doubt."""
        self.tiers: Sequence[Working] = (sorter, *tiers)
        self._sorter = sorter
        types = {name for tier in tiers for name in tier.rungs}
        self._rungs = {name: [tier.rungs[name] for tier in tiers if name in tier.rungs] for name in types}

    async def settle(self, document: Document, key: bytes, *, threshold: float) -> Result:
        """Find out the document's type, and take it up the tiers with that type's schema.

        One of no type ends as accepted, one of unsure type in review: neither is asked about any further.
        """
        if document.problem is not None:
            return await settle(document, key, (), threshold=threshold)
        sorted_ = await self._sorter.attempt(document)
        assert sorted_ is not None, "a type is told of every document"
        notes, length = document.notes(), len(document.text)
        if sorted_.answer is None:
            reason = f"{sorted_.error_kind}: {sorted_.error}"
            return Result(key, Status.FAILED, (sorted_,), reason=reason, notes=notes, characters=length)
        type_ = sorted_.answer.label
        if type_ is None or type_ == OTHER:
            status = Status.REVIEW if type_ is None else Status.ACCEPTED
            return Result(key, status, (sorted_,), 0, "; ".join(sorted_.answer.problems) or None, notes, length)
        result = await settle(document, key, self._rungs.get(type_, ()), threshold=threshold)
        attempts = (sorted_, *(_typed(one, type_, sorted_.answer) for one in result.attempts))
        return replace(result, attempts=attempts, shown=0 if result.shown is None else result.shown + 1)


def _typed(attempt: Attempt, type_: str, told: Answer) -> Attempt:
    """Say of which type the answer is: its fields stand below that type's name in the tables."""
    asked = tuple(typed_path(type_, path) for path in attempt.asked)
    if attempt.answer is None:
        return replace(attempt, asked=asked)
    leaves = tuple(replace(leaf, path=typed_path(type_, leaf.path)) for leaf in attempt.answer.leaves)
    return replace(attempt, asked=asked, answer=replace(attempt.answer, label=type_, scores=told.scores, leaves=leaves))
