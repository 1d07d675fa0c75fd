"""The frozen order of a batch: which row is surest, which are labelled, and the hash that shows nothing was moved.

Ties and the sample come from a hash of the seed and the row's id, so both can be found again from the table alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256

import numpy as np
import numpy.typing as npt

from slmbatch.errors import InputError

Places = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
HALF = 8  # bytes of hash that break ties, and as many that draw the sample


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows in rank order, surest first. `order[rank]` is the row's place in the input, `drawn` the ranks as drawn.

    `digest` is the SHA-256, in hexadecimal, of scores, ids and answers in rank order.
    """

    order: Places
    drawn: Places
    digest: str

    def __len__(self) -> int:
        return len(self.order)

    def sample(self, size: int) -> Places:
        """Return the ranks of the rows to label, ascending. A smaller sample is part of a larger one.

        Raises ValueError when there are fewer rows.
        """
        if not 0 <= size <= len(self.order):
            raise ValueError(f"a sample of {size} out of {len(self.order)} rows")
        return np.sort(self.drawn[:size])


def freeze(
    ids: Sequence[str], scores: Sequence[float] | Scores, *, seed: int, answers: Sequence[str] | None = None
) -> Ranking:
    """Rank rows by score, highest first. Rows without a score (NaN) come last.

    Give only rows that may keep their cheap answer, and `answers` to hold these down as well. Raises InputError when an
    id comes twice: the draw would not be one of rows.
    """
    values = np.asarray(scores, np.float64) + 0.0  # -0 and 0 are one score
    hashes = np.frombuffer(
        b"".join(_hash(seed, one) for one in ids), np.dtype([("tie", f">u{HALF}"), ("draw", f">u{HALF}")])
    )
    _refuse_repeated(ids)
    order = np.lexsort((hashes["tie"], -values))
    drawn = np.argsort(hashes["draw"][order], kind="stable")
    digest = sha256(values[order].astype(">f8").tobytes())
    for texts in (ids,) if answers is None else (ids, answers):
        written = [texts[place].encode() for place in order.tolist()]
        digest.update(np.array([len(one) for one in written], ">u4").tobytes())
        digest.update(b"".join(written))
    return Ranking(order.astype(np.int64), drawn.astype(np.int64), digest.hexdigest())


def _hash(seed: int, row_id: str) -> bytes:
    return blake2b(f"{seed}\n{row_id}".encode(), digest_size=2 * HALF).digest()


def _refuse_repeated(ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise InputError(
                f"{one}: two rows have this id.",
                "A certificate needs rows that can be told apart: name an --id-column.",
            )
        seen.add(one)
