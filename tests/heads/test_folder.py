"""A head on disk: whole or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from slmbatch.errors import ConfigError, ModelError
from slmbatch.heads.folder import DESCRIPTION, WEIGHTS, load_head, save_head

ARRAYS = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "grams": np.array([3, 5])}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_head(tmp_path / "head", "labels", settings={"labels": ["a", "b"]}, card={"rows": 7}, arrays=ARRAYS)
    return tmp_path / "head"


def test_what_was_saved_is_loaded(saved: Path) -> None:
    stored = load_head(saved)
    assert (stored.kind, stored.settings, stored.card) == ("labels", {"labels": ["a", "b"]}, {"rows": 7})
    assert {name: array.tolist() for name, array in stored.arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }


def test_changed_weights_are_refused(saved: Path) -> None:
    (saved / WEIGHTS).write_bytes((saved / WEIGHTS).read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match="has been changed"):
        load_head(saved)


def test_weights_that_would_run_code_are_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        save_head(saved, "labels", settings={}, card={}, arrays={"bad": np.array([object()], dtype=object)})
    with pytest.raises(ConfigError):  # and nothing half-written passes for a head
        load_head(saved)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}'])
def test_a_damaged_description_is_refused(saved: Path, content: str) -> None:
    (saved / DESCRIPTION).write_text(content)
    with pytest.raises(ModelError, match="damaged"):
        load_head(saved)


def test_a_newer_format_is_refused_by_name(saved: Path) -> None:
    content = json.loads((saved / DESCRIPTION).read_text())
    (saved / DESCRIPTION).write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        load_head(saved)


def test_a_folder_that_is_no_head_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_head(tmp_path)
    assert "slmbatch train" in caught.value.remedy
