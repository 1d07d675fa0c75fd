"""The weights that come with the package, by kind of leaf, and the head that needs no training.

They are in weights.json, which names the public documents they were fitted on and the command that does it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from slmbatch.heads.fields.features import NONE_FEATURES, feature_names
from slmbatch.heads.fields.field_head import FieldHead
from slmbatch.heads.fields.reading import Reader, Target
from slmbatch.heads.fields.scorer import CALIBRATION_FEATURES, Matrix, Scorer
from slmbatch.tasks.hints import HintKind
from slmbatch.tasks.schema import Schema

FILE = "weights.json"


def rules_head(schema: Schema) -> FieldHead:
    """Make a head of the shipped rules. Needs no training."""
    targets = Reader(schema).targets
    hints = [(target.path, target.hint.kind, target.hint.labels, target.hint.pick) for target in targets]
    rules = [rule.model_dump(mode="json") for rule in schema.rules]
    content = json.dumps([_read(), hints, rules, schema.day_first], sort_keys=True)
    return FieldHead(schema, kind_scorers(targets), fingerprint=hashlib.sha256(content.encode()).hexdigest())


def kind_scorers(targets: Sequence[Target]) -> dict[str, Scorer]:
    """Return the shipped scorer of each leaf's kind, by path."""
    kinds = _read()["kinds"]
    return {target.path: _scorer(target.hint.kind, kinds[target.hint.kind]) for target in targets}


def _scorer(kind: HintKind, written: Mapping[str, Mapping[str, float]]) -> Scorer:
    return Scorer(
        _array(written["features"], feature_names(kind)),
        _array(written["none"], NONE_FEATURES),
        {},
        _array(written["calibration"], CALIBRATION_FEATURES),
    )


def _array(written: Mapping[str, float], names: Sequence[str]) -> Matrix:
    """Return weights in the order of the features; what isn't written weighs nothing."""
    unknown = set(written) - set(names)
    assert not unknown, unknown
    return np.array([written.get(name, 0.0) for name in names])


def _read() -> Any:
    return json.loads(resources.files("slmbatch.heads.fields").joinpath(FILE).read_text(encoding="utf-8"))
