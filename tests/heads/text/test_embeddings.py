"""Sentence embeddings with the pinned model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slmbatch.engines.models import embeddings_folder
from slmbatch.errors import ModelError
from slmbatch.heads.text.embeddings import CHARACTERS, Embedder

TEXTS = ["I lost my card", "My card was stolen", "What is the exchange rate today?"]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(embeddings_folder(None, download=True), threads=2)


def test_alike_texts_lie_closer_than_others(embedder: Embedder) -> None:
    rows = embedder.embed(TEXTS)
    alike = rows @ rows.T
    assert alike[0, 1] > 0.7 > 0.3 > alike[0, 2]
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_text_gets_the_same_row_whatever_stands_beside_it(embedder: Embedder) -> None:
    alone = Embedder(embeddings_folder(None, download=True), threads=1).embed(TEXTS[:1])
    together = embedder.embed([TEXTS[2], "a much longer text " * 40, TEXTS[0], TEXTS[0]])
    assert together[2] == pytest.approx(alone[0], abs=1e-5)
    assert together[3] == pytest.approx(alone[0], abs=1e-5)


def test_what_comes_after_the_beginning_changes_nothing(embedder: Embedder) -> None:
    beginning = "card " * (CHARACTERS // 5)
    rows = embedder.embed([beginning + "exchange", beginning + "rate"])
    assert (rows[0] == rows[1]).all()


def test_empty_and_odd_texts_have_rows_too(embedder: Embedder) -> None:
    rows = embedder.embed(["", "\x00\x01", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🙂", "Überweisung"])
    assert rows.shape == (4, 384)
    assert np.isfinite(rows).all()
    assert embedder.embed([]).shape[0] == 0


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=str(tmp_path)):
        Embedder(tmp_path, threads=1)
