"""TF-IDF rows: against counting by hand, and the properties that answers depend on."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmbatch.heads.text import tfidf
from slmbatch.heads.text.tfidf import SparseRows, TfIdf

TEXTS = ["My card is lost", "my card, my CARD!", "Wo ist die Karte?", "", "exchange rates today"]


def grams(text: str) -> Counter[str]:
    """The grams of one text, counted slowly and plainly."""
    folded = " ".join(text.casefold().split())
    padded = f" {folded} "
    words = "".join(one if one.isalnum() else " " for one in folded).split()
    found = Counter(f"w:{word}" for word in words)
    found.update(f"p:{first} {second}" for first, second in itertools.pairwise(words))
    for size in tfidf.CHAR_GRAMS:
        found.update(f"{size}:{padded[at : at + size]}" for at in range(len(padded) - size + 1))
    return found


def dense(rows: SparseRows) -> np.ndarray:
    return rows.times(np.eye(rows.width, dtype=np.float32))


def test_similarities_are_those_of_grams_counted_by_hand() -> None:
    counted = [grams(text) for text in TEXTS]
    within = Counter(gram for one in counted for gram in one)
    idf = {gram: math.log((1 + len(TEXTS)) / (1 + count)) + 1 for gram, count in within.items()}
    by_hand = np.zeros((len(TEXTS), len(idf)))
    for row, one in enumerate(counted):
        for column, gram in enumerate(idf):
            by_hand[row, column] = (1 + math.log(one[gram])) * idf[gram] if one[gram] else 0
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    rows = dense(TfIdf.fit(TEXTS).transform(TEXTS))
    assert rows @ rows.T == pytest.approx(by_hand @ by_hand.T, abs=1e-5)


def test_a_product_is_that_of_the_dense_matrix_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = TfIdf.fit(TEXTS).transform(TEXTS)
    weights = np.random.default_rng(0).normal(size=(rows.width, 3)).astype(np.float32)
    whole = rows.times(weights)
    monkeypatch.setattr(tfidf, "PRODUCT", 1)
    assert rows.times(weights) == pytest.approx(whole, abs=1e-5)
    assert whole == pytest.approx(dense(rows) @ weights, abs=1e-5)


def test_unknown_grams_give_an_empty_row() -> None:
    rows = TfIdf.fit(["abc"]).transform(["abc", "xyz", ""])
    assert np.diff(rows.starts).tolist()[0] > 0
    assert not dense(rows)[1].any()


def test_no_texts_give_no_rows() -> None:
    assert dense(TfIdf.fit(TEXTS).transform([])).shape[0] == 0


def test_only_the_most_frequent_grams_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfidf, "COLUMNS", 10)
    fitted = TfIdf.fit(TEXTS)
    assert fitted.transform(TEXTS).width == 10
    assert fitted.idf.max() < TfIdf.fit([*TEXTS, "once"]).idf.max() + 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_a_row_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    fitted = TfIdf.fit([*TEXTS, *texts])
    together = dense(fitted.transform(texts))
    alone = np.concatenate([dense(fitted.transform([text])) for text in texts])
    assert together == pytest.approx(alone, abs=1e-6)
    lengths = np.linalg.norm(together, axis=1)
    assert all(
        length == pytest.approx(1, abs=1e-5) or not text.split() for length, text in zip(lengths, texts, strict=True)
    )
