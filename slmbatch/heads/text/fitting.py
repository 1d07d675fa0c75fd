"""Fit a classifier on labelled texts, and say how good it is on rows it wasn't fitted on (cross-fitting)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from slmbatch.heads.text.classifier import LEAST, Classifier, Pooling
from slmbatch.heads.text.embeddings import Embedder, Floats
from slmbatch.heads.text.logistic import Doubles, Logistic, fit, softmax
from slmbatch.heads.text.tfidf import SparseRows, TfIdf

Ints: TypeAlias = npt.NDArray[np.int64]
Pair: TypeAlias = tuple[Logistic, Logistic]  # by grams, by meaning

GRAMS_STRENGTH, MEANING_STRENGTH = 30.0, 10.0  # best of 1, 10, 30 over the public sets measured; flat around it
FOLDS, MANY_ROWS, FOLDS_OF_MANY = 5, 2_000, 3
KNOWN_BELOW = 0.05  # the share of known rows that may be taken for unknown ones
EVEN, MILD = 20.0, 2.0  # how firmly few rows are held to equal shares of the views, and to weights that sum to 1
BINS = 15  # of the calibration error
SEED = 0


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One label: how many rows, and how well they were told apart."""

    label: str
    rows: int
    precision: float | None
    recall: float | None


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


@dataclass(frozen=True, slots=True)
class _Views:
    """The two views of all rows, and which label (by position) each row has."""

    grams: SparseRows
    sparse: csr_matrix
    meaning: Floats
    chosen: Ints
    labels: int

    def fit(self, rows: Ints, start: Pair | tuple[None, None] = (None, None)) -> Pair:
        """Fit both views on some rows."""
        targets = np.eye(self.labels, dtype=np.float32)[self.chosen[rows]]
        return (
            fit(self.sparse[rows], targets, strength=GRAMS_STRENGTH, start=start[0]),
            fit(self.meaning[rows], targets, strength=MEANING_STRENGTH, start=start[1]),
        )


def fit_classifier(
    texts: Sequence[str], labels: Sequence[str], embedder: Embedder, *, other: str | None = None
) -> tuple[Classifier, Quality]:
    """Fit on one label per text.

    `other` is the name of the answer that no label fits: with rows of that label it is a label like any other, without
    any it is answered for texts less probable under every label than all but 5 % of the rows are.
    """
    names = tuple(sorted(set(labels)))
    tfidf = TfIdf.fit(texts)
    grams = tfidf.transform(texts)
    chosen = np.array([names.index(label) for label in labels])
    sparse = csr_matrix((grams.values, grams.columns, grams.starts), (len(texts), grams.width))
    views = _Views(grams, sparse, embedder.embed(texts), chosen, len(names))
    held, by_grams, by_meaning, start = _cross_fit(views)
    pooling = _pooled(by_grams, by_meaning, chosen[held])
    unseen = pooling.combine(by_grams, by_meaning)
    sure = unseen.max(axis=1) if len(held) else np.zeros(1)
    least = float(np.quantile(sure, KNOWN_BELOW)) if other is not None and other not in names else None
    final = views.fit(np.arange(len(texts)), start)
    classifier = Classifier(names, tfidf, *final, pooling, least)
    return classifier, quality(names, unseen, chosen[held])


def _folds(chosen: Ints) -> Ints:
    """Deal the rows of each label to the folds in turn, in random order; the only row of a label is held by none."""
    folds = FOLDS_OF_MANY if len(chosen) > MANY_ROWS else FOLDS
    random = np.random.default_rng(SEED)
    dealt = np.full(len(chosen), -1, np.int64)
    next_fold = 0
    for label in np.unique(chosen):
        rows = random.permutation(np.flatnonzero(chosen == label))
        if len(rows) > 1:
            dealt[rows] = (next_fold + np.arange(len(rows))) % folds
            next_fold += len(rows)
    return dealt


def _cross_fit(views: _Views) -> tuple[Ints, Doubles, Doubles, Pair | tuple[None, None]]:
    """Return the rows that were held out once, both views' probabilities for them, and the mean of the fits."""
    dealt = _folds(views.chosen)
    held: list[Ints] = []
    told: list[tuple[Doubles, Doubles]] = []
    fits: list[Pair] = []
    for fold in range(dealt.max(initial=-1) + 1):
        out = np.flatnonzero(dealt == fold)
        by_grams, by_meaning = views.fit(np.flatnonzero(dealt != fold))
        fits.append((by_grams, by_meaning))
        held.append(out)
        told.append(
            (
                softmax(views.sparse[out] @ by_grams.weights + by_grams.biases),
                softmax(views.meaning[out] @ by_meaning.weights + by_meaning.biases),
            )
        )
    none = np.zeros((0, views.labels))
    return (
        np.concatenate([np.zeros(0, np.int64), *held]),
        np.concatenate([none, *(one for one, _ in told)]),
        np.concatenate([none, *(one for _, one in told)]),
        (_mean([one for one, _ in fits]), _mean([one for _, one in fits])) if fits else (None, None),
    )


def _mean(fits: Sequence[Logistic]) -> Logistic:
    return Logistic(
        np.mean([one.weights for one in fits], axis=0, dtype=np.float32),
        np.mean([one.biases for one in fits], axis=0, dtype=np.float32),
    )


def _pooled(by_grams: Doubles, by_meaning: Doubles, chosen: Ints) -> Pooling:
    """Choose the weights that make the held-out rows' labels most probable: combination and calibration in one.

    One row in n + 2 counts as of any label, as in Platt's scaling (1999): n rows that are all told apart don't show
    that the next one will be.
    """
    if not len(chosen):
        return Pooling(0.5, 0.5)  # a geometric mean, where there is nothing to learn from
    rows = np.arange(len(chosen))
    doubt = 1 / (len(chosen) + 2)

    def loss(point: Doubles) -> float:
        share, sharpness = point
        weights = share * np.exp(sharpness), (1 - share) * np.exp(sharpness)
        logs = np.log(np.maximum(Pooling(*weights).combine(by_grams, by_meaning), LEAST))
        held = EVEN * (share - 0.5) ** 2 + MILD * sharpness**2
        return float(held / len(rows) - (1 - doubt) * logs[rows, chosen].mean() - doubt * logs.mean())

    share, sharpness = minimize(loss, np.array([0.5, 0.0]), bounds=[(0.0, 1.0), (-3.0, 3.0)], method="L-BFGS-B").x
    return Pooling(float(share * np.exp(sharpness)), float((1 - share) * np.exp(sharpness)))


def quality(names: Sequence[str], probabilities: Doubles, chosen: Ints) -> Quality:
    """Compare probabilities (rows, labels) with the right labels' positions."""
    if not len(chosen):
        return Quality(0, 0.0, 0.0, 0.0, ())
    told = probabilities.argmax(axis=1)
    by_label = tuple(_by_label(names, told, chosen))
    halves = [
        2 * (one.precision or 0) * (one.recall or 0) / ((one.precision or 0) + (one.recall or 0) or 1)
        for one in by_label
    ]
    sure = probabilities.max(axis=1)
    return Quality(
        rows=len(chosen),
        accuracy=float((told == chosen).mean()),
        macro_f1=float(np.mean(halves)),
        calibration_error=_calibration_error(sure, told == chosen),
        by_label=by_label,
    )


def _by_label(names: Sequence[str], told: Ints, chosen: Ints) -> Iterator[ClassQuality]:
    rows, answers, right = Counter(chosen.tolist()), Counter(told.tolist()), Counter(chosen[told == chosen].tolist())
    for position, name in enumerate(names):
        if rows[position]:
            precision = right[position] / answers[position] if answers[position] else None
            yield ClassQuality(name, rows[position], precision, right[position] / rows[position])


def _calibration_error(sure: Doubles, right: npt.NDArray[np.bool_]) -> float:
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, sure - right, BINS)  # in each bin: sum of what was claimed minus what came true
    return float(np.abs(gaps).sum() / len(sure))
