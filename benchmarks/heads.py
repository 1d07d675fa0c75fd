"""Heads against the same idea built from scikit-learn, on labelled sets: accuracy, calibration, CPU seconds.

    python benchmarks/heads.py FOLDER/*/dev.parquet --examples 8 32 all

Each file has the columns text and label. Folds are stratified; of each fold's training rows the first K of every label
are used. The peer is TF-IDF (word 1-2, character 2-4 grams) and the same sentence embeddings, each with scikit-learn's
logistic regression, and the geometric mean of the two; `names` compares embeddings of texts and label names.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_union

from slmbatch.engines.models import embeddings_folder
from slmbatch.heads.text.embeddings import Embedder
from slmbatch.heads.text.fitting import fit_classifier
from slmbatch.heads.text.logistic import softmax
from slmbatch.heads.text.quality import calibration_error, quality
from slmbatch.heads.text.text_head import NamesHead
from slmbatch.tasks.labels import Label, LabelSet
from slmbatch.types import Document, Page

TESTED = 1_000  # rows of a fold that are answered
SEED = 20261123
DRAWS = 200  # of right answers, if the probabilities were true


class Remembering(Embedder):
    """Embeds a text once: every fold asks for the same ones."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        super().__init__(folder, threads=threads)
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(missing, super().embed(missing), strict=True))
        return np.stack([self._known[text] for text in texts])


def peer(texts: Sequence[str], labels: Sequence[str], tested: Sequence[str], embedder: Embedder) -> np.ndarray:
    """Probabilities (tested, labels sorted by name) of the geometric mean of two scikit-learn models."""
    union = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
    )
    cut, cut_tested = [text[:4_000] for text in texts], [text[:4_000] for text in tested]
    grams = LogisticRegression(C=10, max_iter=200).fit(union.fit_transform(cut), labels)
    meaning = LogisticRegression(C=10, max_iter=500).fit(embedder.embed(texts), labels)
    both = np.sqrt(grams.predict_proba(union.transform(cut_tested)) * meaning.predict_proba(embedder.embed(tested)))
    return both / both.sum(axis=1, keepdims=True)


def sampled(rows: np.ndarray, labels: Sequence[str], examples: str) -> list[int]:
    """The first K rows of every label, or all."""
    taken: Counter[str] = Counter()
    chosen = []
    for row in rows:
        if examples == "all" or taken[labels[row]] < int(examples):
            taken[labels[row]] += 1
            chosen.append(int(row))
    return chosen


class Pooled:
    """The answers of all folds to rows that they hadn't seen, by one list of labels."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._places = {label: place for place, label in enumerate(sorted(set(labels)))}
        self._told: list[np.ndarray] = []
        self._right: list[int] = []

    def add(self, names: Sequence[str], told: np.ndarray, right: Sequence[str]) -> None:
        """Take one fold's probabilities (rows, names) and the right labels."""
        table = np.zeros((len(told), len(self._places)))
        table[:, [self._places[name] for name in names]] = told
        self._told.append(table)
        self._right += [self._places[one] for one in right]

    def __str__(self) -> str:
        """Accuracy, macro-F1 and calibration error of all folds' rows together, and what chance alone makes of it.

        The last is the calibration error that these probabilities would show if they were true, on so few rows.
        """
        told = np.concatenate(self._told)
        measured = quality(list(self._places), told, np.array(self._right))
        drawn = np.random.default_rng(SEED).random((DRAWS, len(told))) < told.max(axis=1)
        chance = float(np.mean([calibration_error(told.max(axis=1), one) for one in drawn]))
        return f"{measured.accuracy:.3f} {measured.macro_f1:.3f} {measured.calibration_error:.3f} (chance {chance:.3f})"

    def better(self, other: Pooled) -> str:
        """Tell by how much more rows are right than with another head, with the interval of 19 in 20."""
        ours, theirs = (np.concatenate(one._told).argmax(axis=1) == self._right for one in (self, other))
        gain = ours.astype(float) - theirs
        return f"{gain.mean():+.3f} +-{1.96 * gain.std() / len(gain) ** 0.5:.3f}"


def compare(path: Path, examples: str, embedder: Embedder, *, folds: int, with_peer: bool) -> None:
    table = pl.read_parquet(path).select("text", "label").drop_nulls()
    texts, labels = table["text"].to_list(), table["label"].to_list()
    ours, theirs, cpu = Pooled(labels), Pooled(labels), []
    random = np.random.default_rng(SEED)
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=1).split(texts, labels):
        chosen = sampled(random.permutation(train), labels, examples)
        tested = random.permutation(test)[:TESTED]
        rows, wanted = [texts[at] for at in chosen], [labels[at] for at in chosen]
        asked, right = [texts[at] for at in tested], [labels[at] for at in tested]
        embedder.embed(rows)
        started = time.process_time()
        classifier, _ = fit_classifier(rows, wanted, embedder)
        cpu.append(time.process_time() - started)
        ours.add(classifier.labels, classifier.probabilities(asked, embedder), right)
        if with_peer:
            theirs.add(classifier.labels, peer(rows, wanted, asked, embedder), right)
    line = f"{path.parent.name:26} {examples:>4}  head {ours}  fit {np.mean(cpu):5.1f} CPU s without embeddings"
    if with_peer:
        line += f"  peer {theirs}  head is better by {ours.better(theirs)}"
    print(line, flush=True)


def speed(path: Path) -> None:
    """CPU seconds of a head's parts, on one thread, for the first rows of a set."""
    table = pl.read_parquet(path).select("text", "label").drop_nulls().head(TESTED)
    texts, labels = table["text"].to_list(), table["label"].to_list()
    started = time.process_time()
    embedder = Embedder(embeddings_folder(None, download=True), threads=1)
    loaded = time.process_time()
    embedder.embed(texts)
    embedded = time.process_time()
    classifier, _ = fit_classifier(texts, labels, embedder)
    fitted = time.process_time()
    for at in range(0, len(texts), 64):
        rows = classifier.tfidf.transform(texts[at : at + 64])
        softmax(rows.times(classifier.by_grams.weights) + classifier.by_grams.biases)
    answered = time.process_time()
    print(
        f"{path.parent.name:26} {len(texts)} rows: sentence model loads in {loaded - started:.2f} CPU s; "
        f"embeds {len(texts) / (embedded - loaded):.0f} rows/s; "
        f"TF-IDF answers {len(texts) / (answered - fitted):.0f} rows/s",
        flush=True,
    )


def names_alone(path: Path, embedder: Embedder) -> None:
    """Accuracy of names with and without their words apart, against the plain cosine to the names as they are."""
    table = pl.read_parquet(path).select("text", "label").drop_nulls()
    table = table.sample(min(TESTED, len(table)), shuffle=True, seed=1)
    labels = sorted(set(table["label"]))
    texts, wanted = table["text"].to_list(), np.array(table["label"].to_list())
    documents = [Document(str(at), "", None, (Page(1, text),)) for at, text in enumerate(texts)]
    head = NamesHead(LabelSet(tuple(Label(name) for name in labels)), embedder)
    told = np.array([answer.label for answer in head.answer(documents)])
    plain = np.array(labels)[(embedder.embed(texts) @ embedder.embed(labels).T).argmax(axis=1)]
    shares = f"head {np.mean(told == wanted):.3f}  plain cosine {np.mean(plain == wanted):.3f}"
    print(f"{path.parent.name:26} names {shares}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--examples", nargs="+", default=["8", "32", "all"])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--names", action="store_true", help="only label names, no examples")
    parser.add_argument("--speed", action="store_true", help="only rows/s of a head's parts")
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args()
    embedder = Remembering(embeddings_folder(None, download=True), threads=2)
    print("accuracy, macro-F1, calibration error")
    for path in given.sets:
        if given.speed:
            speed(path)
            continue
        if given.names:
            names_alone(path, embedder)
            continue
        for examples in given.examples:
            compare(path, examples, embedder, folds=given.folds, with_peer=not given.no_peer)


if __name__ == "__main__":
    main()
