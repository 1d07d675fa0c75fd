"""Documents of several types: a tier has a rung for each type, and the first of all tiers says which one a document is.

What a row's tiers are is settled here; what they do with it is in cascade.py, as for any row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from slmbatch.confidence.gate import refusal
from slmbatch.run.attempt_log import AttemptLog, Trail
from slmbatch.run.cascade import settle
from slmbatch.run.plan import TierPlan
from slmbatch.run.rung import Rung, Working
from slmbatch.tasks.labels import OTHER as NO_LABEL
from slmbatch.tasks.triage import OTHER, typed_path
from slmbatch.types import Answer, Attempt, Document, Result, Status

REMEDY = "name a language model with --model or --escalate, add labels to the schemas, or leave a schema out"
"""What a person can do where no tier could tell a type and none of them was a language model."""
SORTING = ""  # among a tier's rungs: the one that is asked for the type


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
        self._sorters = [sorter, *(tier.rungs[SORTING] for tier in tiers if SORTING in tier.rungs)]
        types = {name for tier in tiers for name in tier.rungs} - {SORTING}
        self._rungs = {name: [tier.rungs[name] for tier in tiers if name in tier.rungs] for name in types}

    async def settle(self, document: Document, key: bytes, *, log: AttemptLog, threshold: float) -> Result:
        """Find out the document's type, and take it up the tiers with that type's schema.

        One of no type ends as accepted, one of unsure type in review: neither is asked about any further.
        """
        if document.problem is not None:
            return await settle(document, key, (), log=log, threshold=threshold)
        trail = Trail(log, key)
        reasons = await self._sort(document, trail, threshold)
        told = [_named(one) for one in trail.attempts]
        answer, notes, length = told[-1].answer, document.notes(), len(document.text)
        if reasons or answer is None:
            shown = next((place for place, one in enumerate(told) if one.answer), None)
            status = Status.FAILED if shown is None else Status.REVIEW
            return Result(key, status, tuple(told), shown, "; then ".join(reasons), notes, length)
        if answer.label == OTHER:
            return Result(key, Status.ACCEPTED, tuple(told), len(told) - 1, None, notes, length)
        type_ = str(answer.label)
        rungs = self._rungs.get(type_, ())
        if any(rung.plan.metered for rung in rungs):
            await trail.keep()
        result = await settle(document, key, rungs, log=log.about(type_), threshold=threshold)
        attempts = (*told, *(_typed(one, answer) for one in result.attempts))
        shown = -1 if result.shown is None else result.shown
        return replace(result, attempts=attempts, shown=len(told) + shown)

    async def _sort(self, document: Document, trail: Trail, threshold: float) -> list[str]:
        """Ask for the type until an attempt tells it, the last one; or return the reasons why none does."""
        reasons: list[str] = []
        for rung in self._sorters:
            attempt = await trail.ask(rung, document)
            assert attempt is not None, "a type can be asked of every document"
            if attempt.answer is None:
                reasons.append(f"{attempt.error_kind}: {attempt.error}")
                continue
            reason = _doubt(attempt.answer, threshold, first=not reasons, last=rung is self._sorters[-1])
            if reason is None:
                return []
            reasons.append(reason)
        return reasons if len(self._sorters) > 1 else [f"{one} ({REMEDY})" for one in reasons]


def _doubt(answer: Answer, threshold: float, *, first: bool, last: bool) -> str | None:
    """Return why a type isn't sure; of rules, which come first, their own word counts."""
    return "; ".join(answer.problems) or None if first else refusal(answer, threshold=threshold, last=last)


def _named(attempt: Attempt) -> Attempt:
    """Call no type by one name, whoever told it."""
    if attempt.answer is None or attempt.answer.label != NO_LABEL:
        return attempt
    return replace(attempt, answer=replace(attempt.answer, label=OTHER))


def _typed(attempt: Attempt, told: Answer) -> Attempt:
    """Say of which type the answer is: its fields stand below that type's name in the tables."""
    type_ = str(told.label)
    asked = tuple(typed_path(type_, path) for path in attempt.asked)
    if attempt.answer is None:
        return replace(attempt, asked=asked)
    leaves = tuple(replace(leaf, path=typed_path(type_, leaf.path)) for leaf in attempt.answer.leaves)
    return replace(attempt, asked=asked, answer=replace(attempt.answer, label=type_, scores=told.scores, leaves=leaves))
