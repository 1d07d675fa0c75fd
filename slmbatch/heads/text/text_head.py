"""Heads that label texts: a fitted classifier, or label names alone. Loading, making and keeping them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from slmbatch.errors import ConfigError, ModelError
from slmbatch.heads.folder import Array, Stored, save_head
from slmbatch.heads.head import Head
from slmbatch.heads.text import embeddings, tfidf
from slmbatch.heads.text.classifier import Classifier, Pooling, SeveralPooling
from slmbatch.heads.text.embeddings import Embedder, Floats
from slmbatch.heads.text.logistic import Doubles, Logistic, softmax
from slmbatch.heads.text.tfidf import TfIdf
from slmbatch.tasks.labels import JOINT, OTHER, LabelSet
from slmbatch.types import Answer, Document

KIND = "labels"
BATCH = 64
DIGITS = 6  # of a probability: what a batch's other rows change lies below
TOLD = 5  # labels whose scores are told, the likeliest ones: what a row keeps is most of the memory of a long run
SHARPNESS = 20.0  # cosines to probabilities; of names alone no calibration can be had


class ClassifierHead:
    """Answers with a fitted classifier's label and its calibrated probability."""

    batch = BATCH
    characters = tfidf.CHARACTERS

    def __init__(self, classifier: Classifier, embedder: Embedder, *, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._classifier = classifier
        self._embedder = embedder

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        told = self._classifier.probabilities([document.text for document in documents], self._embedder)
        pooling = self._classifier.pooling
        if isinstance(pooling, SeveralPooling):
            return [self._several(row, float(sure)) for row, sure in zip(told, pooling.whole(told), strict=True)]
        return [self._answer(row) for row in told]

    def _answer(self, probabilities: Doubles) -> Answer:
        scores = _scores(self._classifier.labels, probabilities)
        label, likeliest = scores[0]
        if self._classifier.least is not None and likeliest < self._classifier.least:
            return Answer(label=OTHER, scores=scores, score=round(1 - likeliest, DIGITS))
        return Answer(label=label, scores=scores, score=likeliest, confidence=likeliest)

    def _several(self, probabilities: Doubles, sure: float) -> Answer:
        """All labels that are more probable than not, joined; the confidence is that the whole set is right."""
        names = self._classifier.labels
        told = [name for name, probability in zip(names, probabilities, strict=True) if probability >= 0.5]
        sure = round(sure, DIGITS)
        label = JOINT.join(told) if told else OTHER
        return Answer(label=label, scores=_scores(names, probabilities), score=sure, confidence=sure)


class NamesHead:
    """Answers with the label whose name and description mean most nearly what the text means. Nothing is calibrated."""

    batch = BATCH
    characters = embeddings.CHARACTERS

    def __init__(self, labels: LabelSet, embedder: Embedder) -> None:
        self._names = tuple(label.name for label in labels.labels)
        self._embedder = embedder
        named = embedder.embed([name.replace("_", " ") for name in self._names])
        described = embedder.embed([label.description or label.name.replace("_", " ") for label in labels.labels])
        self._labels: Floats = named + described
        self._labels /= np.linalg.norm(self._labels, axis=1, keepdims=True)
        self.fingerprint = sha256(self._labels.tobytes()).hexdigest()

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        embedded = self._embedder.embed([document.text for document in documents])
        told = softmax(SHARPNESS * (embedded @ self._labels.T))
        scored = [_scores(self._names, row) for row in told]
        return [Answer(label=scores[0][0], scores=scores, score=scores[0][1]) for scores in scored]


def _scores(names: Sequence[str], probabilities: Doubles) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-probabilities, kind="stable")[:TOLD]
    return tuple((names[at], round(float(probabilities[at]), DIGITS)) for at in order)


def head_of_labels(labels: LabelSet, embedder: Embedder) -> Head:
    """Make a head out of a label file: fitted on its examples, or from names where a label has fewer than two."""
    if not labels.exemplified:
        return NamesHead(labels, embedder)
    from slmbatch.heads.text.fitting import fit_classifier

    rows = [(text, label.name) for label in labels.labels for text in dict.fromkeys(label.examples)]
    classifier, _ = fit_classifier(
        [text for text, _ in rows], [name for _, name in rows], embedder, other=OTHER if labels.other else None
    )
    return ClassifierHead(classifier, embedder, fingerprint=sha256(repr(rows).encode()).hexdigest())


def save_classifier(folder: Path, classifier: Classifier, embedder: Embedder, *, card: Mapping[str, Any]) -> None:
    """Keep a classifier as a head's folder. The sentence model isn't in it, but which one it must be is."""
    pooling = classifier.pooling
    settings = {
        "labels": classifier.labels,
        "several": isinstance(pooling, SeveralPooling),
        "pooling": asdict(pooling),
        "least": classifier.least,
        "embeddings_sha256": embedder.fingerprint,
    }
    arrays: dict[str, Array] = {
        "grams": classifier.tfidf.grams,
        "idf": classifier.tfidf.idf,
        "by_grams": classifier.by_grams.weights,
        "by_grams_biases": classifier.by_grams.biases,
        "by_meaning": classifier.by_meaning.weights,
        "by_meaning_biases": classifier.by_meaning.biases,
    }
    save_head(folder, KIND, settings=settings, card=card, arrays=arrays)


def check_labels(stored: Stored, labels: LabelSet, where: str) -> None:
    """Raise ConfigError unless a stored head is of this kind and knows exactly these labels."""
    if stored.kind != KIND:
        raise ConfigError(f"{where}: a head for {stored.kind}, not for labels.", "Give one made from labelled rows.")
    known, asked = set(stored.settings.get("labels", ())), set(labels.names)
    if different := sorted((known ^ asked) - {OTHER}) or sorted(known - asked):
        remedy = "Train it again on rows with these labels, or give the label file that it was trained for."
        raise ConfigError(f"{where}: label {different[0]!r} is in the head or in --labels, but not in both.", remedy)


def load_classifier(stored: Stored, embedder: Embedder, where: str) -> Head:
    """Make a stored head ready to answer. Raises ModelError when it needs another sentence model, or is damaged."""
    settings, arrays = stored.settings, stored.arrays
    if settings.get("embeddings_sha256") != embedder.fingerprint:
        remedy = "Name that model as `embeddings` in the tier's table, or train the head again."
        raise ModelError(f"{where}: trained with another sentence model than the one here.", remedy)
    try:
        classifier = Classifier(
            labels=tuple(settings["labels"]),
            tfidf=TfIdf(arrays["grams"], arrays["idf"]),
            by_grams=Logistic(arrays["by_grams"], arrays["by_grams_biases"]),
            by_meaning=Logistic(arrays["by_meaning"], arrays["by_meaning_biases"]),
            pooling=_pooling(settings["pooling"], several=settings["several"]),
            least=settings["least"],
        )
    except KeyError as error:
        raise ModelError(f"{where}: the head lacks {error}.", "Make it again with `slmbatch train`.") from error
    return ClassifierHead(classifier, embedder, fingerprint=stored.sha256)


def _pooling(written: Mapping[str, Any], *, several: bool) -> Pooling | SeveralPooling:
    if not several:
        return Pooling(written["grams"], written["meaning"])
    first, second = written["curve"]
    return SeveralPooling(written["grams"], written["meaning"], written["bias"], (first, second))
