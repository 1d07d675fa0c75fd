"""What was learned for a schema's leaves, as a head's folder keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from slmbatch.errors import ModelError
from slmbatch.heads.fields.features import NONE_FEATURES, feature_names
from slmbatch.heads.fields.field_head import FieldHead
from slmbatch.heads.fields.reading import Reader
from slmbatch.heads.fields.scorer import CALIBRATION_FEATURES, Matrix, Scorer
from slmbatch.heads.fields.shipped import kind_scorers
from slmbatch.heads.folder import Stored
from slmbatch.tasks.schema import Schema

_PARTS = ("weights", "none", "calibration", "words")


def load_fields(stored: Stored, schema: Schema) -> FieldHead:
    """Make a head of what `fit_fields` learned; leaves it hasn't learned are found by the shipped rules.

    Raises ModelError when it was learned for another schema or by another version's features.
    """
    remedy = "Train it again with this schema."
    if stored.kind != "fields" or stored.settings.get("leaves") != _described(schema):
        raise ModelError("this head was trained for other fields than the schema's.", remedy)
    scorers = dict(kind_scorers(Reader(schema).targets))
    for path, words in stored.settings["words"].items():
        weights, none, calibration, known = (stored.arrays[f"{part}/{path}"] for part in _PARTS)
        scorers[path] = Scorer(weights, none, dict(zip(words, known.tolist(), strict=True)), calibration, own=True)
    return FieldHead(schema, scorers, fingerprint=stored.sha256)


def _described(schema: Schema) -> list[list[object]]:
    """What weights depend on in a schema: its leaves and the features of their kinds."""
    return [
        [target.path, *feature_names(target.hint.kind), *NONE_FEATURES, *CALIBRATION_FEATURES]
        for target in Reader(schema).targets
    ]


def keep(scorers: Mapping[str, Scorer], schema: Schema, card: Mapping[str, Any]) -> Stored:
    """Return what a head's folder holds of these scorers."""
    words = {path: list(scorer.words) for path, scorer in scorers.items()}
    settings = {"leaves": _described(schema), "words": words}
    arrays: dict[str, Matrix] = {}
    for path, scorer in scorers.items():
        known = np.array(list(scorer.words.values()))
        for part, array in zip(_PARTS, (scorer.weights, scorer.none, scorer.calibration, known), strict=True):
            arrays[f"{part}/{path}"] = array
    digest = hashlib.sha256(json.dumps([settings, card], sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return Stored("fields", settings, card, arrays, digest.hexdigest())
