"""A tier whose scores are turned into probabilities on the way out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slmbatch.confidence.gate import least, measure, told_once
from slmbatch.run.rung import Rung
from slmbatch.types import Answer, Attempt, Document

if TYPE_CHECKING:
    from slmbatch.certificates.curves import Curve


class CalibratedRung:
    """One rung of the cascade, with a curve for its scores. `score` stays what the tier told."""

    def __init__(self, rung: Rung, curve: Curve) -> None:
        self.plan = rung.plan
        self.busy = rung.busy
        self._rung = rung
        self._curve = curve

    @property
    def concurrency(self) -> int:
        return self._rung.concurrency

    async def start(self) -> None:
        await self._rung.start()

    async def attempt(self, document: Document, before: Attempt | None = None) -> Attempt | None:
        """Try one document, and say how probably the answer is right."""
        attempt = await self._rung.attempt(document, before)
        if attempt is None or attempt.answer is None:
            return attempt
        return replace(attempt, answer=calibrated(attempt.answer, self._curve, self.plan.name))

    async def close(self) -> None:
        await self._rung.close()


def calibrated(answer: Answer, curve: Curve, tier: str) -> Answer:
    """Fill in confidences: the label's; or each field's that this tier found, and for the row the least that decides.

    What has no score has no confidence. A head's own confidence for a field is taken for its score.
    """
    if not answer.leaves:
        (confidence,) = _told(curve, [answer.score])
        return replace(answer, confidence=confidence, calibrated=confidence is not None)
    own = [leaf for leaf in answer.leaves if leaf.tier in {None, tier}]
    scores = [measure(leaf) for leaf in own]
    told = {leaf.path: pair for leaf, *pair in zip(own, scores, _told(curve, scores), strict=True)}
    leaves = tuple(
        replace(leaf, score=told[leaf.path][0], confidence=told[leaf.path][1]) if leaf.path in told else leaf
        for leaf in answer.leaves
    )
    confidence = least(told_once(leaves), lambda leaf: leaf.confidence)
    return replace(answer, leaves=leaves, confidence=confidence, calibrated=confidence is not None)


def _told(curve: Curve, scores: list[float | None]) -> list[float | None]:
    told = curve.probabilities(np.array(scores, np.float64)).tolist()  # None becomes NaN, and stays so
    return [None if score is None else one for score, one in zip(scores, told, strict=True)]
