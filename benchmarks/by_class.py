"""What a promise for every class costs against one for all rows, on recorded answers.

    python benchmarks/by_class.py FOLDER --sets tfidf: hint3: --seeds 20

FOLDER holds two_tier.parquet (set, score, pred, wrong). `classes` puts the predicted classes of a set, largest first,
into so many groups of about as many rows, since many classes leave each too few rows; 0 takes them as they are. A seed
draws another sample of the whole set. `broken` are draws in which any promise of a family is broken.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from slmbatch.certificates.certificate import Frozen, Provenance
from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import Refusal
from slmbatch.certificates.parts import Part, make_part
from slmbatch.certificates.planning import Plan, plan
from slmbatch.certificates.several import settle
from slmbatch.certificates.shares import Plans, plan_classes
from slmbatch.certificates.ways import guessed_chances, ranked_way

GROUPS = (1, 2, 4, 8, 16, 0)
ORIGIN = Provenance(0, ("cheap",), "top", "2026-01-01")


def grouped(told: np.ndarray, groups: int) -> np.ndarray:
    """Put classes into groups: each class, largest first, where fewest rows are."""
    if not groups:
        return told
    names, counts = np.unique(told, return_counts=True)
    sizes, group = np.zeros(groups, int), {}
    for place in np.argsort(-counts, kind="stable"):
        group[names[place]] = int(sizes.argmin())
        sizes[sizes.argmin()] += counts[place]
    return np.array([f"group {group[one]}" for one in told])


def parts_of(scores: np.ndarray, told: np.ndarray, seed: int) -> dict[str, Part]:
    parts = {}
    for name in np.unique(told):
        places = np.flatnonzero(told == name)
        frozen = Frozen([str(one) for one in places], scores[places].tolist(), [str(name)] * len(places))
        parts[str(name)] = make_part(frozen, places, rows=len(places), seed=seed)
    return parts


def designed(parts: Mapping[str, Part], target: Target, rows: int) -> Mapping[str, Plan]:
    """One plan for all rows, or one for each class; none where that is refused."""
    ways = {name: ranked_way(guessed_chances(one.scores())) for name, one in parts.items()}
    if len(parts) == 1:
        ((name, whole),) = parts.items()
        made = plan(ways[name], whole.shape, target)
        return {} if isinstance(made, Refusal) else {name: made}
    family = plan_classes(parts, ways, target, rows=rows)
    return family.plans if isinstance(family, Plans) else {}


def line(table: pl.DataFrame, groups: int, target: Target, seeds: int) -> str:
    scores, wrong = table["score"].cast(pl.Float64).to_numpy(), table["wrong"].to_numpy().astype(bool)
    told = grouped(table["pred"].cast(pl.String).to_numpy(), groups)
    plans = designed(parts_of(scores, told, 0), target, len(scores))  # by scores alone: the same for every seed
    agrees = {str(place): not bad for place, bad in enumerate(wrong.tolist())}
    avoided, given, broken = [], [], 0
    for seed in range(seeds):
        parts = parts_of(scores, told, seed)
        found = settle(parts, plans, dict.fromkeys(parts, agrees), ORIGIN, together=False) if plans else None
        if found is None or isinstance(found, Refusal):
            avoided.append(0.0)
            given.append(0)
            continue
        avoided.append(found.kept.mean())
        given.append(len(found.certificates))
        errors = {name: (found.kept & wrong)[one.places].sum() for name, one in parts.items()}
        broken += any(errors[name] > one.allowed for name, one in found.certificates.items())
    labels = sum(one.sample for one in plans.values())
    count = len(np.unique(told))
    return f"| {count} | {len(plans)} | {np.mean(given):.1f} | {labels:,} | {np.mean(avoided):.3f} | {broken} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=["tfidf:"], help="names, or beginnings of names")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--targets", nargs="*", type=float, default=[0.9, 0.95])
    parser.add_argument("--delta", type=float, default=0.1)
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {given.seeds} seeds\n")
    print("| set | rows | target | classes | planned | certified | labels | avoided | broken |\n|" + "---|" * 9)
    table = pl.read_parquet(given.folder / "two_tier.parquet").with_columns(pl.col("set").cast(pl.String))
    for (name,), rows in table.group_by("set", maintain_order=True):
        if str(name).startswith(tuple(given.sets)):
            for target in given.targets:
                for groups in GROUPS:
                    told = line(rows, groups, Target(target, given.delta), given.seeds)
                    print(f"| {name} | {len(rows):,} | {target:g} {told}", flush=True)


if __name__ == "__main__":
    main()
