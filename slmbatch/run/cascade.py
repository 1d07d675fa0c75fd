"""One row's life: for each tier, ask; accept or go on; settle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from slmbatch.confidence.gate import refusal
from slmbatch.run.attempt_log import AttemptLog, Trail
from slmbatch.run.rung import Rung, Working
from slmbatch.types import Document, Result, Status


class Cascade(Protocol):
    """The tiers of a run, and how a row goes through them."""

    @property
    def tiers(self) -> Sequence[Working]:
        """All tiers, in their order."""

    async def settle(self, document: Document, key: bytes, *, log: AttemptLog, threshold: float) -> Result:
        """Take one document up the tiers."""


class PlainCascade:
    """The same tiers for every document."""

    def __init__(self, tiers: Sequence[Rung]) -> None:
        self.tiers = tiers

    async def settle(self, document: Document, key: bytes, *, log: AttemptLog, threshold: float) -> Result:
        """Take one document up the tiers. See `settle`."""
        return await settle(document, key, self.tiers, log=log, threshold=threshold)


async def settle(document: Document, key: bytes, tiers: Sequence[Rung], *, log: AttemptLog, threshold: float) -> Result:
    """Take one document up the tiers until one is trusted with it, from where a killed session has left it.

    Ends as unreadable (no text), accepted, review (answered, but no tier was trusted: the last answer is shown) or
    failed (no tier gave a usable answer). The reason tells of every tier that didn't settle it.
    """
    notes, length = document.notes(), len(document.text)
    if document.problem is not None:
        return Result(key, Status.UNREADABLE, (), reason=document.problem, notes=notes, characters=length)
    trail = Trail(log, key)
    attempts = trail.attempts
    shown: int | None = None
    reasons: list[str] = []
    for tier in tiers:
        attempt = await trail.ask(tier, document, None if shown is None else attempts[shown])
        if attempt is None:
            continue
        if attempt.answer is None:
            reasons.append(f"{attempt.error_kind}: {attempt.error}")
            continue
        shown = len(attempts) - 1
        reason = refusal(attempt.answer, threshold=threshold, last=tier is tiers[-1])
        if reason is None:
            return Result(key, Status.ACCEPTED, tuple(attempts), shown, notes=notes, characters=length)
        reasons.append(reason)
    if not attempts:
        reasons = ["no_tier: the document carries no e-invoice, and no tier but embedded-xml is named"]
    status = Status.FAILED if shown is None else Status.REVIEW
    return Result(key, status, tuple(attempts), shown, "; then ".join(reasons), notes, length)
