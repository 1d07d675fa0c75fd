"""Certificates with a ranking learned from an earlier batch against the plain score, on recorded answers.

    python benchmarks/learned_ranking.py FOLDER --seeds 20

FOLDER is that of certificates.py. Every seed takes 600 rows as the earlier batch's sample, and draws a batch from the
others. Both ways plan by the 600 rows, and get a sample of the same draw. The learned ranking is used where it earns
that, else the plain score is; `always` uses it anyway. Features: the two best probabilities and the answer's class.
"""

from __future__ import annotations

import argparse
import platform
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from certificate_rivals import labelled
from certificates import HISTORY, PAIRS, TARGETS, count, planned

from slmbatch.certificates.calibration import Doubles, auroc, confidence_features
from slmbatch.certificates.counting import Target
from slmbatch.certificates.learning import Learned, Taught, learn
from slmbatch.certificates.noise import clopper_pearson
from slmbatch.certificates.ways import learned_chances

SIZES = (500, 1_000, 3_000)
WAYS = ("plain", "learned", "always")
LOSS = 0.005  # of the rows, for a cell to be listed as lost


@dataclass(frozen=True, slots=True)
class Recorded:
    name: str
    best: Doubles
    second: Doubles
    answers: np.ndarray
    wrong: np.ndarray


def recorded(folder: Path) -> Iterator[Recorded]:
    """All sets that tell two best probabilities."""
    for (name,), rows in pl.read_parquet(folder / "two_tier.parquet").group_by("set", maintain_order=True):
        if rows["score2"].null_count() == 0 and rows["score2"].is_nan().sum() == 0:
            columns = (rows[one].to_numpy() for one in ("score", "score2", "pred", "wrong"))
            best, second, answers, wrong = columns
            yield Recorded(str(name), best, second, answers.astype(str), wrong.astype(bool))
    for (name,), rows in pl.read_parquet(folder / "three_tier.parquet").group_by("set", maintain_order=True):
        for cheap, top in PAIRS:
            best, second, answers = (rows[f"{cheap}|{one}"].to_numpy() for one in ("p1", "p2", "answer"))
            wrong = answers != rows[f"{top}|answer"].to_numpy()
            yield Recorded(f"{name} {cheap} > {top}", best, second, answers.astype(str), wrong)


def ranked(scores: Doubles, old: Doubles, wrong: np.ndarray, old_wrong: np.ndarray, target: Target, seed: int) -> tuple:
    """Share of rows that the top tier isn't asked about, and whether the promise broke."""
    rows = len(scores)
    order = np.lexsort((np.random.default_rng(seed).random(rows), -scores))
    chances = learned_chances(scores[order], old_scores=old, old_wrong=old_wrong)
    made = planned(chances or [], target)
    kept = count(scores[order], wrong[order], made, labelled(rows, made.sample if made else 0, seed))
    return len(kept) / rows, bool(wrong[order][kept].sum() > target.allowed(rows))


def seed_of(one: Recorded, size: int, seed: int, delta: float) -> Iterator[tuple[float, str, float, bool, bool]]:
    """Yield target, way, avoided, broken, and whether the learned ranking earned its place."""
    mixed = np.random.default_rng(zlib.crc32(f"{one.name} {size} {seed}".encode())).permutation(len(one.wrong))
    past, now = mixed[:HISTORY], mixed[HISTORY : HISTORY + size]
    features = confidence_features(one.best, one.second)
    everywhere, own = np.ones(HISTORY, bool), np.arange(HISTORY)
    rows = Taught(features[past], one.answers[past], one.wrong[past], one.best[past], everywhere, own)
    lesson, always = learn(rows, seed=0), anyway(rows)
    told = always.sureness(features[now], one.answers[now])
    earned = lesson.ranking is not None
    for agreement in TARGETS:
        target = Target(agreement, delta)
        wrong, old_wrong = one.wrong[now], one.wrong[past]
        plain = ranked(one.best[now], one.best[past], wrong, old_wrong, target, seed)
        learned = ranked(told, lesson.held_out, wrong, old_wrong, target, seed)
        yield agreement, "plain", *plain, earned
        yield agreement, "learned", *(learned if earned else plain), earned
        yield agreement, "always", *learned, earned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--delta", type=float, default=0.1)
    given = parser.parse_args()
    avoided: dict[tuple[str, int, float, str], list[float]] = defaultdict(list)
    broken: dict[str, list[bool]] = defaultdict(list)
    earned: dict[str, list[bool]] = defaultdict(list)
    ranks: dict[str, tuple[float, float]] = {}
    for one in recorded(given.folder):
        for size in (size for size in SIZES if size + HISTORY <= len(one.wrong)):
            for seed in range(given.seeds):
                for agreement, way, share, failed, used in seed_of(one, size, seed, given.delta):
                    avoided[one.name, size, agreement, way].append(share)
                    broken[way].append(failed)
                    earned[one.name].append(used)
        ranks[one.name] = whole(one)
    print("\n".join(tables(avoided, broken, earned, ranks)))
    print(f"\n{platform.machine()}, Python {platform.python_version()}, {given.seeds} seeds")


def anyway(rows: Taught) -> Learned:
    """Fit a ranking whatever it earns: it's compared to a score that says nothing."""
    lesson = learn(replace(rows, scores=np.zeros(len(rows))), seed=0)
    assert lesson.ranking is not None, "no better than a coin"
    return lesson.ranking


def whole(one: Recorded) -> tuple[float, float]:
    """AUROC of both scores on the rows after the first 600 of a mix."""
    mixed = np.random.default_rng(0).permutation(len(one.wrong))
    past, now = mixed[:HISTORY], mixed[HISTORY:]
    features = confidence_features(one.best, one.second)
    everywhere, own = np.ones(HISTORY, bool), np.arange(HISTORY)
    rows = Taught(features[past], one.answers[past], one.wrong[past], one.best[past], everywhere, own)
    told = anyway(rows).sureness(features[now], one.answers[now])
    plain, learned = (auroc(scores, one.wrong[now]) for scores in (one.best[now], told))
    assert plain is not None
    assert learned is not None
    return plain.value, learned.value


def tables(avoided: dict, broken: dict, earned: dict, ranks: dict) -> Iterator[str]:
    """Markdown: by set, broken promises, cells that the learned ranking loses."""
    mean = {key: float(np.mean(told)) for key, told in avoided.items()}
    yield "| set | AUROC plain | learned | used | " + " | ".join(f"{one:g}" for one in TARGETS) + " |\n|" + "---|" * 8
    for name, (plain, learned) in ranks.items():
        told = []
        for target in TARGETS:
            sizes = sorted({size for one, size, *_ in mean if one == name})
            ways = [np.mean([mean[name, size, target, way] for size in sizes]) for way in WAYS]
            told.append(f"{ways[0]:.3f} -> {ways[1]:.3f} ({ways[2]:.3f})")
        yield f"| {name} | {plain:.3f} | {learned:.3f} | {np.mean(earned[name]):.2f} | " + " | ".join(told) + " |"
    for way in WAYS:
        low, high = clopper_pearson(sum(broken[way]), len(broken[way]))
        share = np.mean([one for (*_, other), one in mean.items() if other == way])
        yield f"\n{way}: avoided {share:.3f}, broken {np.mean(broken[way]):.4f} [{low:.4f}, {high:.4f}]"
    cells = [key[:3] for key in mean if key[3] == "plain"]
    gains = {key: mean[*key, "learned"] - mean[*key, "plain"] for key in cells}
    won = sum(gain > LOSS for gain in gains.values())
    yield f"\nwon {won} of {len(cells)} cells, lost:\n\n| set | rows | target | plain | learned |\n|" + "---|" * 5
    for key, gain in sorted(gains.items(), key=lambda one: one[1]):
        if gain < -LOSS:
            yield f"| {key[0]} | {key[1]} | {key[2]:g} | {mean[*key, 'plain']:.3f} | {mean[*key, 'learned']:.3f} |"


if __name__ == "__main__":
    main()
