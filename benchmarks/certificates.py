"""Certificates against other methods, on recorded answers: what the top tier isn't asked, how often promises break.

    python benchmarks/certificates.py FOLDER --seeds 200 --cells cells.json

FOLDER holds two_tier.parquet (set, row = rank, score, wrong) and three_tier.parquet (set, row, and per model answer, p1
and p2). A cell is one set, one size and one target; every seed draws another batch and another sample. `avoided` counts
labels as asked. Rivals that need a sample size get 400, or a third of the batch; naive gets the count rule's own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from certificate_rivals import LABELS, RIVALS, bargain, labelled, naive, unlabelled_above

from slmbatch.certificates.counting import Target
from slmbatch.certificates.gates import MIN_ACCEPTED_AGREEMENT, refusal
from slmbatch.certificates.noise import clopper_pearson
from slmbatch.certificates.planning import Batch, Plan, plan
from slmbatch.certificates.settling import draw_line
from slmbatch.certificates.ways import guessed_chances, learned_chances, ranked_way

TARGETS = (0.85, 0.90, 0.95, 0.98)
SIZES = (200, 500, 1_000, 0)  # 0: the whole set
HISTORY = 600
COUNT, KNOWN, NAIVE, BARGAIN = "count rule", "count rule, history", "no bound", "BARGAIN_A"
METHODS = (COUNT, KNOWN, BARGAIN, *RIVALS, NAIVE)
PAIRS = (("Qwen-14B", "Qwen-72B"), ("Yi-6B", "Yi-34B"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """One set, surest row first."""

    name: str
    scores: np.ndarray
    wrong: np.ndarray


@dataclass(frozen=True, slots=True)
class Cell:
    """What one method did in one cell: shares of rows, summed over seeds."""

    set: str
    rows: int
    full: bool
    target: float
    method: str
    seeds: int
    avoided: float
    broken: int


def recorded(folder: Path) -> Iterator[Recorded]:
    """Two-tier sets as they are, and pairs of the option-probability sets."""
    table = pl.read_parquet(folder / "two_tier.parquet")
    for (name,), rows in table.group_by("set", maintain_order=True):
        yield Recorded(str(name), rows["score"].to_numpy(), rows["wrong"].to_numpy().astype(bool))
    chains = pl.read_parquet(folder / "three_tier.parquet")
    for (name,), rows in chains.group_by("set", maintain_order=True):
        for cheap, top in PAIRS:
            scores = rows[f"{cheap}|p1"].to_numpy()
            order = np.lexsort((np.random.default_rng(0).random(len(scores)), -scores))
            wrong = (rows[f"{cheap}|answer"] != rows[f"{top}|answer"]).to_numpy()
            yield Recorded(f"{name} {cheap} > {top}", scores[order], wrong[order])


def count(scores: np.ndarray, wrong: np.ndarray, planned: Plan | None, sample: np.ndarray) -> np.ndarray:
    if planned is None:
        return np.zeros(0, int)
    line = draw_line(sample, [bool(one) for one in ~wrong[sample]], pool=len(scores), tolerated=planned.tolerated)
    return unlabelled_above(line.rank, sample)


def planned(chances: list[np.ndarray], target: Target, *, gate: float | None = None) -> Plan | None:
    rows = len(chances[0])
    made = plan(ranked_way(chances), Batch(rows, rows), target, min_accepted_agreement=gate)
    return made if isinstance(made, Plan) else None


def cell(one: Recorded, size: int, target: Target, seeds: int) -> Iterator[Cell]:
    rows = size or len(one.scores)
    tally: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    guess: Plan | None = None
    for seed in range(seeds):
        mixed = np.random.default_rng(zlib.crc32(f"{one.name} {rows} {seed}".encode())).permutation(len(one.scores))
        taken, rest = np.sort(mixed[:rows]), mixed[rows : rows + HISTORY]
        scores, wrong, allowed = one.scores[taken], one.wrong[taken], target.allowed(rows)
        kept = {BARGAIN: bargain(wrong, target.agreement, target.delta, seed, as_published=False)}
        if seed == 0:
            published = bargain(wrong, target.agreement, target.delta, seed, as_published=True)
            assert np.array_equal(published, kept[BARGAIN]), "our betting tests differ from BARGAIN's"
        if size or guess is None:
            guess = planned(guessed_chances(scores), target)
        sample = labelled(rows, guess.sample if guess else 0, seed)
        kept[COUNT] = count(scores, wrong, guess, sample)
        kept[NAIVE] = naive(wrong, sample, allowed) if guess else np.zeros(0, int)
        if len(rest) == HISTORY:
            chances = learned_chances(scores, old_scores=one.scores[rest], old_wrong=one.wrong[rest])
            known = planned(chances or [], target)
            kept[KNOWN] = count(scores, wrong, known, labelled(rows, known.sample if known else 0, seed))
        other = labelled(rows, min(LABELS, rows // 3), seed)
        for name, rival in RIVALS.items():
            kept[name] = rival(wrong, other, allowed, target.delta)
        for name, ranks in kept.items():
            tally[name].append((len(ranks) / rows, bool(wrong[ranks].sum() > allowed)))
    for name, told in tally.items():
        avoided, broken = zip(*told, strict=True)
        yield Cell(one.name, rows, not size, target.agreement, name, seeds, float(np.mean(avoided)), sum(broken))


def tables(cells: Sequence[Cell], delta: float) -> Iterator[str]:
    """Markdown: by size and target, broken promises, where BARGAIN_A avoids more, every whole set."""
    groups = [f"{size or 'whole'}" for size in SIZES]
    yield "| rows | target | sets | " + " | ".join(METHODS) + " |\n|" + "---|" * (len(METHODS) + 3)
    for group in groups:
        for target in TARGETS:
            some = [one for one in cells if one.target == target and ("whole" if one.full else str(one.rows)) == group]
            means = [[one.avoided for one in some if one.method == method] for method in METHODS]
            told = " | ".join(
                f"{np.mean(mean):.3f}" + ("" if len(mean) == len(means[0]) else "*") if mean else "-" for mean in means
            )
            yield f"| {group} | {target:g} | {len(means[0])} | {told} |"
    yield (f"\n| method | cells | avoided | broken (at most {delta:g}) | worst cell | surely above |\n|" + "---|" * 6)
    for method in METHODS:
        some = [one for one in cells if one.method == method]
        broken, draws = sum(one.broken for one in some), sum(one.seeds for one in some)
        worst = max(some, key=lambda one: one.broken / one.seeds)
        low, high = clopper_pearson(broken, draws)
        ends = clopper_pearson(worst.broken, worst.seeds)
        sure = sum(clopper_pearson(one.broken, one.seeds)[0] > delta for one in some)
        yield (
            f"| {method} | {len(some)} | {np.mean([one.avoided for one in some]):.3f} | {broken / draws:.4f} "
            f"[{low:.4f}, {high:.4f}] | {worst.broken / worst.seeds:.3f} [{ends[0]:.3f}, {ends[1]:.3f}] | {sure} |"
        )
    pairs = {(one.set, one.rows, one.target): {} for one in cells}
    for one in cells:
        pairs[one.set, one.rows, one.target][one.method] = one.avoided
    lost = {key: by for key, by in pairs.items() if by[COUNT] < by[BARGAIN] - 0.0005}
    tied = sum(abs(by[COUNT] - by[BARGAIN]) <= 0.0005 for by in pairs.values())
    yield f"\nBARGAIN_A avoids more in {len(lost)} of {len(pairs)} cells, as much in {tied}:\n"
    yield "| set | rows | target | BARGAIN_A | count rule | with history |\n|" + "---|" * 6
    for (name, rows, target), by in lost.items():
        known = f"{by[KNOWN]:.3f}" if KNOWN in by else "-"
        yield f"| {name} | {rows} | {target:g} | {by[BARGAIN]:.3f} | {by[COUNT]:.3f} | {known} |"
    yield (
        "\n| whole set | rows | "
        + " | ".join(f"{target:g}" for target in TARGETS)
        + " |\n|"
        + "---|" * (len(TARGETS) + 2)
    )
    for name, rows in dict.fromkeys((one.set, one.rows) for one in cells if one.full):
        by_target = [pairs[name, rows, target] for target in TARGETS if (name, rows, target) in pairs]
        yield f"| {name} | {rows} | " + " | ".join(f"{by[BARGAIN]:.2f} -> {by[COUNT]:.2f}" for by in by_target) + " |"


def again(one: Recorded, cell: Cell, target: Target, draws: int) -> str:
    """The count rule in one cell once more, with draws that no other cell shares, beside the risk that was planned."""
    broken, risks, guess = 0, [], None
    for seed in range(draws):
        random = np.random.default_rng([draws, seed, cell.rows])
        taken = np.sort(random.permutation(len(one.scores))[: cell.rows])
        scores, wrong = one.scores[taken], one.wrong[taken]
        if guess is None or (not cell.full and seed % 20 == 0):  # it uses no label, so the draws may share it
            guess = planned(guessed_chances(scores), target)
        assert guess is not None
        sample = np.sort(random.permutation(cell.rows)[: guess.sample])
        broken += bool(wrong[count(scores, wrong, guess, sample)].sum() > guess.allowed)
        risks.append(guess.risk)
    low, high = clopper_pearson(broken, draws)
    told = f"{broken / draws:.4f} [{low:.4f}, {high:.4f}] | {np.mean(risks):.4f}"
    return f"| {cell.set} | {cell.rows} | {cell.target:g} | {cell.broken / cell.seeds:.3f} | {told} |"


def doubtful(sets: Sequence[Recorded], cells: Sequence[Cell], delta: float, draws: int) -> Iterator[str]:
    yield "\n| set | rows | target | broken | broken again | risk |\n|" + "---|" * 6
    by_name = {one.name: one for one in sets}
    for told in cells:
        if told.method == COUNT and clopper_pearson(told.broken, told.seeds)[0] > delta:
            yield again(by_name[told.set], told, Target(told.target, delta), draws)


def gated(one: Recorded, size: int, target: Target, seeds: int) -> str:
    """One cell of the table of gates: certificates given, of these broken, share of their kept rows that agree."""
    rows, broken, agree = size or len(one.scores), 0, []
    for seed in range(seeds):
        taken = np.sort(np.random.default_rng(seed).permutation(len(one.scores))[:rows])
        scores, wrong = one.scores[taken], one.wrong[taken]
        if size or seed == 0:
            made = planned(guessed_chances(scores), target, gate=MIN_ACCEPTED_AGREEMENT)
        if made is None:
            continue
        sample = labelled(rows, made.sample, seed)
        agrees = [bool(right) for right in ~wrong[sample]]
        line = draw_line(sample, agrees, pool=rows, tolerated=made.tolerated)
        if refusal(line, sample, agrees, rows=rows, tolerated=made.tolerated, delta=target.delta) is None:
            kept = wrong[line.keeps(sample)]
            broken += bool(kept.sum() > made.allowed)
            agree.append(1 - kept.mean())
    return f"{len(agree)}, {broken}" + (f", {np.mean(agree):.2f}" if agree else "")


def gate_table(sets: Sequence[Recorded], delta: float, seeds: int) -> Iterator[str]:
    yield "| set | rows | " + " | ".join(f"{target:g}" for target in TARGETS) + " |\n|" + "---|" * (len(TARGETS) + 2)
    for one in sets:
        for size in (500, 0):
            told = " | ".join(gated(one, size, Target(target, delta), seeds) for target in TARGETS)
            yield f"| {one.name} | {size or len(one.scores)} | {told} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--sets", nargs="*", help="names, or beginnings of names")
    parser.add_argument("--cells", type=Path, help="keep finished cells here, and go on from them")
    parser.add_argument("--gates", action="store_true", help="instead: how often the gates let a certificate through")
    parser.add_argument("--again", type=int, default=0, help="draws for cells that look worse than delta")
    given = parser.parse_args()
    sets = [one for one in recorded(given.folder) if not given.sets or one.name.startswith(tuple(given.sets))]
    if given.gates:
        print("\n".join(gate_table(sets, given.delta, given.seeds)))
        return
    done = [Cell(**one) for one in json.loads(given.cells.read_text())] if given.cells and given.cells.exists() else []
    finished = {(one.set, one.rows, one.full, one.target) for one in done}
    started = time.monotonic()
    for one in sets:
        for size in SIZES:
            for agreement in TARGETS:
                rows = size or len(one.scores)
                if (one.name, rows, not size, agreement) in finished or rows > len(one.scores):
                    continue
                done += cell(one, size, Target(agreement, given.delta), given.seeds)
                if given.cells:
                    given.cells.write_text(json.dumps([asdict(told) for told in done]))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {given.seeds} seeds, ",
        end="",
    )
    print(f"{time.monotonic() - started:.0f} s in this go\n")
    print("\n".join(tables(done, given.delta)))
    if given.again:
        print("\n".join(doubtful(list(recorded(given.folder)), done, given.delta, given.again)))


if __name__ == "__main__":
    main()
