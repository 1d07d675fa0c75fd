"""Fit a classifier on labelled texts, and say how good it is on rows it wasn't fitted on (cross-fitting)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from slmbatch.heads.text.classifier import LEAST, Classifier, Pooling, SeveralPooling
from slmbatch.heads.text.embeddings import Embedder
from slmbatch.heads.text.logistic import Doubles, Floats
from slmbatch.heads.text.quality import Quality, measure, quality
from slmbatch.heads.text.views import Ints, Unseen, Views, cross_fit

KNOWN_BELOW = 0.05  # the share of known rows that may be taken for unknown ones
# How firmly few rows are held to equal shares of the views, and to weights that sum to 1. Chosen by judgement, after
# free weights had been seen to go wrong with 16 and 24 rows; one value was tried.
EVEN, MILD = 20.0, 2.0


def fit_classifier(
    texts: Sequence[str], labels: Sequence[str], embedder: Embedder, *, other: str | None = None
) -> tuple[Classifier, Quality]:
    """Fit on one label per text.

    `other` is the name of the answer that no label fits: with rows of that label it is a label like any other, without
    any it is answered for texts less probable under every label than all but 5 % of the rows are.
    """
    names = tuple(sorted(set(labels)))
    chosen = np.array([names.index(label) for label in labels])
    views = Views.of(texts, np.eye(len(names), dtype=np.float32)[chosen], embedder)
    unseen = cross_fit(views)
    right = chosen[unseen.rows]
    pooling = _pooled(unseen, right)
    told = pooling.combine(unseen.by_grams, unseen.by_meaning)
    sure = told.max(axis=1) if len(right) else np.zeros(1)
    least = float(np.quantile(sure, KNOWN_BELOW)) if other is not None and other not in names else None
    final = views.fit(np.arange(len(texts)), unseen.near)
    return Classifier(names, views.tfidf, *final, pooling, least), quality(names, told, right)


def fit_several(
    texts: Sequence[str], labels: Sequence[frozenset[str]], embedder: Embedder
) -> tuple[Classifier, Quality]:
    """Fit on any number of labels per text; `accuracy` of the quality is that of whole sets of labels."""
    names = tuple(sorted(frozenset[str]().union(*labels)))
    targets = np.array([[name in row for name in names] for row in labels], np.float32)
    views = Views.of(texts, targets, embedder, several=True)
    unseen = cross_fit(views)
    right = targets[unseen.rows]
    pooling = _pooled_several(unseen, right)
    told = pooling.combine(unseen.by_grams, unseen.by_meaning)
    final = views.fit(np.arange(len(texts)), unseen.near)
    measured = measure(names, told >= 0.5, right > 0, pooling.whole(told))
    return Classifier(names, views.tfidf, *final, pooling), measured


def _pooled(unseen: Unseen, chosen: Ints) -> Pooling:
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
        logs = np.log(np.maximum(Pooling(*weights).combine(unseen.by_grams, unseen.by_meaning), LEAST))
        held = EVEN * (share - 0.5) ** 2 + MILD * sharpness**2
        return float(held / len(rows) - (1 - doubt) * logs[rows, chosen].mean() - doubt * logs.mean())

    share, sharpness = minimize(loss, np.array([0.5, 0.0]), bounds=[(0.0, 1.0), (-3.0, 3.0)], method="L-BFGS-B").x
    return Pooling(float(share * np.exp(sharpness)), float((1 - share) * np.exp(sharpness)))


def _pooled_several(unseen: Unseen, right: Floats) -> SeveralPooling:
    """As for one label, with a bias; then Platt's curve for all labels of a row being right."""

    def pooling(point: Doubles) -> SeveralPooling:
        share, sharpness, bias = point
        return SeveralPooling(
            float(share * np.exp(sharpness)), float((1 - share) * np.exp(sharpness)), float(bias), (0.0, 1.0)
        )

    def loss(point: Doubles) -> float:
        told = np.clip(pooling(point).combine(unseen.by_grams, unseen.by_meaning), LEAST, 1 - LEAST)
        share, sharpness, bias = point
        held = EVEN * (share - 0.5) ** 2 + MILD * (sharpness**2 + bias**2)
        return float(held / len(right) - np.log(np.where(right > 0, told, 1 - told)).sum(axis=1).mean())

    bounds = [(0.0, 1.0), (-3.0, 3.0), (-3.0, 3.0)]
    found = pooling(minimize(loss, np.array([0.5, 0.0, 0.0]), bounds=bounds, method="L-BFGS-B").x)
    told = found.combine(unseen.by_grams, unseen.by_meaning)
    whole = ((told >= 0.5) == (right > 0)).all(axis=1)
    return SeveralPooling(found.grams, found.meaning, found.bias, _curve(found.whole(told), whole))


def _curve(sure: Doubles, right: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Fit Platt's curve (1999) over the logit of a probability, with his targets; few rows leave it as it is."""
    inside = np.clip(sure, LEAST, 1 - LEAST)
    logits = np.log(inside / (1 - inside))
    hits = int(right.sum())
    wanted = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2))

    def loss(point: Doubles) -> float:
        bent = point[0] + point[1] * logits
        return float((np.logaddexp(0, bent) - wanted * bent).sum() + MILD * (point[0] ** 2 + (point[1] - 1) ** 2))

    found = minimize(loss, np.array([0.0, 1.0]), method="L-BFGS-B").x
    return float(found[0]), float(found[1])
