"""How far scores tell right answers from wrong ones. All measures take a weight for each document, many sets at once.

Answers of equal score stand in no order: each of them counts as right to the share that is right among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
WANTED = (0.9, 0.95, 0.99)  # accuracies for which the coverage is told
BINS = 15  # of the calibration error


@dataclass(frozen=True, slots=True)
class Scored:
    """Answers with scores, surest first: the `document` of each, its `score`, whether it is `right` (0 or 1).

    `asked` counts the answers that each document should have: also those that aren't there, or have no score. `prefix`
    begins the names of the measures, of which there are len(WANTED) + 3.
    """

    prefix: str
    document: Places
    score: Doubles
    right: Doubles
    asked: Doubles

    @property
    def names(self) -> list[tuple[str, str | None]]:
        """What `values` returns, in order: measure and its argument."""
        alone: list[tuple[str, str | None]] = [(f"{self.prefix}{name}", None) for name in ("auroc", "ece", "aurc")]
        return alone + [(f"{self.prefix}coverage_at", f"{at:g}") for at in WANTED]

    def values(self, weights: Doubles) -> Doubles:
        """Return the measures, (sets, names), for weights of (sets, documents); NaN where there is nothing."""
        if not len(self.score):
            return np.full((len(weights), len(self.names)), np.nan)
        each = weights[:, self.document]
        starts = np.flatnonzero(np.diff(self.score, prepend=np.inf))  # where another score begins
        right, all_ = (np.add.reduceat(one, starts, axis=1) for one in (each * self.right, each))
        with np.errstate(invalid="ignore", divide="ignore"):
            levels = np.repeat(np.nan_to_num(right / all_), np.diff(starts, append=len(self.score)), axis=1)
            columns = [auroc(right, all_ - right), self._ece(each, levels), aurc(each, levels)]
            columns += coverage(right, all_, weights @ self.asked)
        return np.stack(columns, axis=1)

    def curve(self) -> list[tuple[float, float]]:
        """Return (share of all that is asked, share of wrong among these) for each score, surest first."""
        starts = np.flatnonzero(np.diff(self.score, prepend=np.inf))
        if not len(starts):
            return []
        reached = np.cumsum(np.diff(starts, append=len(self.score)))
        wrong = np.cumsum(np.add.reduceat(1 - self.right, starts))
        return list(zip((reached / self.asked.sum()).tolist(), (wrong / reached).tolist(), strict=True))

    def _ece(self, each: Doubles, levels: Doubles) -> Doubles:
        """Expected calibration error: mean distance of score and accuracy over bins of equally many answers.

        Nixon et al. 2019, Measuring Calibration in Deep Learning: bins of equal mass, where Guo et al. 2017 have bins
        of equal width. With few answers it's above 0 even for perfect probabilities.
        """
        reached = np.cumsum(each, axis=1)
        bins = np.minimum((reached - each / 2) / reached[:, -1:] * BINS, BINS - 1)
        places = np.nan_to_num(bins).astype(np.int64) + BINS * np.arange(len(each))[:, None]
        gaps = np.bincount(places.ravel(), (each * (self.score - levels)).ravel(), BINS * len(each))
        return np.asarray(np.abs(gaps).reshape(len(each), BINS).sum(axis=1) / reached[:, -1])


def auroc(right: Doubles, wrong: Doubles) -> Doubles:
    """The probability that a right answer's score is above a wrong one's, ties half (Hanley and McNeil 1982).

    From (sets, levels): the right and wrong answers of each score, highest first.
    """
    below = wrong.sum(axis=1, keepdims=True) - np.cumsum(wrong, axis=1)
    return np.asarray((right * (below + wrong / 2)).sum(axis=1) / (right.sum(axis=1) * wrong.sum(axis=1)))


def aurc(each: Doubles, levels: Doubles) -> Doubles:
    """Area under the risk-coverage curve: the mean, over k, of the share of wrong among the k surest answers.

    Geifman, Uziel and El-Yaniv 2019, Bias-Reduced Uncertainty Estimation. From weights and shares of right, (sets,
    answers), surest first.
    """
    reached = np.cumsum(each, axis=1)
    risk = np.cumsum(each * (1 - levels), axis=1) / reached
    return np.asarray((each * np.nan_to_num(risk)).sum(axis=1) / reached[:, -1])


def coverage(right: Doubles, all_: Doubles, asked: Doubles) -> list[Doubles]:
    """For each accuracy in WANTED, the largest share of what was asked that a threshold accepts at this accuracy.

    Chosen on the very answers it is told for, so new ones will come out a little lower.
    """
    reached = np.cumsum(all_, axis=1)
    accuracy = np.cumsum(right, axis=1) / reached
    return [np.where(accuracy >= at - 1e-12, reached, 0).max(axis=1) / asked for at in WANTED]


def scored(
    prefix: str, document: Places, score: Doubles, right: npt.NDArray[np.bool_], asked: Doubles | None = None
) -> Scored:
    """Sort answers by score; those whose score is NaN are left out. See Scored; `asked` is one of each by default."""
    asked = np.ones(len(document)) if asked is None else asked
    order = np.argsort(-score, kind="stable")
    order = order[~np.isnan(score[order])]
    return Scored(prefix, document[order], score[order], right[order].astype(np.float64), asked)
