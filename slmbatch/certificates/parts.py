"""The parts of a batch with a promise of their own: its classes or its fields. Each has its own rows, scores and order.

A row keeps its cheap answer where every part it belongs to keeps it. So each class keeps what its own line allows, and
a document what all its fields allow. That a part's rows also go up for another's sake takes errors away from what it
keeps and adds none: its promise holds all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slmbatch.certificates.calibration import Flags
from slmbatch.certificates.certificate import Frozen
from slmbatch.certificates.planning import Batch
from slmbatch.certificates.ranking import Places, Ranking, freeze
from slmbatch.certificates.settling import kept_ranks

PARTS = {"class": "classes", "field": "fields"}  # what a run can have a promise for each of, and its plural


@dataclass(frozen=True, slots=True)
class Part:
    """What one promise is about: `rows` rows, and those of them that may keep their cheap answer.

    `places` are the latter's among all such rows of the batch, `frozen` what was written down of them, `ranking` their
    order.
    """

    rows: int
    places: Places
    frozen: Frozen
    ranking: Ranking

    @property
    def shape(self) -> Batch:
        return Batch(self.rows, len(self.places))

    def scores(self) -> np.ndarray:
        """Return the scores in rank order."""
        return np.asarray(self.frozen.scores, np.float64)[self.ranking.order]

    def labels(self, agrees: Mapping[str, bool | None], size: int) -> list[bool | None]:
        """Return what is known of a sample of this size, by rank; `agrees` has it by id."""
        places = self.ranking.order[self.ranking.sample(size)]
        return [agrees[self.frozen.ids[place]] for place in places.tolist()]


def make_part(frozen: Frozen, places: Places, *, rows: int, seed: int) -> Part:
    """Rank the rows of a part."""
    return Part(rows, places, frozen, freeze(frozen.ids, frozen.scores, seed=seed, answers=frozen.answers))


def drawn(parts: Mapping[str, Part], sizes: Mapping[str, int]) -> Places:
    """Return the places of all rows to label, each once, for samples of these sizes.

    Rows are drawn by their ids alone, so parts with the same rows draw the same ones.
    """
    some = [parts[name].ranking for name in sizes]
    samples = zip(sizes.items(), some, strict=True)
    places = [parts[name].places[one.order[one.sample(size)]] for (name, size), one in samples]
    return np.array(list(dict.fromkeys(np.concatenate(places).tolist())), np.int64)


def keeps(parts: Mapping[str, Part], lines: Mapping[str, tuple[int, int]]) -> Flags:
    """Return which rows every part they belong to keeps, by place. `lines` are ranks and sizes of samples.

    A part without a line keeps nothing.
    """
    kept = np.ones(1 + max(int(one.places.max(initial=-1)) for one in parts.values()), bool)
    for name, part in parts.items():
        own = np.zeros(len(part.places), bool)
        if name in lines:
            rank, size = lines[name]
            own[part.ranking.order[kept_ranks(min(rank, len(own)), part.ranking.sample(size))]] = True
        kept[part.places] &= own
    return kept
