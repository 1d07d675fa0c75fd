"""Other ways to certify a cut through a ranking, for benchmarks/certificates.py. Ranks ascend from the surest row.

All get `wrong` (rows,) by rank and a seed, and return `Cut`: the ranks that keep their cheap answer. BARGAIN_A is the
package of its authors (arXiv 2509.02896); its two betting tests are loops in Python, so they are computed here with
numpy, which the benchmark compares with the package's own in every cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import bdtr

GRID = 20  # ranks that are tried, as in BARGAIN_A
LABELS = 400  # for the methods that don't choose by themselves; a third of a small batch


def labelled(rows: int, size: int, seed: int) -> np.ndarray:
    """Ranks drawn without replacement, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:size])


def unlabelled_above(rank: int, sample: np.ndarray) -> np.ndarray:
    return np.setdiff1d(np.arange(rank), sample, assume_unique=True)


def naive(wrong: np.ndarray, sample: np.ndarray, allowed: int) -> np.ndarray:
    """Cut where the sample alone says that no more than `allowed` rows are wrong above: no bound at all."""
    errors = sample[wrong[sample]]
    expected = allowed * len(sample) // len(wrong)
    return unlabelled_above(int(errors[expected]) if len(errors) > expected else len(wrong), sample)


def hoeffding(wrong: np.ndarray, sample: np.ndarray, allowed: int, delta: float) -> np.ndarray:
    """The last of 20 ranks at which Hoeffding's bound, shared among them, keeps the promise."""
    share = allowed / len(wrong)
    slack = np.sqrt(np.log(GRID / delta) / (2 * len(sample)))
    ranks = _grid(len(wrong))
    held = [rank for rank in ranks if _above(wrong, sample, rank) / len(sample) + slack <= share]
    return unlabelled_above(max(held, default=0), sample)


def learn_then_test(wrong: np.ndarray, sample: np.ndarray, allowed: int, delta: float) -> np.ndarray:
    """Learn then Test (arXiv 2110.01052): Hoeffding-Bentkus p-values, 20 ranks in fixed sequence."""
    share, size, rank = allowed / len(wrong), len(sample), 0
    for tried in _grid(len(wrong)):
        errors = _above(wrong, sample, tried)
        found = min(errors / size, share)
        gap = found * np.log(found / share) if found else 0.0
        gap += (1 - found) * np.log((1 - found) / (1 - share))
        if min(np.exp(-size * gap), np.e * bdtr(errors, size, share)) > delta:
            break
        rank = tried
    return unlabelled_above(rank, sample)


def bargain(wrong: np.ndarray, agreement: float, delta: float, seed: int, *, as_published: bool) -> np.ndarray:
    """BARGAIN_A 0.1.3 with its defaults."""
    from BARGAIN.models.AbstractModels import Oracle, Proxy
    from BARGAIN.process import BARGAIN_A as module  # noqa: N811

    class Cheap(Proxy):
        def get_preds_and_scores(self, _: Any, data_records: Any) -> tuple[np.ndarray, np.ndarray]:
            return np.zeros(len(data_records), int), -np.asarray(data_records, float)

    class Top(Oracle):
        def is_answer_correct(self, _: Any, data_records: Any, __: Any) -> np.ndarray:
            return ~wrong[np.asarray(data_records, int)]

        def get_pred(self, data_records: Any, _: Any = None) -> np.ndarray:
            return wrong[np.asarray(data_records, int)].astype(int)

    own = module.test_if_true_mean_is_above_m, module.test_if_true_mean_is_below_m
    if not as_published:
        module.test_if_true_mean_is_above_m = _not_above
        module.test_if_true_mean_is_below_m = _not_below
    try:
        process = module.BARGAIN_A(Cheap(), Top(), target=agreement, delta=delta, verbose=False, seed=seed)
        _, asked = process.process(np.arange(len(wrong)), return_oracle_usage=True)
    finally:
        module.test_if_true_mean_is_above_m, module.test_if_true_mean_is_below_m = own
    return np.flatnonzero(~np.array(asked))


def _not_above(obs: np.ndarray, m: float, alpha: float, *, N: int, **_: object) -> bool:  # noqa: N803
    """Whether the bets have *not* shown that the mean lies above m."""
    before = np.concatenate([[0.0], np.cumsum(obs)[:-1]])
    means = (N * m - before) / (N - np.arange(len(obs)))
    bets = np.minimum(_stakes(obs, alpha), 0.75 / means)
    return not bool((np.cumprod(1 + bets * (obs - means)) >= 1 / alpha).any())


def _not_below(obs: np.ndarray, m: float, alpha: float, *, N: int, **_: object) -> bool:  # noqa: N803
    """Whether the bets have *not* shown that the mean lies below m."""
    later = (N * m - np.cumsum(obs[:-1])) / (N - np.arange(len(obs) - 1))
    means = np.concatenate([[m], later])
    bets = np.minimum(_stakes(obs, alpha), 0.75 / (1 - means[-1]))
    return not bool((np.cumprod(1 - bets * (obs - means)) >= 1 / alpha).any())


def _stakes(obs: np.ndarray, alpha: float) -> np.ndarray:
    """The package's bets before truncation, from what was seen before each."""
    at = np.arange(1, len(obs) + 1)
    seen = np.concatenate([[0.0], np.cumsum(obs)[:-1]])
    mean = (0.5 + seen) / at
    spread = (0.25 + seen - 2 * mean * seen + (at - 1) * mean**2) / at
    return np.sqrt(2 * np.log(2 / alpha) / (at * np.log(at + 1) * spread))


def _grid(rows: int) -> list[int]:
    step = max(rows // GRID, 1)
    return [*range(step, rows, step), rows]


def _above(wrong: np.ndarray, sample: np.ndarray, rank: int) -> int:
    return int(wrong[sample[: np.searchsorted(sample, rank)]].sum())


RIVALS: dict[str, Callable[..., np.ndarray]] = {"Hoeffding": hoeffding, "Learn then Test": learn_then_test}
