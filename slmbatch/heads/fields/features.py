"""Candidates of one leaf as rows of numbers: their own traits, where they stand to its labels, and their order.

The names here are what weights are stored under: a feature that is renamed must be fitted again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.addresses import ADDRESS_TRAITS
from slmbatch.heads.fields.candidates import (
    DATE_TRAITS,
    IBAN_TRAITS,
    IDENTIFIER_TRAITS,
    TEXT_TRAITS,
    VAT_TRAITS,
    Candidate,
    Found,
)
from slmbatch.heads.fields.context import Context
from slmbatch.heads.fields.money import AMOUNT_TRAITS, CURRENCY_TRAITS
from slmbatch.heads.fields.parties import PARTY_TRAITS
from slmbatch.tasks.hints import HintKind, Pick
from slmbatch.types import Scalar

Matrix = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

TRAITS = {
    HintKind.AMOUNT: AMOUNT_TRAITS,
    HintKind.DATE: DATE_TRAITS,
    HintKind.IDENTIFIER: IDENTIFIER_TRAITS,
    HintKind.PARTY: PARTY_TRAITS,
    HintKind.ADDRESS: ADDRESS_TRAITS,
    HintKind.CURRENCY: CURRENCY_TRAITS,
    HintKind.IBAN: IBAN_TRAITS,
    HintKind.VAT: VAT_TRAITS,
    HintKind.TEXT: TEXT_TRAITS,
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
CLOSE = [LABEL_FEATURES.index(name) for name in ("own_left", "own_column", "own_alone")]


def feature_names(kind: HintKind) -> tuple[str, ...]:
    """Name the columns of `features`."""
    return (*TRAITS[kind], *LABEL_FEATURES, *ORDER_FEATURES)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all leaves of one kind have in common in one document: the candidates, their traits, order and sizes.

    `first` is the place of the first one among the candidates of all kinds.
    """

    candidates: Sequence[Candidate]
    first: int
    traits: Matrix
    order: Matrix
    sizes: Matrix
    values: npt.NDArray[np.intp]  # the number of each one's value: equal values have equal numbers

    @classmethod
    def of(cls, found: Found, first: int, lines: int | None) -> Shared:
        """Compute it; `lines` is how many lines the document has, None where the order isn't wanted."""
        candidates = found.candidates
        sizes = _sizes(found)
        numbers: dict[Scalar, int] = {}
        values = np.array([numbers.setdefault(one.value, len(numbers)) for one in candidates], np.intp)
        order = np.zeros((len(candidates), len(ORDER_FEATURES)))
        if candidates and lines is not None:
            _fill_order(order, candidates, sizes, lines)
        return cls(candidates, first, found.traits, order, sizes, values)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One leaf that is looked for among candidates, at least one. `leaf` is its bit in the context."""

    leaf: int
    pick: Pick | None
    shared: Shared


def features(wanted: Sequence[Wanted], context: Context) -> Iterator[tuple[Matrix, Matrix]]:
    """Yield for each leaf one row per candidate, and the row of NONE_FEATURES: what speaks for none of them.

    The labels of all leaves are looked at together, since an array costs more to begin with than to fill.
    """
    if not wanted:
        return
    counts = np.array([len(one.shared.candidates) for one in wanted])
    starts = np.cumsum(counts) - counts
    labels = _label_features(wanted, context, counts, starts)
    unlabelled = np.logical_and.reduceat(labels[OWN] > 0, starts)
    for one, start, none in zip(wanted, starts.tolist(), unlabelled.tolist(), strict=True):
        own = labels[:, start : start + len(one.shared.candidates)]
        rows = np.concatenate((one.shared.traits, own.T, one.shared.order), axis=1)
        yield rows, np.array([1.0, float(none), float(one.pick is None)])


def _label_features(wanted: Sequence[Wanted], context: Context, counts: Places, starts: Places) -> Matrix:
    """Return LABEL_FEATURES of all leaves' candidates after each other, one row per feature."""
    total = int(counts.sum())
    firsts = np.array([one.shared.first for one in wanted])
    at = np.arange(total) + np.repeat(firsts - starts, counts)  # each one's place in the context
    labels = np.zeros((len(LABEL_FEATURES), total))
    own = _fill_labels(labels, context, at, np.repeat([1 << one.leaf for one in wanted], counts))
    picks = np.repeat([one.pick is not None for one in wanted], counts)
    rank = np.concatenate([_rank(one.shared, one.pick) for one in wanted])
    best = np.minimum.reduceat(np.where(own, rank, np.inf), starts)
    labels[OWN + 1] = ~picks & (labels[OWN] > 0)
    labels[OWN + 2] = picks & (rank == 0)
    labels[OWN + 3] = picks / (1.0 + rank)
    labels[OWN + 4] = picks & own & (rank == np.repeat(best, counts))
    places = np.arange(total)
    labels[OWN + 5] = own & (places == np.repeat(np.minimum.reduceat(np.where(own, places, total), starts), counts))
    labels[OWN + 6] = own & (places == np.repeat(np.maximum.reduceat(np.where(own, places, -1), starts), counts))
    return labels


def _fill_labels(into: Matrix, context: Context, at: Places, bits: Places) -> npt.NDArray[np.bool_]:
    """Write LABEL_FEATURES up to `unlabelled`; return who has the leaf's label to the left or just above."""
    owners = (context.left, context.line, context.column, context.alone, context.above, context.section, context.long)
    left, line, column, alone, above, section, long = (np.array(owners)[:, at] & bits) != 0
    free = ~context.labelled[at]
    column &= free
    alone &= free
    own = left | line | column | alone
    into[0] = left
    into[1] = left & context.touching[at]
    into[2] = left * context.between[at]
    into[3] = long
    into[4] = line & ~left
    into[5] = column
    into[6] = alone
    into[7] = above & ~own & free
    into[8] = ~(free | left)
    into[9] = context.column_labelled[at] & free & ~(column | alone)
    into[10] = section
    into[11] = section / np.maximum(context.section_distance[at], 1)
    into[12] = (context.section[at] != 0) & ~section
    into[OWN] = ~(own | section)
    return np.asarray(left | column | alone)


def _rank(shared: Shared, pick: Pick | None) -> Matrix:
    """Count the candidates that a pick puts before each one."""
    match pick:
        case Pick.LARGEST:
            return _before(-shared.sizes)
        case Pick.SMALLEST:
            return _before(shared.sizes)
        case Pick.MOST:
            return _before(-shared.traits[:, 0])
        case Pick.LAST:
            return np.arange(len(shared.candidates), dtype=np.float64)[::-1]
        case _:
            return np.arange(len(shared.candidates), dtype=np.float64)


def _before(keys: Matrix) -> Matrix:
    """Count the keys that are less than each one."""
    return np.searchsorted(np.sort(keys), keys).astype(np.float64)


def _sizes(found: Found) -> Matrix:
    """Return the amounts' sizes, those with cents only where there are any; 0 for what isn't a number."""
    values = [one.value for one in found.candidates]
    if values and isinstance(values[0], dt.date):
        return np.array([value.toordinal() if isinstance(value, dt.date) else 0 for value in values], np.float64)
    sizes = np.zeros(len(values))
    if values and isinstance(values[0], Decimal):
        for index in np.flatnonzero(found.traits[:, 0]).tolist():
            value = values[index]
            if isinstance(value, Decimal) and value > 0 and value.adjusted() < 12:
                sizes[index] = float(value)
    return sizes


def _fill_order(order: Matrix, candidates: Sequence[Candidate], sizes: Matrix, lines: int) -> None:
    """Write ORDER_FEATURES."""
    index = np.arange(len(candidates), dtype=np.float64)
    distinct = np.sort(list(set(sizes.tolist())))[::-1]
    second = distinct[1] if len(distinct) > 1 else -1.0
    known = sizes > 0
    order[:, 0] = [one.line for one in candidates]
    order[:, 0] /= lines
    order[0, 1] = order[-1, 2] = 1.0
    order[:, 3] = 1 / (1 + index)
    order[:, 4] = known & (sizes == distinct[0])
    order[:, 5] = known & (sizes == second)
    order[:, 6] = known / (1.0 + np.searchsorted(-distinct, -sizes))
