"""The line: from the labels of the sample to the rows that keep their cheap answer. Knows no plan and no price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slmbatch.certificates.calibration import Flags
from slmbatch.certificates.counting import most_wrong
from slmbatch.certificates.ranking import Places

Contents = npt.NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Line:
    """Where a ranking of `pool` rows is cut: unlabelled rows ranked before `rank` keep their cheap answer.

    `errors` are the ranks of the labelled rows that differ from the top tier, or that it didn't answer (`missing` of
    them). `labelled_above` and `errors_above` count labelled rows before `rank`, `going_up` the unlabelled ones there
    that go up all the same: copies of rows that do, and rows that another promise doesn't keep.
    """

    pool: int
    sample: int
    rank: int
    labelled_above: int
    errors: tuple[int, ...]
    missing: int
    going_up: int = 0

    @property
    def kept(self) -> int:
        """Rows that the top tier isn't asked about."""
        return self.rank - self.labelled_above - self.going_up

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
    sample: Places,
    agrees: Sequence[bool | None],
    *,
    pool: int,
    tolerated: int,
    contents: Contents | None = None,
    up: Flags | None = None,
) -> Line:
    """Cut before the (tolerated + 1)-th labelled error, or nowhere when there are no more than `tolerated`.

    `sample` are labelled ranks, ascending, `agrees` what their labels say; None is a label that never came and counts
    as an error, since leaving it out would let silence pass for agreement. `contents` tell by rank which rows are
    copies of each other, if any may be; `up` which go up whatever the line is.
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
        going_up=_going_up(kept_ranks(rank, sample), contents, up),
    )


def _going_up(kept: Places, contents: Contents | None, up: Flags | None) -> int:
    """Count the rows among the kept ones that go up themselves, or have a copy among those that do."""
    staying = kept if up is None else kept[~up[kept]]
    copies = 0 if contents is None else int(np.isin(contents[staying], np.delete(contents, staying)).sum())
    return len(kept) - len(staying) + copies


def least_agreement(line: Line, *, tolerated: int, delta: float) -> float | None:
    """Return what share of the kept rows agrees at least, except with probability delta; None where none is kept.

    The line moved with the labels, so the block above it isn't fixed and an interval for fixed blocks wouldn't hold.
    The count rule bounds the errors above any such line, and so this holds together with the promise itself.
    """
    if not line.kept:
        return None
    wrong = most_wrong(pool=line.pool, sample=line.sample, tolerated=tolerated, delta=delta)
    return max(0.0, 1 - wrong / line.kept)
