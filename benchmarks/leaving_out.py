"""Certified runs that leave a middle tier out where earlier rows say so, on recorded answers of three models.

    python benchmarks/leaving_out.py FOLDER --seeds 10

FOLDER holds three_tier.parquet (see routing.py). Every seed takes 600 rows as the earlier run's sample, and certifies
1,000 others with both cheap tiers, without the middle one, and as the 600 rows decide. Costs are shares of asking the
top tier about every row. What a run without the first tier would cost isn't known to a run that asked it first.
"""

from __future__ import annotations

import argparse
import platform
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
from certificate_rivals import labelled
from certificates import planned
from routing import CHAINS

from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import MIN_ACCEPTED_AGREEMENT, refusal
from slmbatch.certificates.settling import draw_line
from slmbatch.certificates.ways import learned_chances
from slmbatch.run.certified.leaving import SURE, Costing, Walked

PAST, NOW, THRESHOLD = 600, 1_000, 0.8
PRICES = ((0.5, 3, 30), (1, 10, 30), (1, 15, 30))  # USD per 1,000 rows of each tier
TARGETS = (0.90, 0.95, 0.98)


@dataclass(frozen=True, slots=True)
class Chain:
    name: str
    scores: tuple[np.ndarray, np.ndarray]
    wrong: tuple[np.ndarray, np.ndarray]

    def walked(self, places: np.ndarray, prices: tuple[float, ...], *, middle: bool) -> Walked:
        """What both cheap tiers say, or the first alone."""
        up = (self.scores[0][places] < THRESHOLD) & middle
        scores, wrong = (np.where(up, told[1][places], told[0][places]) for told in (self.scores, self.wrong))
        usd = prices[0] + prices[1] * up
        return Walked(scores, np.ones(len(places), bool), wrong, usd)


def chains(folder: Path) -> Iterator[Chain]:
    for (name,), rows in pl.read_parquet(folder / "three_tier.parquet").group_by("set", maintain_order=True):
        for first, middle, top in CHAINS:
            answers = [rows[f"{one}|answer"].to_numpy() for one in (first, middle, top)]
            scores = (rows[f"{first}|p1"].to_numpy(), rows[f"{middle}|p1"].to_numpy())
            yield Chain(
                f"{name} {first} > {middle} > {top}", scores, (answers[0] != answers[2], answers[1] != answers[2])
            )


def cost(past: Walked, now: Walked, target: Target, top: float, seed: int) -> float:
    """What certifying these rows takes, of the top tier alone."""
    order = np.lexsort((np.random.default_rng(seed).random(NOW), -now.scores))
    chances = learned_chances(now.scores[order], old_scores=past.scores, old_wrong=past.wrong)
    made = planned(chances or [], target, gate=MIN_ACCEPTED_AGREEMENT)
    kept = 0
    if made is not None:
        sample = labelled(NOW, made.sample, seed)
        agrees = (~now.wrong[order][sample]).tolist()
        line = draw_line(sample, agrees, pool=NOW, tolerated=made.tolerated)
        refused = refusal(line, sample, agrees, rows=NOW, tolerated=made.tolerated, delta=target.delta)
        kept = 0 if refused is not None else line.kept
    return (float(now.usd.sum()) + top * (NOW - kept)) / (NOW * top)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--delta", type=float, default=0.1)
    given = parser.parse_args()
    told: dict[tuple[object, float], list[tuple[float, float, bool]]] = defaultdict(list)
    for chain in chains(given.folder):
        for seed in range(given.seeds):
            mixed = np.random.default_rng(seed).permutation(len(chain.scores[0]))
            past, now = mixed[:PAST], mixed[PAST : PAST + NOW]
            for prices in PRICES:
                ways = [[chain.walked(places, prices, middle=one) for places in (past, now)] for one in (True, False)]
                for agreement in TARGETS:
                    target = Target(agreement, given.delta)
                    costing = Costing(NOW, target, Decimal(prices[2]))
                    left_out = costing.certainty(ways[1][0], ways[0][0], seed=seed) >= SURE
                    costs = [cost(old, new, target, prices[2], seed) for old, new in ways]
                    told[prices, agreement].append((costs[0], costs[1], left_out))
    print("| prices | target | all tiers | without the middle one | as decided | left out | of these dearer | better |")
    print("|" + "---|" * 8)
    for (prices, agreement), rows in told.items():
        both, fewer, left_out = (np.array(one) for one in zip(*rows, strict=True))
        decided = np.where(left_out, fewer, both)
        dearer = int((fewer > both)[left_out].sum())
        numbers = [f"{one.mean():.3f}" for one in (both, fewer, decided)]
        shown = " : ".join(f"{one:g}" for one in prices)
        best = f"{np.minimum(both, fewer).mean():.3f}"
        print(
            f"| {shown} | {agreement:g} | "
            + " | ".join([*numbers, f"{left_out.sum()} of {len(rows)}", f"{dearer}", best])
            + " |"
        )
    print(f"\n{platform.machine()}, Python {platform.python_version()}, {given.seeds} seeds")


if __name__ == "__main__":
    main()
