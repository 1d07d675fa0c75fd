"""What rows are ranked by where earlier labels taught more than the score: ranking.json, and the features it weighs.

Everything comes from a settled record, so a run's ranking can be worked out again from its parts and this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import log1p
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import logit

from slmbatch.certificates.calibration import CLIP, Doubles
from slmbatch.certificates.learning import Learned, Names
from slmbatch.run.certified.frozen import sureness
from slmbatch.store.folder import write_durably
from slmbatch.store.records import Record
from slmbatch.store.rows import GROUP_ROWS
from slmbatch.tasks.labels import in_order
from slmbatch.types import Grounded

RANKING_FILE = "ranking.json"  # under the run's certify folder
VERSION = 1
OF_LABELS = ("second best", "margin", "mass", "earlier tiers agree")
OF_FIELDS = ("fields", "empty", "not in the text", "told twice", "failed checks", "mean score", "forced", "ocr")
OF_ROWS = ("score", "characters", "truncated", "warnings")


@dataclass(frozen=True, slots=True)
class Ranker:
    """What rows are ranked by: P(right) as `learned`, or the plain score where that is None.

    `tiers` are the cheap ones, `features` name the weights but those of class and intercept. Fitted on `labelled` rows
    of `runs` (ids), of which `drawn` were drawn at random and `wrong` differed from the top tier; `auroc` is the plain
    score's, `auroc_learned` the learned one's, both on the drawn rows and held out (None: that can't be told).
    """

    version: int
    tiers: tuple[str, ...]
    features: tuple[str, ...]
    labelled: int
    drawn: int
    wrong: int
    auroc: float | None
    auroc_learned: float | None
    runs: tuple[str, ...]
    learned: Learned | None

    def scores(self, settled: pa.Table) -> pa.ChunkedArray:
        """Return what settled records are ranked by, highest first; null where nothing tells."""
        if self.learned is None:
            return sureness(settled)
        told = self.learned.sureness(features_of(settled, self.tiers), classes_of(settled))
        return pa.chunked_array([pa.array(told)])

    def __str__(self) -> str:
        if self.auroc is None or self.auroc_learned is None:
            return f"by score: {self.labelled:,} earlier rows don't tell whether another ranking is better"
        measured = f"AUROC {self.auroc:.3f} -> {self.auroc_learned:.3f} on {self.drawn:,} rows held out"
        if self.learned is None:
            return f"by score: a ranking learned from {self.labelled:,} earlier rows earns no place ({measured})"
        return f"by what {self.labelled:,} earlier rows taught ({measured})"


def write_ranker(path: Path, ranker: Ranker) -> None:
    """Write ranking.json."""
    write_durably(path, msgspec.json.format(msgspec.json.encode(ranker), indent=2) + b"\n")


def read_ranker(path: Path) -> Ranker | None:
    """Read ranking.json; None where there's none, so that rows are ranked by score.

    Raises ValueError where it isn't one.
    """
    return msgspec.json.decode(path.read_bytes(), type=Ranker) if path.exists() else None


def scored_by(ranker: Ranker | None) -> Callable[[pa.Table], pa.ChunkedArray]:
    """Return what says how sure settled records are."""
    return sureness if ranker is None else ranker.scores


def feature_names(tiers: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of `features_of`: each value, then for each whether it's missing."""
    of_tiers = [f"{what} {tier}" for tier in tiers for what in ("score of", "answer of")]
    names = [*OF_ROWS, *OF_LABELS, *OF_FIELDS, *of_tiers]
    return (*names, *(f"no {name}" for name in names))


def features_of(settled: pa.Table, tiers: Sequence[str]) -> Doubles:
    """Return what settled records tell of their answers, (rows, columns). What is missing is 0."""
    records = (one for batch in settled.to_batches(GROUP_ROWS) for one in batch.to_pylist())
    rows = [[*_of_row(one), *_of_label(one), *_of_fields(one), *_of_tiers(one, tiers)] for one in records]
    told = np.array(rows, np.float64).reshape(len(rows), len(feature_names(tiers)) // 2)  # None becomes NaN
    missing = np.isnan(told)
    return np.column_stack([np.where(missing, 0.0, told), missing])


def classes_of(settled: pa.Table) -> Names:
    """Return each answer's label; empty where there is none."""
    labels: list[str | None] = settled["label"].to_pylist()
    told: npt.NDArray[np.str_] = np.array(["" if one is None else in_order(one) for one in labels], np.str_)
    return told


def _odds(score: float | None) -> float | None:
    return None if score is None else float(logit(min(max(score, CLIP), 1 - CLIP)))


def _of_row(one: Record) -> Iterator[float | None]:
    yield _odds(one["score"] if one["confidence"] is None else one["confidence"])
    yield log1p(one["characters"] or 0)
    yield one["truncated"]
    yield len(one["warnings"])


def _of_label(one: Record) -> Iterator[float | None]:
    scores = sorted((each["score"] for each in one["scores"] if each["score"] is not None), reverse=True)
    best, second = scores[:2] if len(scores) > 1 else (None, None)
    yield _odds(second)
    yield None if best is None or second is None else best - second
    yield _odds(one["mass"])
    told = [each["label"] for each in one["attempts"] if each["label"] is not None]
    yield _mean([in_order(each) == in_order(told[-1]) for each in told[:-1]])


def _of_fields(one: Record) -> Iterator[float | None]:
    leaves = one["leaves"]
    filled = [leaf for leaf in leaves if leaf["value"] is not None]
    odds = [_odds(leaf["score"] if leaf["score"] is not None else leaf["confidence"]) for leaf in filled]
    yield log1p(len(filled)) if leaves else None
    yield _mean([leaf["value"] is None for leaf in leaves])
    yield _mean([not Grounded(leaf["found"]).stands for leaf in filled])
    yield _mean([leaf["agreed"] or leaf["repaired"] for leaf in filled])
    yield sum(len(leaf["problems"]) for leaf in leaves) if leaves else None
    yield _mean([each for each in odds if each is not None])
    yield min((leaf["forced_logprob"] for leaf in leaves if leaf["forced_logprob"] is not None), default=None)
    yield min((leaf["ocr"] for leaf in leaves if leaf["ocr"] is not None), default=None)


def _of_tiers(one: Record, tiers: Sequence[str]) -> Iterator[float | None]:
    told = {each["tier"]: each["score"] for each in one["attempts"]}
    for tier in tiers:
        yield _odds(told.get(tier))
        yield one["tier"] == tier


def _mean(told: Sequence[float]) -> float | None:
    return sum(told) / len(told) if told else None
