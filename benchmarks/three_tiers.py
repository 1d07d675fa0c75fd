"""Three tiers under one certificate, on recorded option probabilities: cost against asking the top tier about all rows.

    python benchmarks/three_tiers.py FOLDER --seeds 40

FOLDER holds three_tier.parquet (set, row, and per model answer, p1 and p2). Each seed takes 600 rows as an earlier
batch, whose answers calibrate P(wrong) and whose cost isn't counted, and the rest (or --rows of it) as tonight's. All
that tonight costs is counted: cheap tiers, labels, what goes up.

Beside the three families stands what `--target` does with three tiers: the first two are a plain cascade with the
threshold 0.8, whose answers are certified as one tier's, ranked by score or by calibrated confidence.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
from cascades import Cascade, Known, cascade, cheapest_cascade, last_step
from certificate_rivals import labelled

from slmbatch.certificates.calibration import confidence_features, fit_logistic
from slmbatch.certificates.counting import Target
from slmbatch.certificates.curves import fit_curve
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.noise import clopper_pearson
from slmbatch.certificates.planning import Batch, Plan, plan
from slmbatch.certificates.settling import draw_line
from slmbatch.certificates.ways import guessed_chances, ranked_way

HISTORY = 600
CHAINS = (("Qwen-1_8B", "Qwen-14B", "Qwen-72B"), ("Yi-6B", "Yi-34B", "Qwen-72B"))
FAMILIES = {(0, 1, 2): "1-2-3", (0, 2): "1-3", (1, 2): "2-3"}
TARGETS = (0.90, 0.95, 0.98)
CHOSEN = "cheapest planned"
PLAIN, CALIBRATED = "cascade by score", "cascade by confidence"
THRESHOLD = 0.8


def known(rows: pl.DataFrame, chain: tuple[str, ...]) -> Iterator[tuple[tuple[int, ...], Known, Known]]:
    """Each family with its earlier batch and tonight's rows; tier 2 sees whether it agrees with tier 1 if that ran."""
    answers = [rows[f"{model}|answer"].to_numpy() for model in chain]
    wrong = answers[0] != answers[2], answers[1] != answers[2]
    seen = [confidence_features(rows[f"{one}|p1"].to_numpy(), rows[f"{one}|p2"].to_numpy()) for one in chain[:2]]
    both = np.column_stack([seen[1], answers[0] == answers[1]])
    for family in FAMILIES:
        features = seen[0], both if family == (0, 1, 2) else seen[1]
        told = [
            fit_logistic(one[:HISTORY], bad[:HISTORY]).probability(one)
            for one, bad in zip(features, wrong, strict=True)
        ]
        yield family, _part(told, wrong, slice(HISTORY)), _part(told, wrong, slice(HISTORY, None))


def _part(told: list[np.ndarray], wrong: tuple[np.ndarray, np.ndarray], part: slice) -> Known:
    return Known((told[0][part], told[1][part]), (wrong[0][part], wrong[1][part]))


def run(family: Cascade, made: Plan, batch: Known, seed: int) -> tuple[float, bool]:
    """Return tonight's cost as a share of the top tier's alone, and whether the promise broke."""
    count = len(batch.wrong[0])
    sample = labelled(count, made.sample, seed)
    first = family.first_wrong(batch.chances, batch.wrong)
    step = last_step(first[sample], steps=len(family.penalties), tolerated=made.tolerated)
    settled = family.at(step).settles(*batch.chances)[0]
    settled[sample] = 2
    went_out = (settled == 0) & batch.wrong[0] | (settled == 1) & batch.wrong[1]
    middle = (1 in family.tiers) * ((settled > 0).sum())
    asked = [(0 in family.tiers) * count, middle, (settled == 2).sum()]
    cost = sum(share * price for share, price in zip(asked, family.prices, strict=True))
    return float(cost / (count * family.prices[2])), bool(went_out.sum() > made.allowed)


def cascaded(rows: pl.DataFrame, chain: tuple[str, ...], *, calibrated: bool) -> tuple[np.ndarray, ...]:
    """Return tonight's merged scores, whether answers are wrong, and who was asked of tier 2."""
    answers = [rows[f"{model}|answer"].to_numpy() for model in chain]
    right = [one == answers[2] for one in answers[:2]]
    scores = [rows[f"{model}|p1"].to_numpy() for model in chain[:2]]
    if calibrated:
        curves = [fit_curve(one[:HISTORY], good[:HISTORY], many=True) for one, good in zip(scores, right, strict=True)]
        scores = [curve.probabilities(one) for curve, one in zip(curves, scores, strict=True)]
    asked = scores[0] < THRESHOLD
    return tuple(one[HISTORY:] for one in (np.where(asked, *scores[::-1]), ~np.where(asked, *right[::-1]), asked))


def run_cascaded(batch: tuple[np.ndarray, ...], target: Target, prices: list[Decimal], seed: int) -> tuple[float, bool]:
    """As `run`, for the answers of a plain cascade. The plan knows what a row has cost below the top tier."""
    scores, wrong, asked = batch
    count, (cheap, middle, top) = len(scores), (float(one) for one in prices)
    below = cheap + middle * float(asked.mean())
    ranked = np.lexsort((np.random.default_rng(seed).random(count), -scores))
    way = ranked_way(guessed_chances(scores[ranked]))
    made = plan(way, Batch(count, count), target, prices=[Decimal(below), prices[2]])
    if isinstance(made, Refusal):
        return 1.0 + below / top, False
    sample = labelled(count, made.sample, seed)
    bad = wrong[ranked]
    line = draw_line(sample, (~bad[sample]).tolist(), pool=count, tolerated=made.tolerated)
    went_out = bad[line.keeps(sample)].sum()
    return (below + top * (1 - line.kept / count)) / top, bool(went_out > made.allowed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--rows", type=int, default=0, help="rows of tonight's batch; default: all that are left")
    parser.add_argument("--prices", nargs=3, type=Decimal, default=[Decimal(1), Decimal(6), Decimal(60)])
    given = parser.parse_args()
    table = pl.read_parquet(given.folder / "three_tier.parquet")
    told: dict[tuple[float, str], list[tuple[float, bool]]] = defaultdict(list)
    chosen: dict[float, dict[str, int]] = {target: defaultdict(int) for target in TARGETS}
    for (_,), rows in table.group_by("set", maintain_order=True):
        for chain in CHAINS:
            for seed in range(given.seeds):
                mixed = rows.sample(fraction=1.0, shuffle=True, seed=seed)
                parts = list(known(mixed.head(HISTORY + given.rows) if given.rows else mixed, chain))
                tonight = {family: batch for family, _, batch in parts}
                earlier = {family: old for family, old, _ in parts}
                size = Batch(len(parts[0][2].wrong[0]), len(parts[0][2].wrong[0]))
                for agreement in TARGETS:
                    target = Target(agreement)
                    for tiers, old in earlier.items():
                        family = cascade(tiers, old, given.prices)
                        made = plan(family.way(old), size, target, prices=given.prices)
                        ended = (1.0, False) if isinstance(made, Refusal) else run(family, made, tonight[tiers], seed)
                        told[agreement, FAMILIES[tiers]].append(ended)
                    for name in (PLAIN, CALIBRATED):
                        merged = cascaded(mixed, chain, calibrated=name == CALIBRATED)
                        if given.rows:
                            merged = tuple(one[: given.rows] for one in merged)
                        told[agreement, name].append(run_cascaded(merged, target, given.prices, seed))
                    best = cheapest_cascade(earlier, size, target, given.prices)
                    if isinstance(best, Refusal):
                        told[agreement, CHOSEN].append((1.0, False))
                        chosen[agreement]["none"] += 1
                    else:
                        told[agreement, CHOSEN].append(run(*best, tonight[best[0].tiers], seed))
                        chosen[agreement][FAMILIES[best[0].tiers]] += 1
    names = [CHOSEN, *FAMILIES.values(), PLAIN, CALIBRATED]
    print("| target | " + " | ".join(names) + " | chosen | broken, all |\n|" + "---|" * (len(names) + 3))
    for agreement in TARGETS:
        costs = " | ".join(f"{np.mean([cost for cost, _ in told[agreement, name]]):.3f}" for name in names)
        broken = [bad for name in names for _, bad in told[agreement, name]]
        low, high = clopper_pearson(sum(broken), len(broken))
        picks = ", ".join(f"{name} {count}" for name, count in sorted(chosen[agreement].items()))
        print(f"| {agreement:g} | {costs} | {picks} | {np.mean(broken):.4f} [{low:.4f}, {high:.4f}] |")


if __name__ == "__main__":
    main()
