"""Fit each tier's curve, and judge it on answers that it wasn't fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from slmbatch.calibrate.labelled import Answers, Labelled
from slmbatch.certificates.curves import MANY, Curve, cross_fitted, fit_curve
from slmbatch.certificates.earning import Replaced
from slmbatch.errors import InputError, UsageError
from slmbatch.evaluate.resample import intervals
from slmbatch.evaluate.scores import Doubles, scored
from slmbatch.report.summary import read_summary
from slmbatch.run.calibration import FORMAT, Calibration, TierCurve
from slmbatch.run.replacing import replacements
from slmbatch.store.folder import RunFolder
from slmbatch.store.manifest import read_manifest
from slmbatch.store.parts import part_paths

SEED = 0  # of the folds: the same files give the same curve
LEAST_ROWS = 20  # with fewer a curve is chance
LEAST_WRONG = 5  # with fewer nobody can say whether a score ranks the wrong ones low
RANKS_FROM = 0.6  # the lower bound of a useful score's AUROC is above; 0.5 is chance
KEPT = " A run keeps the fields of the tier that a row ended at only: run a tier alone, and give --gold."
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Passed:
    """What a threshold lets through: the share of all rows, and how many of these are right (None of nothing)."""

    threshold: float
    share: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a tier's curve is, on `rows` that it wasn't fitted on. The interval is a 95 % bootstrap of rows.

    `ranks` says whether the score tells right from wrong, None where too few are wrong to say. `wanted` is the lowest
    threshold from which on accuracy is what was asked for; `lowest` the least confidence of an answer, and so of any
    threshold that these rows tell about.
    """

    rows: int
    auroc: float | None
    auroc_low: float | None
    auroc_high: float | None
    ece_before: float
    ece_after: float
    ranks: bool | None
    passed: tuple[Passed, ...]
    wanted: Passed | None
    lowest: float | None


def calibrate(
    out: Path, gold: Path | None, *, accuracy: float
) -> tuple[Calibration, dict[str, Quality], list[Replaced]]:
    """Calibrate each tier of a finished run on expected answers, without `gold` on those of its last tier.

    Returns, too, what the tiers made of each other's labels.
    Raises InputError for a file that can't be read or doesn't fit, UsageError where no tier can be calibrated.
    """
    summary = read_summary(out)
    answers = Answers(out, extract=summary["task"] == "extract")
    settings: Any = read_manifest(RunFolder(out))["settings"]
    names: list[str] = pq.read_table(out / "cost.parquet", columns=["tier"])["tier"].to_pylist()
    identities = dict(zip(names, settings["tiers"], strict=True))
    if gold is None and len(names) == 1:
        raise UsageError("--from-top-tier: this run has one tier only.", "Give expected answers with --gold.")
    expected = answers.of_tier(names[-1]) if gold is None else answers.of_gold(gold)
    told = answers.beside(expected)
    curves, qualities = [], {}
    for name in names if gold is not None else names[:-1]:
        curve, quality = _tier(name, identities[name], told.get(name, Labelled()), accuracy)
        curves.append(curve)
        if quality is not None:
            qualities[name] = quality
    if not qualities:
        raise InputError(
            f"{out}: no tier can be calibrated: {'; '.join(f'{one.tier}: {one.note}' for one in curves)}.",
            "Label more rows." + (KEPT if answers.types is not None and len(names) > 1 else ""),
        )
    labels = names[-1] if gold is None else "expected answers"
    told_on = replacements(part_paths(RunFolder(out).parts), expected) if answers.types is None else []
    judged = [one for one in told_on if gold is not None or one.tier != names[-1]]
    made = Calibration(FORMAT, summary["task"], settings["labels or schema"], labels, tuple(curves))
    return made, qualities, judged


def _tier(name: str, identity: str, told: Labelled, accuracy: float) -> tuple[TierCurve, Quality | None]:
    judged = np.array([one is not None for one in told.right], bool)
    right = np.array([bool(one) for one in told.right], bool)
    scores, rows = np.array(told.score, np.float64), np.array(told.row, np.int64)
    count = len(np.unique(rows[judged]))
    if count < LEAST_ROWS:
        note = f"{count} labelled rows with a score, {LEAST_ROWS} are needed"
        return TierCurve(name, identity, int(judged.sum()), int(right[judged].sum()), note=note), None
    sure = cross_fitted(scores, right, judged=judged, groups=rows, seed=SEED)
    curve: Curve = fit_curve(scores[judged], right[judged], many=int(judged.sum()) >= MANY)
    fitted = TierCurve(name, identity, int(judged.sum()), int(right[judged].sum()), curve.method, curve.knots)
    return fitted, _quality(told, (scores, sure), judged, accuracy)


def _quality(told: Labelled, both: tuple[Doubles, Doubles], judged: Any, accuracy: float) -> Quality:
    rows = len(told.basis)
    right, row = np.array([bool(one) for one in told.right])[judged], np.array(told.row)[judged]
    before, after = (scored("", row, one[judged], right, np.ones(rows)) for one in both)
    place = [name for name, _ in before.names].index("auroc")
    values, held = before.values(np.ones((1, rows)))[0], after.values(np.ones((1, rows)))[0]
    low, high = intervals(before.pooled().values, rows)[:, place].tolist()
    few = min(int(right.sum()), int((~right).sum())) < LEAST_WRONG
    sure = np.array([min(both[1][one]) if one else np.nan for one in told.basis])
    passed = [_passed(sure, told.rows_right, at) for at in THRESHOLDS]
    known = not np.isnan(values[place])
    return Quality(
        rows=rows,
        auroc=float(values[place]) if known else None,
        auroc_low=low if known else None,
        auroc_high=high if known else None,
        ece_before=float(values[place + 1]),
        ece_after=float(held[place + 1]),
        ranks=None if few else low > RANKS_FROM,
        passed=tuple(passed),
        wanted=wanted(sure, told.rows_right, accuracy),
        lowest=None if np.isnan(sure).all() else float(np.nanmin(sure)),
    )


def _passed(sure: Doubles, right: Sequence[bool], threshold: float) -> Passed:
    here = sure >= threshold
    return Passed(threshold, float(here.mean()), float(np.array(right)[here].mean()) if here.any() else None)


def wanted(sure: Doubles, right: Sequence[bool], accuracy: float) -> Passed | None:
    """Return the threshold that lets most rows through at this accuracy; None if there is none. NaN never passes."""
    levels = np.unique(sure[~np.isnan(sure)])
    for level in levels.tolist():
        passed = _passed(sure, right, level)
        if passed.accuracy is not None and passed.accuracy >= accuracy:
            return passed
    return None
