"""The line: from the labels of the sample to the rows that keep their cheap answer. Knows no plan and no price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slmbatch.certificates.counting import most_wrong
from slmbatch.certificates.ranking import Places

Contents = npt.NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Line:
    """Where a ranking of `pool` rows is cut: unlabelled rows ranked before `rank` keep their cheap answer.

    `errors` are the ranks of the labelled rows that differ from the top tier, or that it didn't answer (`missing` of
    them). `labelled_above` and `errors_above` count labelled rows before `rank`, `copies` the unlabelled ones whose
    content goes up all the same, with a row that is labelled or lies beyond the line.
    """

    pool: int
    sample: int
    rank: int
    labelled_above: int
    errors: tuple[int, ...]
    missing: int
    copies: int = 0

    @property
    def kept(self) -> int:
        """Rows that the top tier isn't asked about."""
        return self.rank - self.labelled_above - self.copies

    @property
    def errors_above(self) -> int:
        return sum(rank < self.rank for rank in self.errors)

    @property
    def agreement_above(self) -> float | None:
        """The share of labelled rows before the line that agree: an estimate, a little high since errors drew the line.

        None where no labelled row lies there.
        """
        return 1 - self.errors_above / self.labelled_above if self.labelled_above else None

    def keeps(self, sample: Places) -> Places:
        """Return the ranks that keep their cheap answer; `sample` are the labelled ones."""
        return kept_ranks(self.rank, sample)


def kept_ranks(rank: int, sample: Places) -> Places:
    """Return the ranks before the line at `rank` that aren't labelled."""
    above: Places = np.arange(rank, dtype=np.int64)
    return np.setdiff1d(above, sample, assume_unique=True)


def draw_line(
    sample: Places, agrees: Sequence[bool | None], *, pool: int, tolerated: int, contents: Contents | None = None
) -> Line:
    """Cut before the (tolerated + 1)-th labelled error, or nowhere when there are no more than `tolerated`.

    `sample` are labelled ranks, ascending, `agrees` what their labels say; None is a label that never came and counts
    as an error, since leaving it out would let silence pass for agreement. `contents` tell by rank which rows are
    copies of each other, if any may be.
    """
    errors = tuple(int(rank) for rank, right in zip(sample, agrees, strict=True) if not right)
    rank = errors[tolerated] if len(errors) > tolerated else pool
    return Line(
        pool=pool,
        sample=len(sample),
        rank=rank,
        labelled_above=int(np.searchsorted(sample, rank)),
        errors=errors,
        missing=sum(one is None for one in agrees),
        copies=0 if contents is None else _copies(contents, kept_ranks(rank, sample)),
    )


def _copies(contents: Contents, kept: Places) -> int:
    """Count the rows among the kept ones that have a copy among the others."""
    return int(np.isin(contents[kept], np.delete(contents, kept)).sum())


def least_agreement(line: Line, *, tolerated: int, delta: float) -> float | None:
    """Return what share of the kept rows agrees at least, except with probability delta; None where none is kept.

    The line moved with the labels, so the block above it isn't fixed and an interval for fixed blocks wouldn't hold.
    The count rule bounds the errors above any such line, and so this holds together with the promise itself.
    """
    if not line.kept:
        return None
    wrong = most_wrong(pool=line.pool, sample=line.sample, tolerated=tolerated, delta=delta)
    return max(0.0, 1 - wrong / line.kept)
