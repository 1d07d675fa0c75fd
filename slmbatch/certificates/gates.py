"""When no certificate is given: reasons with their numbers. A refusal is data; all rows then go to the top tier.

The certificate is true even for a score that ranks nothing. These gates keep an honest average from hiding a pile of
wrong rows among those that are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from math import ceil

import numpy as np

from slmbatch.certificates.calibration import auroc
from slmbatch.certificates.counting import most_wrong
from slmbatch.certificates.ranking import Places
from slmbatch.certificates.settling import Line, least_agreement

LEAST_SAVING = 0.05  # of the top tier's cost: below it, the wait for two rounds isn't worth it
LEAST_AUROC = 0.6
FEWEST_ERRORS = 5  # labelled ones, below which the bound of AUROC is too wide to doubt a good score
MIN_ACCEPTED_AGREEMENT = 0.8


class Reason(StrEnum):
    TOO_FEW_ROWS = "too_few_rows"
    SAVES_TOO_LITTLE = "saves_too_little"
    NOTHING_KEPT = "nothing_kept"
    SCORE_RANKS_NOTHING = "score_ranks_nothing"
    KEPT_ROWS_WRONG = "kept_rows_wrong"
    TOO_FEW_LABELS = "too_few_labels"
    SCORES_DRIFTED = "scores_drifted"
    OVER_BUDGET = "over_budget"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no certificate: a sentence, and the numbers it rests on."""

    reason: Reason
    message: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def refusal(
    line: Line,
    sample: Places,
    agrees: Sequence[bool | None],
    *,
    rows: int,
    tolerated: int,
    delta: float,
    min_accepted_agreement: float | None = MIN_ACCEPTED_AGREEMENT,
) -> Refusal | None:
    """Return why the drawn line earns no certificate, or None. `rows` is the whole batch.

    `min_accepted_agreement` bounds from below, with probability 1 - delta, how many kept rows agree; None lets any.
    """
    if line.kept < LEAST_SAVING * rows:
        said = f"only {line.kept:,} of {rows:,} rows could keep their cheap answer"
        reason = Reason.SAVES_TOO_LITTLE if line.kept else Reason.NOTHING_KEPT
        return Refusal(
            reason,
            f"{said}, {len(line.errors):,} of {line.sample:,} labelled ones being wrong.",
            {"kept": float(line.kept), "rows": float(rows), "errors": float(len(line.errors))},
        )
    wrong = np.array([not one for one in agrees], bool)
    ranked = auroc(-sample.astype(np.float64), wrong)
    if ranked is not None and wrong.sum() >= FEWEST_ERRORS and ranked.least <= LEAST_AUROC:
        said = (
            f"the score hardly tells right rows from wrong ones: AUROC {ranked.value:.2f}, at least {ranked.least:.2f}"
        )
        return Refusal(
            Reason.SCORE_RANKS_NOTHING,
            f"{said} (95 %), where more than {LEAST_AUROC:g} is wanted.",
            {"auroc": ranked.value, "least": ranked.least},
        )
    least = least_agreement(line, tolerated=tolerated, delta=delta)
    if min_accepted_agreement is not None and least is not None and least < min_accepted_agreement:
        said = f"of the {line.kept:,} rows that would be kept only {least:.1%} are sure to agree"
        return Refusal(
            Reason.KEPT_ROWS_WRONG,
            f"{said}, less than the {min_accepted_agreement:.0%} wanted of kept rows, whatever --target is.",
            {"least": least, "estimate": line.agreement_above or 0.0},
        )
    return None


def fewest_kept(*, pool: int, sample: int, tolerated: int, delta: float, min_accepted_agreement: float | None) -> int:
    """Return how many rows a line must keep for `refusal` to find that so many of them agree; 0 where any may."""
    if min_accepted_agreement is None:
        return 0
    wrong = most_wrong(pool=pool, sample=sample, tolerated=tolerated, delta=delta)
    return ceil(wrong / (1 - Decimal(str(min_accepted_agreement))))
