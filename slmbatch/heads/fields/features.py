"""Candidates of one leaf as rows of numbers: their own traits, where they stand to its labels, and their order.

The names here are what weights are stored under: a feature that is renamed must be fitted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.addresses import ADDRESS_TRAITS
from slmbatch.heads.fields.candidates import (
    AMOUNT_TRAITS,
    CURRENCY_TRAITS,
    DATE_TRAITS,
    IBAN_TRAITS,
    IDENTIFIER_TRAITS,
    VAT_TRAITS,
    Candidate,
)
from slmbatch.heads.fields.context import Context
from slmbatch.heads.fields.parties import PARTY_TRAITS
from slmbatch.tasks.hints import HintKind, Pick

Matrix = npt.NDArray[np.float64]

TRAITS = {
    HintKind.AMOUNT: AMOUNT_TRAITS,
    HintKind.DATE: DATE_TRAITS,
    HintKind.IDENTIFIER: IDENTIFIER_TRAITS,
    HintKind.PARTY: PARTY_TRAITS,
    HintKind.ADDRESS: ADDRESS_TRAITS,
    HintKind.CURRENCY: CURRENCY_TRAITS,
    HintKind.IBAN: IBAN_TRAITS,
    HintKind.VAT: VAT_TRAITS,
    HintKind.TEXT: ("same_line",),
}
LABEL_FEATURES = (
    "own_left", "own_left_touching", "own_left_between", "own_left_long", "own_line", "own_column", "own_alone",
    "own_above", "foreign_left", "foreign_column", "own_section", "own_section_near", "foreign_section", "unlabelled",
    "unlabelled_without_pick", "pick_best", "pick_rank", "own_pick_best", "own_first", "own_last",
)  # fmt: skip
# Which of several: only for weights of one leaf, since another leaf of the kind has another place.
ORDER_FEATURES = ("position", "first", "last", "early", "largest", "second_largest", "size_rank")
NONE_FEATURES = ("none", "none_without_label", "none_without_pick")
OWN = LABEL_FEATURES.index("unlabelled")


def feature_names(kind: HintKind) -> tuple[str, ...]:
    """Name the columns of `features`."""
    return (*TRAITS[kind], *LABEL_FEATURES, *ORDER_FEATURES)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all leaves of one kind have in common in one document: the candidates, their traits, order and sizes."""

    candidates: Sequence[Candidate]
    context: Context
    traits: Matrix
    order: Matrix
    sizes: Matrix

    @classmethod
    def of(cls, candidates: Sequence[Candidate], context: Context, lines: int) -> Shared:
        """Compute it; `lines` is how many lines the document has."""
        sizes = _sizes(candidates)
        traits = np.array([one.traits for one in candidates])
        return cls(candidates, context, traits, _order(candidates, sizes, lines), sizes)


def features(shared: Shared, leaf: int, pick: Pick | None) -> tuple[Matrix, Matrix]:
    """Return one row per candidate, and the row of NONE_FEATURES: what speaks for none of them.

    `leaf` is the leaf's bit in the context.
    """
    labels = _labels(shared.context, np.int64(1 << leaf))
    own = (labels[:, 0] + labels[:, 5] + labels[:, 6]) > 0
    picks = _picks(shared, own, pick)
    unlabelled = labels[:, OWN : OWN + 1]
    rows = np.hstack([shared.traits, labels, unlabelled * (pick is None), picks, shared.order])
    return rows, np.array([1.0, float(bool(unlabelled.all())), float(pick is None)])


def _labels(context: Context, bit: np.int64) -> Matrix:
    left, line, column, alone, above = (
        (owners & bit) != 0 for owners in (context.left, context.line, context.column, context.alone, context.above)
    )
    labelled = context.labelled > 0
    section = (context.section & bit) != 0
    column = column & ~labelled
    alone = alone & ~labelled
    own = left | line | column | alone
    columns = (
        left, left * context.touching, left * context.between, (context.long & bit) != 0, line & ~left, column, alone,
        above & ~own & ~labelled, labelled & ~left, (context.column_labelled > 0) & ~column & ~labelled & ~alone,
        section, section / np.maximum(context.section_distance, 1), (context.section != 0) & ~section,
        ~(own | section),
    )  # fmt: skip
    return np.column_stack(columns).astype(np.float64)


def _picks(shared: Shared, own: npt.NDArray[np.bool_], pick: Pick | None) -> Matrix:
    count = len(own)
    rank = np.arange(count, dtype=np.float64)
    if pick in {Pick.LARGEST, Pick.SMALLEST}:
        sizes = shared.sizes
        rank = (sizes[:, None] < sizes[None, :] if pick is Pick.LARGEST else sizes[:, None] > sizes[None, :]).sum(1)
    elif pick is Pick.LAST:
        rank = rank[::-1]
    elif pick is Pick.MOST:
        times = shared.traits[:, 0]
        rank = (times[:, None] < times[None, :]).sum(1)
    picked = pick is not None
    labelled = np.where(own, rank, np.inf)
    best = own & (labelled == labelled.min()) & picked
    places = np.flatnonzero(own)
    first, last = np.zeros(count), np.zeros(count)
    if len(places):
        first[places[0]] = last[places[-1]] = 1.0
    return np.column_stack([(rank == 0) & picked, picked / (1.0 + rank), best, first, last]).astype(np.float64)


def _sizes(candidates: Sequence[Candidate]) -> Matrix:
    """Return the amounts' sizes, those with cents only where there are any; 0 for what isn't a number."""
    sizes = np.zeros(len(candidates))
    for index, one in enumerate(candidates):
        if isinstance(one.value, Decimal) and one.traits[0] and one.value > 0 and one.value.adjusted() < 12:
            sizes[index] = float(one.value)
        elif not isinstance(one.value, (Decimal, str)) and hasattr(one.value, "toordinal"):
            sizes[index] = one.value.toordinal()
    return sizes


def _order(candidates: Sequence[Candidate], sizes: Matrix, lines: int) -> Matrix:
    count = len(candidates)
    index = np.arange(count, dtype=np.float64)
    if not count:
        return np.zeros((0, len(ORDER_FEATURES)))
    distinct = np.unique(sizes)[::-1]
    largest = distinct[0]
    second = distinct[1] if len(distinct) > 1 else -1.0
    places = np.array([one.line for one in candidates]) / max(lines, 1)
    known = sizes > 0
    return np.column_stack(
        [
            places, index == 0, index == count - 1, 1 / (1 + index), known & (sizes == largest),
            known & (sizes == second), known / (1.0 + (distinct[None, :] > sizes[:, None]).sum(1)),
        ]
    ).astype(np.float64)  # fmt: skip
