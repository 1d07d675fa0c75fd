"""How good a classifier is, from its probabilities and the right labels. Knows no texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slmbatch.heads.text.logistic import Doubles

BINS = 15  # of the calibration error


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One label: how many rows, and how well they were told apart."""

    label: str
    rows: int
    precision: float | None
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = (self.precision or 0.0) + self.recall
        return 2 * (self.precision or 0.0) * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """Cross-validated: each row was answered by a classifier that hadn't seen it. All but `rows` are shares of 1.

    `calibration_error` is the expected calibration error over 15 bins of equal width (Guo et al. 2017).
    """

    rows: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    by_label: tuple[ClassQuality, ...]


def quality(names: Sequence[str], probabilities: Doubles, chosen: npt.NDArray[np.int64]) -> Quality:
    """Compare probabilities (rows, labels) with the right labels' positions; one beyond the last is none of them."""
    places = np.arange(len(names))
    told = probabilities.argmax(axis=1) if len(chosen) else chosen
    sure = probabilities.max(axis=1) if len(chosen) else np.zeros(0)
    return measure(names, places == told[:, None], places == chosen[:, None], sure)


def measure(names: Sequence[str], told: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_], sure: Doubles) -> Quality:
    """Compare the labels that were told with the right ones, both (rows, labels); `sure` is claimed for the row."""
    if not len(right):
        return Quality(0, 0.0, 0.0, 0.0, ())
    by_label = tuple(_by_label(names, told, right))
    whole = (told == right).all(axis=1)
    return Quality(
        rows=len(right),
        accuracy=float(whole.mean()),
        macro_f1=float(np.mean([one.f1 for one in by_label])) if by_label else 0.0,
        calibration_error=calibration_error(sure, whole),
        by_label=by_label,
    )


def _by_label(
    names: Sequence[str], told: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]
) -> Iterator[ClassQuality]:
    rows, answers, hits = (one.sum(axis=0).tolist() for one in (right, told, told & right))
    for name, count, answered, hit in zip(names, rows, answers, hits, strict=True):
        if count:
            yield ClassQuality(name, count, hit / answered if answered else None, hit / count)


def calibration_error(sure: Doubles, right: npt.NDArray[np.bool_]) -> float:
    """Return the mean gap, over 15 bins of equal width, between what was claimed and the share that came true."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, sure - right, BINS)  # in each bin: sum of what was claimed minus what came true
    return float(np.abs(gaps).sum() / len(sure))
