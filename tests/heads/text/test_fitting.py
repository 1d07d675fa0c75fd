"""Fitting a classifier on the sample labels' examples, and what it then says about the sample tickets."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from slmbatch.engines.models import embeddings_folder
from slmbatch.heads.text.classifier import Classifier, Pooling
from slmbatch.heads.text.embeddings import Embedder
from slmbatch.heads.text.fitting import fit_classifier
from slmbatch.heads.text.quality import Quality, quality
from slmbatch.tasks.labels import load_labels

SAMPLES = Path(__file__).parents[3] / "sample_docs"
EXAMPLES = [(text, label.name) for label in load_labels(str(SAMPLES / "labels.yaml")).labels for text in label.examples]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(embeddings_folder(None, download=True), threads=2)


@pytest.fixture(scope="module")
def fitted(embedder: Embedder) -> tuple[Classifier, Quality]:
    return fit_classifier([text for text, _ in EXAMPLES], [label for _, label in EXAMPLES], embedder)


@pytest.fixture(scope="module")
def tickets() -> tuple[list[str], list[str]]:
    table = pq.read_table(SAMPLES / "tickets" / "tickets.parquet").to_pydict()
    with (SAMPLES / "tickets.expected.csv").open() as file:
        expected = {row["id"]: row["label"] for row in csv.DictReader(file)}
    return table["text"], [expected[one] for one in table["ticket_id"]]


def test_eight_examples_a_label_answer_nine_tickets_in_ten(
    fitted: tuple[Classifier, Quality], tickets: tuple[list[str], list[str]], embedder: Embedder
) -> None:
    classifier, _ = fitted
    texts, expected = tickets
    told = classifier.probabilities(texts, embedder)
    right = [classifier.labels[at] == label for at, label in zip(told.argmax(axis=1), expected, strict=True)]
    assert np.mean(right) >= 0.9
    assert told.sum(axis=1) == pytest.approx(1)


def test_the_quality_told_is_of_every_row_once(fitted: tuple[Classifier, Quality]) -> None:
    _, told = fitted
    assert told.rows == len(EXAMPLES)
    assert 0.8 < told.accuracy <= 1
    assert told.calibration_error < 0.05


def test_rows_that_are_all_told_apart_do_not_make_it_certain(
    fitted: tuple[Classifier, Quality], embedder: Embedder
) -> None:
    classifier, _ = fitted
    assert classifier.probabilities(["hello", "asdf qwer", "what time is it"], embedder).max() < 0.8


def test_labels_that_tell_nothing_are_not_trusted(embedder: Embedder) -> None:
    shuffled = np.random.default_rng(1).permutation([label for _, label in EXAMPLES]).tolist()
    classifier, told = fit_classifier([text for text, _ in EXAMPLES], shuffled, embedder)
    assert told.accuracy < 0.35
    assert classifier.probabilities([text for text, _ in EXAMPLES[::8]], embedder).max() < 0.5


def test_a_text_about_something_else_is_less_probable_than_any_known_one(
    embedder: Embedder, tickets: tuple[list[str], list[str]]
) -> None:
    classifier, _ = fit_classifier(
        [text for text, _ in EXAMPLES], [label for _, label in EXAMPLES], embedder, other="none of these"
    )
    assert classifier.least is not None
    strange = ["Which mattress is best for a bad back?", "Der Zug nach Köln fällt heute aus.", "asdf qwer"]
    assert (classifier.probabilities(strange, embedder).max(axis=1) < classifier.least).mean() > 0.5
    assert (classifier.probabilities(tickets[0], embedder).max(axis=1) < classifier.least).mean() < 0.15


def test_rows_of_the_other_label_make_it_a_label_like_any(embedder: Embedder) -> None:
    texts = [text for text, _ in EXAMPLES] + ["what time is it", "tell me a joke", "play some music"]
    labels = [label for _, label in EXAMPLES] + ["none of these"] * 3
    classifier, _ = fit_classifier(texts, labels, embedder, other="none of these")
    assert classifier.least is None
    assert "none of these" in classifier.labels


def test_one_row_a_label_fits_and_tells_no_quality(embedder: Embedder) -> None:
    classifier, told = fit_classifier(["my card is gone", "the exchange rate"], ["card", "rate"], embedder)
    assert told.rows == 0
    assert classifier.pooling == Pooling(0.5, 0.5)
    assert classifier.probabilities(["card lost"], embedder).argmax() == 0


def test_quality_is_as_counted_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    told = quality(["a", "b"], probabilities, np.array([0, 1, 1, 1]))
    assert told.accuracy == 0.75
    assert [(one.precision, one.recall) for one in told.by_label] == [(0.5, 1.0), (1.0, 2 / 3)]
    assert told.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)
    assert told.calibration_error == pytest.approx((0.1 + 0.6 + 0.2 + 0.3) / 4)
