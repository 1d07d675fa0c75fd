"""One row's life: for each tier, ask; accept or go on; settle."""

from __future__ import annotations

from collections.abc import Sequence

from slmbatch.confidence.gate import refusal
from slmbatch.run.tier import Tier
from slmbatch.types import Attempt, Document, Result, Status


async def settle(document: Document, key: bytes, tiers: Sequence[Tier], *, threshold: float) -> Result:
    """Take one document up the tiers until one is trusted with it.

    Ends as unreadable (no text), accepted, review (answered, but no tier was trusted: the last answer is shown) or
    failed (no tier gave a usable answer).
    """
    if document.problem is not None:
        return Result(key, Status.UNREADABLE, (), reason=document.problem)
    attempts: list[Attempt] = []
    shown, reason = None, None
    for tier in tiers:
        attempt = await tier.attempt(document)
        attempts.append(attempt)
        if attempt.answer is None:
            reason = f"{attempt.error_kind}: {attempt.error}" if shown is None else reason
            continue
        shown = len(attempts) - 1
        reason = refusal(attempt.answer, threshold=threshold, last=tier is tiers[-1])
        if reason is None:
            return Result(key, Status.ACCEPTED, tuple(attempts), shown)
    return Result(key, Status.FAILED if shown is None else Status.REVIEW, tuple(attempts), shown, reason)
