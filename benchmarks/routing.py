"""Plain cascading against starting each row at the tier that is predicted to settle it, on recorded answers.

    python benchmarks/routing.py FOLDER --data DATA --seeds 20

FOLDER holds three_tier.parquet (set, row, and per model answer, p1 and p2), DATA the folders hint3_predictions and
routerbench_subset. Each seed takes 600 rows as past outcomes, which fit the curves and the predictors; the others are
tonight's. A tier's answer is accepted from a threshold of its calibrated probability on. Every way is run at all
thresholds, and the cost is read off at the same share of right answers: that of the target, times the top tier's own.

- left out: a tier is left out for all rows where that is cheaper on the past outcomes
- likely: a row starts at the first tier whose predicted chance of being right reaches the threshold
- priced: a row starts where the predicted cost of going on is least
- both: priced, among the tiers that aren't left out (as left out where that is the tier predicted from)
- clairvoyant: a row starts at the tier that settles it: no question is asked in vain
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from slmbatch.certificates.calibration import auroc, confidence_features, fit_logistic
from slmbatch.certificates.curves import fit_curve
from slmbatch.engines.models import embeddings_folder
from slmbatch.heads.text.embeddings import Embedder

PAST = 600
THRESHOLDS = 60
LEAST_GAIN = 0.01  # of the cost, for a cell to be listed as won
DIRECTIONS = 30  # of sentence embeddings: 600 rows don't teach more
TARGETS = (0.90, 0.95, 0.98)
WAYS = ("left out", "likely", "priced", "both", "clairvoyant")
PRICES = ((0.5, 3, 30), (0.5, 7.5, 50), (1, 10, 30), (1, 15, 30))  # USD per 1,000 rows; the first the usual example
CHAINS = (("Qwen-1_8B", "Qwen-14B", "Qwen-72B"), ("Yi-6B", "Yi-34B", "Qwen-72B"))
FOUR = ("Qwen-1_8B", "Yi-6B", "Yi-34B", "Qwen-72B")
FOUR_PRICES = ((0, 0.5, 3, 30), (0, 1, 10, 30))  # the first tier is a head's, which costs nothing
VOTES = (("mistralai/mistral-7b-chat", "WizardLM/WizardLM-13B-V1.2"),)
VOTES += (("mistralai/mixtral-8x7b-chat", "zero-one-ai/Yi-34B-Chat"),)
GPT4 = "gpt-4-1106-preview"
Flags = np.ndarray
Point = tuple[float, float]  # share right, USD per 1,000 rows


@dataclass(frozen=True, slots=True)
class Recorded:
    """All tiers' answers to the same rows, the top tier's last.

    `scores` are those of the tiers below it; `before` (rows, columns) what is known before a tier from `first` on is
    asked: with `first` 1 the answer of tier 0, which is asked in any case. With `joint` every tier's gate knows it too.
    """

    name: str
    scores: tuple[np.ndarray, ...]
    right: tuple[Flags, ...]
    before: np.ndarray
    first: int
    prices: tuple[tuple[float, ...], ...]
    joint: bool = False


def options(folder: Path) -> Iterator[Recorded]:
    """Exam questions with option probabilities; right is as the top tier says."""
    table = pl.read_parquet(folder / "three_tier.parquet")
    for (name,), rows in table.group_by("set", maintain_order=True):
        for chain, prices in (*((one, PRICES) for one in CHAINS), (FOUR, FOUR_PRICES)):
            told = [rows[f"{one}|answer"].to_numpy() for one in chain]
            best, second = (rows[f"{chain[0]}|{one}"].to_numpy() for one in ("p1", "p2"))
            options = [told[0] == one for one in np.unique(told[0])]
            known = np.column_stack([confidence_features(best, second), *options])
            scores = tuple(rows[f"{one}|p1"].to_numpy() for one in chain[:-1])
            right = tuple(one == told[-1] for one in told)
            yield Recorded(f"{name} {' > '.join(chain)}", scores, right, known, 1, prices)


def meaning(texts: pl.Series, embedder: Embedder) -> np.ndarray:
    """Return (texts, DIRECTIONS): sentence embeddings along the directions in which they vary most."""
    embedded = embedder.embed(texts.to_list()).astype(np.float64)
    embedded -= embedded.mean(axis=0)
    return embedded @ np.linalg.svd(embedded, full_matrices=False)[2][:DIRECTIONS].T


def tickets(data: Path, embedder: Embedder) -> Iterator[Recorded]:
    """Messages to three shops' bots: a free classifier, a service, and people, who are right."""
    table = pl.read_parquet(data / "hint3_predictions" / "predictions.parquet").filter(pl.col("train") == "full")
    wide = table.pivot("platform", index=["id", "bot", "text"], values=["score", "correct"], aggregate_function="first")
    wide = wide.drop_nulls(["score_rasa", "score_haptik"])
    scores = tuple(wide[f"score_{one}"].to_numpy() for one in ("rasa", "haptik"))
    right = tuple(wide[f"correct_{one}"].to_numpy() for one in ("rasa", "haptik"))
    known = np.column_stack([confidence_features(scores[0], 1 - scores[0]), meaning(wide["text"], embedder)])
    prices = tuple((0, *one[1:]) for one in PRICES)
    yield Recorded("HINT3 rasa > haptik > people", scores, (*right, np.ones(len(wide), bool)), known, 1, prices)


def votes(data: Path, embedder: Embedder) -> Iterator[Recorded]:
    """RouterBench: two votes of two models each and GPT-4, right by the gold answer, at recorded cost.

    Whether the two agree is the score: alone, and together with the text.
    """
    folder = data / "routerbench_subset"
    prompts = pl.read_parquet(folder / "prompts.parquet").filter(pl.col("eval_name") != "mbpp")
    answers = pl.read_parquet(folder / "answers.parquet")
    wide = answers.pivot("model", index="sample_id", values=["correct", "cost", "response"], aggregate_function="first")
    wide = prompts.join(wide, on="sample_id", maintain_order="left")
    seen = meaning(wide["prompt"], embedder)
    right = [wide[f"correct_{one}"].to_numpy() > 0 for one in (*(pair[0] for pair in VOTES), GPT4)]
    agree = [(wide[f"response_{one}"] == wide[f"response_{two}"]).to_numpy() for one, two in VOTES]
    costs = [sum(float(wide[f"cost_{one}"].mean()) for one in models) * 1000 for models in (*VOTES, (GPT4,))]
    scores = tuple(np.where(one, 0.9, 0.1) for one in agree)
    for name, joint in (("vote", False), ("vote and text", True)):
        yield Recorded(f"RouterBench, {name} > GPT-4", scores, tuple(right), seen, 0, (tuple(costs),), joint)


def cost_at(points: Sequence[Point], wanted: float) -> float:
    """Return the least cost at which so many are right, between neighbouring points of the lower edge."""
    share, cost = np.array(sorted(points)).T
    edge = np.minimum.accumulate(cost[::-1])[::-1]
    return float(np.interp(wanted, share, edge))


def run(start: np.ndarray, taken: Flags, right: Sequence[Flags], prices: Sequence[float]) -> Point:
    """Take every row up from its own start; `taken` (tiers, rows) says where its answer would be accepted."""
    rows = len(start)
    waits, good, cost = np.ones(rows, bool), 0.0, 0.0
    for tier, price in enumerate(prices):
        asked = waits & (start <= tier)
        cost += price * asked.sum()
        done = asked & taken[tier]
        good += right[tier][done].sum()
        waits &= ~done
    return good / rows, cost / rows


def cheapest_start(chances: Sequence[np.ndarray], prices: Sequence[float], first: int) -> np.ndarray:
    """Return the start of least predicted cost, from the chance that each tier's answer will be accepted."""
    onwards = np.full(len(chances[0]), float(prices[-1]))
    starts, least = np.full(len(onwards), len(prices) - 1), onwards.copy()
    for tier in range(len(prices) - 2, first - 1, -1):
        onwards = prices[tier] + (1 - chances[tier - first]) * onwards
        better = onwards < least
        starts[better], least[better] = tier, onwards[better]
    return starts


def start_of(chances: Sequence[np.ndarray], threshold: float, first: int) -> np.ndarray:
    """Return the first tier whose chance reaches the threshold; the top tier where none does."""
    reached = np.array([*(one >= threshold for one in chances), np.ones(len(chances[0]), bool)])
    return reached.argmax(axis=0) + first


@dataclass(frozen=True, slots=True)
class Ranked:
    """How well a tier's right answers are told from its wrong ones: by prediction, and by its own score."""

    before: float
    after: float


class Night:
    """One seed's past outcomes and tonight's rows."""

    def __init__(self, one: Recorded, seed: int) -> None:
        mixed = np.random.default_rng(seed).permutation(len(one.before))
        self.past, self.tonight = mixed[:PAST], mixed[PAST:]
        self.one = one
        self.sure = [self._sure(score, good) for score, good in zip(one.scores, one.right[:-1], strict=True)]
        self.likely = [self._predicted(one.before, good) for good in one.right[one.first : -1]]
        self.routed = list(self._routed())

    def _sure(self, score: np.ndarray, good: Flags) -> np.ndarray:
        """The gate's probability: calibrated as `slmbatch calibrate` does."""
        if self.one.joint:
            return self._predicted(np.column_stack([score, self.one.before]), good)
        return fit_curve(score[self.past], good[self.past], many=True).probabilities(score)

    def _predicted(self, known: np.ndarray, good: Flags) -> np.ndarray:
        return 1 - fit_logistic(known[self.past], ~good[self.past]).probability(known)

    def ranked(self) -> Iterator[Ranked]:
        """Yield the AUROC of every tier that could be skipped."""
        for tier, chance in enumerate(self.likely, self.one.first):
            bad = ~self.one.right[tier][self.tonight]
            both = (auroc(told[self.tonight], bad) for told in (chance, self.sure[tier]))
            yield Ranked(*(np.nan if one is None else one.value for one in both))

    def points(self, rows: np.ndarray, prices: Sequence[float], left: frozenset[int] = frozenset()) -> list[Point]:
        """Plain cascading at all thresholds, without the tiers that are left out."""
        kept = [tier for tier in range(len(prices)) if tier not in left]
        right = [self.one.right[tier][rows] for tier in kept]
        start = np.zeros(len(rows), int)
        return [run(start, taken[kept], right, [prices[tier] for tier in kept]) for _, taken in self.gates(rows)]

    def gates(self, rows: np.ndarray) -> Iterator[tuple[float, Flags]]:
        """Yield thresholds, and at which tiers each row would be accepted."""
        levels = np.unique(np.quantile(np.concatenate(self.sure), np.linspace(0, 1, THRESHOLDS - 1)))
        for level in [*levels.tolist(), 1.1]:
            yield level, np.array([*(one[rows] >= level for one in self.sure), np.ones(len(rows), bool)])

    def _routed(self) -> Iterator[tuple[float, Flags, list[np.ndarray]]]:
        """Yield thresholds, who is accepted where tonight, and the predicted chance of that."""
        before, first = self.one.before, self.one.first
        past = dict(self.gates(self.past))
        for level, taken in self.gates(self.tonight):
            fitted = [fit_logistic(before[self.past], ~accepted) for accepted in past[level][first:-1]]
            yield level, taken, [1 - one.probability(before[self.tonight]) for one in fitted]


Told = dict[tuple[tuple[float, ...], float, str], list[float]]  # by prices, target and way, one for each seed


def compare(one: Recorded, seeds: int) -> tuple[Told, list[Ranked]]:
    """Return USD per 1,000 rows, and how well chances are told."""
    told: Told = defaultdict(list)
    ranked: list[Ranked] = []
    for seed in range(seeds):
        night = Night(one, seed)
        ranked += night.ranked()
        nights: dict[frozenset[int], Night | None] = {frozenset(): night}
        best = [one.right[-1][rows].mean() for rows in (night.past, night.tonight)]
        for prices in one.prices:
            ways = {"plain": night.points(night.tonight, prices), **predicted(night, prices)}
            families = [frozenset(np.flatnonzero(some).tolist()) for some in product((0, 1), repeat=len(prices) - 1)]
            past = [night.points(night.past, prices, some) for some in families]
            for target in TARGETS:
                chosen = families[int(np.argmin([cost_at(points, target * best[0]) for points in past]))]
                ways["left out"] = night.points(night.tonight, prices, chosen)
                if chosen not in nights:
                    nights[chosen] = narrow(one, chosen, seed)
                fewer = nights[chosen]
                kept = [price for tier, price in enumerate(prices) if tier not in chosen]
                ways["both"] = predicted(fewer, kept)["priced"] if fewer else ways["left out"]
                for way, points in ways.items():
                    told[prices, target, way].append(cost_at(points, target * best[1]))
    return told, ranked


def narrow(one: Recorded, left: frozenset[int], seed: int) -> Night | None:
    """Return the same night without the tiers that are left out; None where nothing is left to predict."""
    right, scores = (
        tuple(each for tier, each in enumerate(some) if tier not in left) for some in (one.right, one.scores)
    )
    if (one.first and 0 in left) or len(scores) <= one.first:
        return None
    return Night(replace(one, scores=scores, right=right), seed)


def predicted(night: Night, prices: Sequence[float]) -> dict[str, list[Point]]:
    """Run every way that starts rows at different tiers, at all thresholds."""
    ways: dict[str, list[Point]] = defaultdict(list)
    first, right = night.one.first, [good[night.tonight] for good in night.one.right]
    likely = [one[night.tonight] for one in night.likely]
    for level, taken, chances in night.routed:
        starts = {
            "likely": start_of(likely, level, first),
            "priced": cheapest_start(chances, prices, first),
            "clairvoyant": np.maximum(taken.argmax(axis=0), first),
        }
        for way, start in starts.items():
            after = np.where(taken[0], 0, start) if first else start  # tier 0 has answered already
            share, cost = run(after, taken, right, prices)
            ways[way].append((share, cost + (prices[0] * float((after > 0).mean()) if first else 0.0)))
    return ways


def interval(values: Sequence[float], seed: int = 0) -> str:
    """The mean over sets and its 95 % bootstrap interval; a single set has none."""
    if len(values) == 1:
        return f"{values[0]:+.1%}"
    drawn = np.random.default_rng(seed).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{np.mean(values):+.1%} [{low:+.1%}, {high:+.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--cells", action="store_true", help="print every cell, not only those where prediction wins")
    given = parser.parse_args()
    sets = list(options(given.folder))
    if given.data:
        embedder = Embedder(embeddings_folder(None, download=True), threads=1)
        sets += [*tickets(given.data, embedder), *votes(given.data, embedder)]
    saved: dict[tuple[str, float, str], list[float]] = defaultdict(list)
    lines = []
    for one in sets:
        told, ranked = compare(one, given.seeds)
        before, after = (np.nanmean([getattr(each, name) for each in ranked]) for name in ("before", "after"))
        print(f"{one.name}: {len(one.before)} rows; AUROC of later answers: {before:.3f} before, {after:.3f} after")
        for prices, target in product(one.prices, TARGETS):
            plain = np.array(told[prices, target, "plain"])
            changes = {way: np.array(told[prices, target, way]) / plain - 1 for way in WAYS}
            named = ":".join(f"{price:.3g}" for price in prices)
            for way in WAYS:
                saved[named, target, way].append(float(changes[way].mean()))
            if given.cells or wins(changes):
                each = " | ".join(spread(changes[way]) for way in WAYS)
                lines.append(f"| {one.name} | {named} | {target:g} | {plain.mean():.2f} | {each} |")
    heads = " | ".join(WAYS)
    print(f"\n| prices | target | sets | {heads} |\n|" + "---|" * (len(WAYS) + 3))
    for named, target in dict.fromkeys((named, target) for named, target, _ in saved):
        each = " | ".join(interval(saved[named, target, way]) for way in WAYS)
        print(f"| {named} | {target:g} | {len(saved[named, target, WAYS[0]])} | {each} |")
    print(f"\n| set | prices | target | plain, USD per 1,000 | {heads} |\n|" + "---|" * (len(WAYS) + 4))
    print("\n".join(lines))


def wins(changes: dict[str, np.ndarray]) -> bool:
    """Whether a prediction is cheaper in nearly all seeds, and by a point than the better of its rivals."""
    rival = min(changes["left out"].mean(), 0.0) - LEAST_GAIN
    return any(
        changes[way].mean() < rival and np.quantile(changes[way], 0.975) < 0 for way in ("likely", "priced", "both")
    )


def spread(values: np.ndarray) -> str:
    """The mean over seeds, and what lies between their 2.5 % and 97.5 % quantiles."""
    return f"{values.mean():+.1%} ({np.quantile(values, 0.025):+.1%} to {np.quantile(values, 0.975):+.1%})"


if __name__ == "__main__":
    main()
