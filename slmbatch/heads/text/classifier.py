"""A fitted text classifier: two views of a text, each with its logistic regression, pooled to one probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slmbatch.heads.text.embeddings import Embedder
from slmbatch.heads.text.logistic import Doubles, Logistic, sigmoid, softmax
from slmbatch.heads.text.tfidf import TfIdf

LEAST = 1e-9  # a probability below this says nothing more


@dataclass(frozen=True, slots=True)
class Pooling:
    """The weights with which the two views' log-probabilities are added: a calibrated logarithmic opinion pool.

    A weight below 1 makes a view less sure of itself, above 1 surer (as a temperature does).
    """

    grams: float
    meaning: float

    def combine(self, by_grams: Doubles, by_meaning: Doubles) -> Doubles:
        """Return (rows, labels) from two arrays of probabilities of that shape."""
        return softmax(self.grams * _logs(by_grams) + self.meaning * _logs(by_meaning))


@dataclass(frozen=True, slots=True)
class SeveralPooling:
    """The same for any number of labels a text, each by itself: the views' log odds are added.

    `curve` is Platt's, over the logit of the product of all labels' probabilities: they aren't independent.
    """

    grams: float
    meaning: float
    bias: float
    curve: tuple[float, float]

    def combine(self, by_grams: Doubles, by_meaning: Doubles) -> Doubles:
        """Return (rows, labels) from two arrays of probabilities of that shape; they don't sum to 1."""
        return sigmoid(self.grams * _odds(by_grams) + self.meaning * _odds(by_meaning) + self.bias)

    def whole(self, probabilities: Doubles) -> Doubles:
        """Return for each row how probable it is that every label is told or not told rightly."""
        product = np.maximum(probabilities, 1 - probabilities).prod(axis=1)
        return sigmoid(self.curve[0] + self.curve[1] * _odds(product))


@dataclass(frozen=True, slots=True)
class Classifier:
    """What a head of kind `labels` knows.

    `least` is the probability below which no label fits, where rows that belong to none were not among the examples;
    None where they were, or where every row belongs to a label.
    """

    labels: tuple[str, ...]
    tfidf: TfIdf
    by_grams: Logistic
    by_meaning: Logistic
    pooling: Pooling | SeveralPooling
    least: float | None = None

    def probabilities(self, texts: Sequence[str], embedder: Embedder) -> Doubles:
        """Return (texts, labels): how probable each label is, calibrated on rows that weren't fitted on."""
        shares = sigmoid if isinstance(self.pooling, SeveralPooling) else softmax
        return self.pooling.combine(
            shares(self.tfidf.transform(texts).times(self.by_grams.weights) + self.by_grams.biases),
            shares(embedder.embed(texts) @ self.by_meaning.weights + self.by_meaning.biases),
        )


def _logs(probabilities: Doubles) -> Doubles:
    logs: Doubles = np.log(np.maximum(probabilities, LEAST))
    return logs


def _odds(probabilities: Doubles) -> Doubles:
    inside = np.clip(probabilities, LEAST, 1 - LEAST)
    odds: Doubles = np.log(inside / (1 - inside))
    return odds
