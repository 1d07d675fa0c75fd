"""One row's life: for each tier, ask; accept or go on; settle."""

from __future__ import annotations

from collections.abc import Sequence

from slmbatch.confidence.gate import refusal
from slmbatch.run.attempt_log import AttemptLog
from slmbatch.run.rung import Rung
from slmbatch.types import Attempt, Document, Result, Status


async def settle(document: Document, key: bytes, tiers: Sequence[Rung], *, log: AttemptLog, threshold: float) -> Result:
    """Take one document up the tiers until one is trusted with it, from where a killed session has left it.

    Ends as unreadable (no text), accepted, review (answered, but no tier was trusted: the last answer is shown) or
    failed (no tier gave a usable answer). The reason tells of every tier that didn't settle it.
    """
    notes, length = document.notes(), len(document.text)
    if document.problem is not None:
        return Result(key, Status.UNREADABLE, (), reason=document.problem, notes=notes, characters=length)
    attempts: list[Attempt] = []
    shown: int | None = None
    reasons: list[str] = []
    told = {one.tier: one for one in log.recall(key)}
    logged = len(told)
    for tier in tiers:
        attempt = told.get(tier.plan.name)
        if attempt is None:
            if tier.plan.metered and len(attempts) > logged:
                await log.keep(key, attempts)
                logged = len(attempts)
            attempt = await tier.attempt(document, None if shown is None else attempts[shown])
        if attempt is None:
            continue
        attempts.append(attempt)
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
