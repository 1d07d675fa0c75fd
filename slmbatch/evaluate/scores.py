"""How far scores tell right answers from wrong ones. All measures take a weight for each document, many sets at once.

Answers of equal score (a level) stand in no order: each of them counts as right to the share that is right among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import digamma

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
WANTED = (0.9, 0.95, 0.99)  # accuracies for which the coverage is told
BINS = 15  # of the calibration error
LEVELS = 1000  # of scores, when they're pooled for resampling


@dataclass(frozen=True, slots=True)
class Scored:
    """Answers by level of their score, the surest first: `score` of each level, `answers` in it and `right` ones.

    The latter two are sparse matrices (documents, levels). `asked` counts the answers that each document should have:
    also those that aren't there, or have no score. `prefix` begins the names of the measures.
    """

    prefix: str
    score: Doubles
    answers: Any
    right: Any
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
        answers, right = np.asarray(weights @ self.answers), np.asarray(weights @ self.right)
        with np.errstate(invalid="ignore", divide="ignore"):
            columns = [auroc(right, answers - right), ece(self.score, right, answers), aurc(right, answers)]
            columns += coverage(right, answers, weights @ self.asked)
        return np.stack(columns, axis=1)

    def documents(self) -> int:
        """How many documents have an answer with a score."""
        return int((self.answers.sum(axis=1) > 0).sum())

    def pooled(self, most: int = LEVELS) -> Scored:
        """Return about the same with at most so many levels, neighbours put together: what resampling can afford."""
        if len(self.score) <= most:
            return self
        size = np.asarray(self.answers.sum(axis=0)).ravel()
        pool = ((np.cumsum(size) - size / 2) / size.sum() * most).astype(np.int64)
        pool = np.unique(pool, return_inverse=True)[1]
        into = sparse.csr_matrix((np.ones(len(pool)), (np.arange(len(pool)), pool)))
        score = (self.score * size) @ into / (size @ into)
        return Scored(self.prefix, score, self.answers @ into, self.right @ into, self.asked)

    def curve(self) -> list[tuple[float, float]]:
        """Return (share of all that is asked, share of wrong among these) for each level, surest first."""
        answers, right = (np.cumsum(np.asarray(one.sum(axis=0)).ravel()) for one in (self.answers, self.right))
        return list(zip((answers / self.asked.sum()).tolist(), (1 - right / answers).tolist(), strict=True))


def scored(
    prefix: str, document: Places, score: Doubles, right: npt.NDArray[np.bool_], asked: Doubles | None = None
) -> Scored:
    """Gather answers, each of a document, by score; those whose score is NaN are left out.

    See Scored; `asked` is one answer for each document by default.
    """
    asked = np.ones(len(document)) if asked is None else asked
    known = ~np.isnan(score)
    levels, place = np.unique(-score[known], return_inverse=True)
    where, shape = (document[known], place), (len(asked), len(levels))
    answers = sparse.csr_matrix((np.ones(int(known.sum())), where), shape=shape)
    rights = sparse.csr_matrix((right[known].astype(np.float64), where), shape=shape)
    return Scored(prefix, -levels, answers, rights, asked)


def auroc(right: Doubles, wrong: Doubles) -> Doubles:
    """The probability that a right answer's score is above a wrong one's, ties half (Hanley and McNeil 1982).

    From (sets, levels): the right and wrong answers of each score, highest first.
    """
    below = wrong.sum(axis=1, keepdims=True) - np.cumsum(wrong, axis=1)
    return np.asarray((right * (below + wrong / 2)).sum(axis=1) / (right.sum(axis=1) * wrong.sum(axis=1)))


def ece(score: Doubles, right: Doubles, answers: Doubles) -> Doubles:
    """Expected calibration error: mean distance of score and accuracy over BINS bins of equally many answers.

    Nixon et al. 2019, Measuring Calibration in Deep Learning: bins of equal mass, where Guo et al. 2017 have bins of
    equal width. A level on a border is in both bins, in part. Few answers make it larger than 0 even for perfect
    probabilities.
    """
    reached = np.cumsum(answers, axis=1)
    gaps = np.cumsum(score * answers - right, axis=1)  # of the answers reached: what was claimed minus what came true
    borders = np.linspace(0, 1, BINS + 1)
    at_borders = [
        np.interp(borders * here[-1], np.append(0, here), np.append(0, gap))
        for here, gap in zip(reached, gaps, strict=True)
    ]
    return np.asarray(np.abs(np.diff(at_borders, axis=1)).sum(axis=1) / reached[:, -1])


def aurc(right: Doubles, answers: Doubles) -> Doubles:
    """Area under the risk-coverage curve: the mean, over k, of the share of wrong among the k surest answers.

    Geifman, Uziel and El-Yaniv 2019, Bias-Reduced Uncertainty Estimation. Within a level the wrong ones come evenly:
    after N answers with E wrong, the k-th of m more, of which a share r is wrong, has the risk (E + rk) / (N + k),
    which is r + (E - rN) / (N + k), and 1 / (N + k) sums up to a difference of digamma.
    """
    reached, wrong = np.cumsum(answers, axis=1), np.cumsum(answers - right, axis=1)
    before = reached - answers
    share = np.nan_to_num((answers - right) / answers)
    harmonic = digamma(reached + 1) - digamma(before + 1)
    risks = share * answers + (wrong - (answers - right) - share * before) * harmonic
    return np.asarray(risks.sum(axis=1) / reached[:, -1])


def coverage(right: Doubles, answers: Doubles, asked: Doubles) -> list[Doubles]:
    """For each accuracy in WANTED, the largest share of what was asked that a threshold accepts at this accuracy.

    Chosen on the very answers it is told for, so new ones will come out a little lower.
    """
    reached = np.cumsum(answers, axis=1)
    accuracy = np.cumsum(right, axis=1) / reached
    return [np.where(accuracy >= at - 1e-12, reached, 0).max(axis=1) / asked for at in WANTED]
