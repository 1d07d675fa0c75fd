"""Labels of an earlier night for a new one, on recorded answers: what is kept, how often promises break, what is seen.

    python benchmarks/reuse.py FOLDER --seeds 200

FOLDER holds two_tier.parquet and three_tier.parquet (as for certificates.py). Each seed draws two nights of as many
rows from one set; the labels that were planned for the first serve the second. `worse` turns that share of the second
night's right answers wrong, whatever their scores: a loss that no score shows.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from certificate_rivals import labelled
from certificates import Recorded, planned, recorded

from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Reason, Refusal
from slmbatch.certificates.noise import clopper_pearson
from slmbatch.certificates.planning import Batch
from slmbatch.certificates.ranking import freeze
from slmbatch.certificates.reuse import reuse
from slmbatch.certificates.ways import guessed_chances

TARGETS = (0.90, 0.95)
WORSE = (0.0, 0.01, 0.02, 0.05)


def night(one: Recorded, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The places of two nights' rows, each surest first."""
    mixed = np.random.default_rng(seed).permutation(len(one.scores))
    return np.sort(mixed[:rows]), np.sort(mixed[rows : 2 * rows])


def again(one: Recorded, rows: int, target: Target, worse: float, seed: int) -> tuple[str, float]:
    """Return how the second night ended (kept, broken, or the refusal), and the share of its rows that is kept."""
    first, second = night(one, rows, seed)
    made = planned(guessed_chances(one.scores[first]), target)
    sample = first[labelled(rows, made.sample if made else 0, seed)]
    wrong = one.wrong[second] | (np.random.default_rng(seed).random(rows) < worse)
    scores = np.concatenate([one.scores[sample], one.scores[second]])
    ranking = freeze([str(place) for place in range(len(scores))], scores, seed=seed)
    found = reuse(ranking, scores, (~one.wrong[sample]).tolist(), Batch(rows, rows), target)
    if isinstance(found, Refusal):
        return found.reason.value, 0.0
    kept = ranking.order[found.line.keeps(found.sample)] - len(sample)
    return "broken" if wrong[kept].sum() > target.allowed(rows) else "kept", len(kept) / rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--rows", type=int, default=1_000, help="of each night")
    given = parser.parse_args()
    sets = [one for one in recorded(given.folder) if len(one.scores) >= 2 * given.rows]
    print(f"{len(sets)} sets, two nights of {given.rows} rows, {given.seeds} seeds")
    print("| target | worse | kept | broken (at most 0.1) | worst set | alarms | refused otherwise |\n|" + "---|" * 7)
    for agreement in TARGETS:
        for worse in WORSE:
            ended: dict[str, list[tuple[str, float]]] = defaultdict(list)
            for one in sets:
                for seed in range(given.seeds):
                    ended[one.name].append(again(one, given.rows, Target(agreement), worse, seed))
            everything = [each for some in ended.values() for each in some]
            count = len(everything)
            names = [name for name, _ in everything]
            broken, alarms = names.count("broken"), names.count(Reason.SCORES_DRIFTED)
            low, high = clopper_pearson(broken, count)
            worst = max(np.mean([name == "broken" for name, _ in some]) for some in ended.values())
            other = count - broken - alarms - names.count("kept")
            avoided = np.mean([share for _, share in everything])
            often = f"{broken / count:.4f} [{low:.4f}, {high:.4f}] | {worst:.3f}"
            refused = f"{alarms / count:.4f} | {other / count:.4f}"
            print(f"| {agreement:g} | {worse:.0%} | {avoided:.3f} | {often} | {refused} |")


if __name__ == "__main__":
    main()
