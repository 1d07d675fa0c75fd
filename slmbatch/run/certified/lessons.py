"""Rows of an earlier certified run that both its cheap tiers and its last tier answered: what a later run learns from.

Its random sample is among them; the others went up because of how they ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from slmbatch.certificates.calibration import Doubles, Flags
from slmbatch.certificates.learning import Numbers, Taught, learn
from slmbatch.run.certified.batch import Strings, read_batch
from slmbatch.run.certified.earlier import like_run
from slmbatch.run.certified.frozen import FROZEN_FILE, Kinds, answers
from slmbatch.run.certified.labels import LABELS_FILE, read_labels
from slmbatch.run.certified.ranker import VERSION, Ranker, classes_of, feature_names, features_of, scored_by
from slmbatch.run.certified.tiers import read_choice
from slmbatch.store.folder import RunFolder
from slmbatch.store.located import LocatedParts
from slmbatch.store.manifest import Settings, run_id
from slmbatch.store.parts import part_paths, whole_keys

MOST_ROWS = 10_000  # of a run's drawn rows, and of its others: more teach nothing that a few dozen weights could hold


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run of `rows` rows: of those that both answered, the cheap tiers' records and what the last tier `told`.

    None where it gave no answer: that is wrong, as a certificate counts it. The `drawn` rows are the random sample, or
    all, where all went up. `left_out` are tiers that weren't asked.
    """

    folder: RunFolder
    rows: int
    left_out: tuple[str, ...]
    keys: Strings
    settled: pa.Table
    told: tuple[str | None, ...]
    wrong: Flags
    drawn: Flags

    def scores(self, ranker: Ranker | None = None) -> Doubles:
        """Return what rows are ranked by, by their plain scores unless said; NaN where there is none."""
        told: Doubles = scored_by(ranker)(self.settled).to_numpy()
        return told


def read_run(root: Path, settings: Settings, kinds: Kinds | None) -> EarlierRun:
    """Read an earlier run. Raises as `like_run` does."""
    folder = like_run(root, settings)
    batch, labels = read_batch(folder.certify / FROZEN_FILE), read_labels(folder.certify / LABELS_FILE)
    keys = batch.keys[batch.pool]
    drawn = np.array([one in labels for one in batch.frozen.ids], bool)
    top, cheap = (LocatedParts(part_paths(folder.stage(name).parts)) for name in ("top", "answers"))
    found = top.find(whole_keys(keys))
    if len(keys) and (found >= 0).all():  # all went up, since there's no certificate: nothing was chosen
        drawn[:] = True
    first = np.zeros(len(keys), bool)
    first[np.unique(keys, return_index=True)[1]] = True
    went_up = first & (found >= 0) & ~np.isin(keys, keys[drawn])
    chosen = np.sort(np.concatenate([_some(drawn), _some(went_up)]))
    told = np.full(len(chosen), None, object)
    asked = found[chosen] >= 0
    told[asked] = answers(top.take(found[chosen[asked]]), kinds)
    known = drawn[chosen] | np.array([one is not None for one in told], bool)
    chosen, told = chosen[known], told[known]
    settled = cheap.take(cheap.find(whole_keys(keys[chosen])))
    own = np.array(batch.frozen.answers or [], object)[chosen]
    wrong = (told != own).astype(bool)
    left_out = read_choice(folder).left_out
    return EarlierRun(folder, len(batch), left_out, keys[chosen], settled, tuple(told.tolist()), wrong, drawn[chosen])


def _some(rows: Flags) -> Numbers:
    """Return the places of these rows, or of MOST_ROWS of them at random."""
    places = np.flatnonzero(rows)
    return np.random.default_rng(0).permutation(places)[:MOST_ROWS] if len(places) > MOST_ROWS else places


def learn_ranking(runs: Sequence[EarlierRun], tiers: Sequence[str], *, seed: int) -> tuple[Ranker, Doubles]:
    """Learn how to rank from runs that asked these cheap `tiers`.

    Returns also what the drawn rows are ranked by: where the ranking was learned, by one that didn't see them.
    """
    settled = pa.concat_tables([one.settled for one in runs])
    wrong, drawn = np.concatenate([one.wrong for one in runs]), np.concatenate([one.drawn for one in runs])
    scores = np.concatenate([one.scores() for one in runs])
    contents = np.unique(np.concatenate([one.keys for one in runs]), return_inverse=True)[1]
    rows = Taught(features_of(settled, tiers), classes_of(settled), wrong, scores, drawn, contents)
    lesson = learn(rows, seed=seed)
    ranker = Ranker(
        VERSION,
        tuple(tiers),
        feature_names(tiers),
        labelled=len(rows),
        drawn=int(drawn.sum()),
        wrong=int(wrong.sum()),
        auroc=lesson.plain,
        auroc_learned=lesson.learned,
        runs=tuple(run_id(one.folder) for one in runs),
        learned=lesson.ranking,
    )
    return ranker, (scores if lesson.ranking is None else lesson.held_out)[drawn]
