"""How many of all rows are right, from expected answers to some of them: a survey's estimate, helped by the scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from slmbatch.evaluate.scores import Doubles

LEAST = 5  # right rows and wrong ones; with fewer the interval would be too narrow
UPPER = 0.975


def share_of_all(right: npt.NDArray[np.bool_], sure: Doubles, all_sure: Doubles) -> tuple[float, float, float] | None:
    """Estimate the share of right rows among all of `all_sure`, with its 95 % interval; None with too little to go by.

    `right` and `sure`, the scores, are of the judged rows, which must be a random sample of all. The regression
    estimator for a finite population (Cochran 1977, Sampling Techniques, chapter 7): the judged rows' share, corrected
    by how their scores differ from everyone's. It's what prediction-powered inference (Angelopoulos et al. 2023) with
    a tuned weight comes to for one batch. Scores needn't be probabilities: they only narrow the interval.
    """
    judged, rows = len(right), len(all_sure)
    if min(right.sum(), judged - right.sum()) < LEAST or judged >= rows:
        return None
    hits, spread = right.astype(np.float64), float(sure.var())
    slope = float(np.cov(hits, sure, bias=True)[0, 1]) / spread if spread else 0.0
    estimate = float(hits.mean() + slope * (all_sure.mean() - sure.mean()))
    left = hits - hits.mean() - slope * (sure - sure.mean())
    error = np.sqrt((1 - judged / rows) * float(left @ left) / (judged - 2) / judged)
    reach = float(stdtrit(judged - 2, UPPER) * error)
    low, value, high = np.clip([estimate - reach, estimate, estimate + reach], 0.0, 1.0).tolist()
    return value, low, high
