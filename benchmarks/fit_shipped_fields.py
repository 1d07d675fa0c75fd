"""Fit slmbatch/heads/fields/weights.json: one scorer for each kind of leaf, over leaves, sets and languages together.

python benchmarks/fit_shipped_fields.py --sroie DIR --einvoice DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from field_data import Labelled, load_einvoice, load_sroie

from slmbatch.heads.fields.features import NONE_FEATURES, feature_names
from slmbatch.heads.fields.field_head import choose
from slmbatch.heads.fields.fit_fields import (
    NO_CALIBRATION,
    Judgement,
    calibrate,
    fit_scorer,
    general,
    judged,
    read_labelled,
    split,
)
from slmbatch.heads.fields.reading import Reader
from slmbatch.heads.fields.scorer import CALIBRATION_FEATURES, Scorer
from slmbatch.heads.fields.sums import equations
from slmbatch.tasks.hints import HintKind

FOLDS = 5
# No public set has texts without a type: written by hand.
TEXT = {
    "features": {"same_line": 1.0, "own_left_touching": 3.0, "own_alone": 2.0, "unlabelled": -9.0},
    "none": {"none": 1.0, "none_without_label": 3.0},
    "calibration": {"bias": -1.0, "logit": 0.6},
}


class Fitting:
    """Several sets, read once, and their scorers by kind for any choice of documents."""

    def __init__(self, sets: list[Labelled]) -> None:
        self.sets = sets
        self.readers = [Reader(one.schema) for one in sets]
        self.labelled = [
            read_labelled(reader, one.documents, one.gold, one.vendors)
            for reader, one in zip(self.readers, sets, strict=True)
        ]
        self.folds = [split(one.vendors, FOLDS) for one in sets]

    def fit(self, without: int | None) -> dict[HintKind, Scorer]:
        """Fit on all folds but one."""
        known: dict[HintKind, list] = {}
        for reader, labelled, folds in zip(self.readers, self.labelled, self.folds, strict=True):
            for index, fold in enumerate(folds):
                for target in reader.targets:
                    if fold != without and target.path in labelled.right[index]:
                        marks = labelled.right[index][target.path]
                        one = labelled.views[index][target.path], marks, labelled.shares[index]
                        known.setdefault(target.hint.kind, []).append(one)
        scorers = {}
        for kind, some in known.items():
            views, right, shares = zip(*some, strict=True)
            scorers[kind] = fit_scorer(views, right, shares, words=[], keep=general(kind))
        return scorers

    def out_of_fold(self) -> dict[HintKind, list[Judgement]]:
        """Judge every document by scorers that haven't seen its vendor."""
        rows: dict[HintKind, list[Judgement]] = {}
        for fold in range(FOLDS):
            kinds = self.fit(fold)
            for reader, labelled, folds, one in zip(self.readers, self.labelled, self.folds, self.sets, strict=True):
                scorers = {target.path: kinds[target.hint.kind] for target in reader.targets}
                sums = equations(one.schema)
                hints = {target.path: target.hint.kind for target in reader.targets}
                for index in (index for index, other in enumerate(folds) if other == fold):
                    chosen = choose(reader.targets, labelled.views[index], scorers, sums)
                    for path, right in labelled.right[index].items():
                        if path in chosen:
                            rows.setdefault(hints[path], []).append(judged(chosen[path], right))
        return rows


def written(names: tuple[str, ...], weights: np.ndarray) -> dict[str, float]:
    """Weights by name, without zeros."""
    return {name: round(float(one), 4) for name, one in zip(names, weights, strict=True) if round(float(one), 4) != 0}


def main() -> None:
    """Fit, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sroie", type=Path, required=True)
    parser.add_argument("--einvoice", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "slmbatch" / "heads" / "fields" / "weights.json"
    )
    options = parser.parse_args()
    fitting = Fitting([load_sroie(options.sroie), load_einvoice(options.einvoice)])
    judgements = fitting.out_of_fold()
    pooled = calibrate([row for rows in judgements.values() for row in rows], NO_CALIBRATION)
    kinds: dict[str, object] = {"text": TEXT}
    for kind, scorer in fitting.fit(None).items():
        kinds[kind] = {
            "features": written(feature_names(kind), scorer.weights),
            "none": written(NONE_FEATURES, scorer.none),
            "calibration": written(CALIBRATION_FEATURES, calibrate(judgements.get(kind, []), pooled)),
        }
    provenance = {
        "fitted_on": {one.name: len(one.documents) for one in fitting.sets},
        "sources": [
            "sroie: ICDAR 2019 SROIE training receipts (CC BY 4.0), development half of a split by vendor",
            "einvoice: sample ZUGFeRD / Factur-X / XRechnung PDFs of seven Apache-2.0, BSD and MIT repositories, "
            "development half of a split by seller, values from the embedded XML",
        ],
        "command": "python benchmarks/fit_shipped_fields.py --sroie DIR --einvoice DIR",
        "calibration": f"on {FOLDS} folds by vendor that the weights hadn't seen",
    }
    options.out.write_text(json.dumps({"provenance": provenance, "kinds": kinds}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
