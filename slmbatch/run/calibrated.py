"""A tier whose scores are turned into probabilities on the way out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slmbatch.confidence.gate import counting
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

    async def attempt(self, document: Document) -> Attempt:
        """Try one document, and say how probably the answer is right."""
        attempt = await self._rung.attempt(document)
        return attempt if attempt.answer is None else replace(attempt, answer=calibrated(attempt.answer, self._curve))

    async def close(self) -> None:
        await self._rung.close()


def calibrated(answer: Answer, curve: Curve) -> Answer:
    """Fill in confidences: the label's; or each field's, and for the row the least of those that it rests on.

    What has no score has no confidence. A head's own confidence for a field is taken for its score.
    """
    if not answer.leaves:
        return replace(answer, confidence=_told(curve, [answer.score])[0])
    scores = [leaf.confidence if leaf.score is None else leaf.score for leaf in answer.leaves]
    leaves = tuple(
        replace(leaf, score=score, confidence=confidence)
        for leaf, score, confidence in zip(answer.leaves, scores, _told(curve, scores), strict=True)
    )
    known = [leaf.confidence for leaf in counting(leaves)]
    least = None if None in known else min(one for one in known if one is not None)
    return replace(answer, leaves=leaves, confidence=least)


def _told(curve: Curve, scores: list[float | None]) -> list[float | None]:
    told = curve.probabilities(np.array(scores, np.float64)).tolist()  # None becomes NaN, and stays so
    return [None if score is None else one for score, one in zip(scores, told, strict=True)]
