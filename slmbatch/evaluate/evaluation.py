"""`slmbatch eval`: a finished run against expected answers, and against an earlier run on the same documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from slmbatch.certificates.earning import Replaced
from slmbatch.errors import UsageError
from slmbatch.evaluate.audit import share_of_all
from slmbatch.evaluate.classify import joined, judge_labels
from slmbatch.evaluate.fields import field_names, judge_fields
from slmbatch.evaluate.judged import MACRO, Judged, Measure, macro
from slmbatch.evaluate.resample import difference, holm, mcnemar, swapped
from slmbatch.evaluate.scores import Doubles
from slmbatch.evaluate.shares import Name, Shares
from slmbatch.evaluate.types import type_accuracy
from slmbatch.evaluate.unfitting import nothing_judged
from slmbatch.readers.gold import read_gold, read_types
from slmbatch.report.summary import Summary, read_summary
from slmbatch.run.replacing import replacements
from slmbatch.store.folder import EVALUATION, RunFolder, write_durably
from slmbatch.store.parts import part_paths
from slmbatch.tasks.labels import in_order

COMPARED = ("accuracy", "macro_f1", "field_accuracy", "field_f1", "item_f1", "document_accuracy", "accepted_accuracy")
BY_DOCUMENT = ("accuracy", "document_accuracy")  # one right or wrong for each: McNemar's test is exact for them


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one measure since the baseline: 95 % interval of the difference, corrected p that there's none."""

    metric: str
    old: float
    new: float
    low: float
    high: float
    p: float
    test: str


@dataclass(frozen=True, slots=True)
class Against:
    """A comparison with an earlier run on the `documents` that both have."""

    baseline: Path
    documents: int
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run's measures, what they were made of, what its cost rests on; what its tiers made of each other's labels."""

    task: str
    judged: Judged
    measures: Sequence[Measure]
    cost_basis: str
    against: Against | None = None
    replaced: Sequence[Replaced] = ()


def evaluate(out: Path, gold: Path, baseline: Path | None = None) -> Evaluation:
    """Compare a finished run with expected answers, and with an earlier run if given. See read_gold for `gold`.

    Raises InputError when the expected answers can't be read, don't fit the run or name none of its documents;
    RunFolderError when a run hasn't finished; UsageError when the runs can't be compared.
    """
    summary, expected = read_summary(out), read_gold(gold)
    types = _types(out, gold, summary)
    expected = {name: told for name, told in expected.items() if told is not None or not types}
    judged = judge(out, expected, summary, where=gold)
    if not judged.ids and not types:
        raise nothing_judged(out, gold, expected, judged.missing, judged.not_asked)
    against = None if baseline is None else compare(out, baseline, expected, where=gold)
    basis = summary["bill"]["total"]["basis"]
    replaced = _replaced(out, expected, where=gold) if summary["task"] == "classify" else []
    measures = [*types, *judged.measures(), *_of_all(out, judged)] if judged.ids else types
    return Evaluation(summary["task"], judged, measures, basis, against, replaced)


def _types(out: Path, gold: Path, summary: Summary) -> list[Measure]:
    """Measure how documents were sorted, where the run had several types and the file tells some."""
    told = read_types(gold) if summary.get("types") else {}
    if not told:
        return []
    names = {path.partition(".")[0] for path in field_names(out)}
    return type_accuracy(out, told, sorted(names), where=gold)


def _of_all(out: Path, judged: Judged) -> list[Measure]:
    """Estimate from the judged documents how many of all are right."""
    of_judged = next(name for name in judged.shares.names if name in {("accuracy", None), ("document_accuracy", None)})
    columns = pl.read_parquet(out / "results.parquet", columns=["id", "score", "confidence"])
    rows = columns.unique("id", keep="first").select("id", pl.coalesce("confidence", "score", 0.0).alias("sure"))
    told = pl.DataFrame({"id": judged.ids}).join(rows, on="id", maintain_order="left")
    right = judged.shares.only([of_judged]).top.toarray().ravel() > 0
    found = share_of_all(right, told["sure"].to_numpy(), rows["sure"].to_numpy())
    return [] if found is None else [Measure(f"{of_judged[0]}_of_all", None, *found, len(judged.ids))]


def _replaced(out: Path, expected: Mapping[str, Any], *, where: Path) -> list[Replaced]:
    folder = RunFolder(out)
    rows = pl.read_parquet(folder.rows, columns=["id", "key"]).unique("id", keep="first")
    labels = {key: joined(key, told, where) for key, told in expected.items() if told}
    right = {key: in_order(labels[name]) for name, key in rows.iter_rows() if name in labels}
    return replacements(part_paths(folder.parts), right)


def judge(
    out: Path, expected: Mapping[str, Any], summary: Summary, *, where: Path, only: frozenset[str] | None = None
) -> Judged:
    """Put a run's answers beside the expected ones, whichever task it had; of the fields in `only`, if given."""
    usd_per_row = float(summary["usd"]) / max(1, summary["rows"])
    if summary["task"] == "classify":
        return judge_labels(out, expected, usd_per_row, where=where)
    return judge_fields(out, expected, usd_per_row, where=where, only=only)


def compare(out: Path, baseline: Path, expected: Mapping[str, Any], *, where: Path) -> Against:
    """Compare two runs on the documents and fields that both have. Raises UsageError if there are none."""
    summaries = read_summary(out), read_summary(baseline)
    if summaries[0]["task"] != summaries[1]["task"]:
        raise UsageError(f"{baseline}: this run had another task.", "Name a run that was asked the same question.")
    only = None if summaries[0]["task"] == "classify" else field_names(out) & field_names(baseline)
    ids = set(_ids(out)) & set(_ids(baseline))
    common = {key: value for key, value in expected.items() if key in ids}
    if not common:
        raise UsageError(f"{baseline}: no document with an expected answer is in both runs.", "Compare other runs.")
    new, old = (
        judge(root, common, summary, where=where, only=only)
        for root, summary in zip((out, baseline), summaries, strict=True)
    )
    return Against(baseline, len(new.ids), _changes(new.shares, old.shares, len(new.ids)))


def _ids(root: Path) -> list[str]:
    return pl.read_parquet(root / "results.parquet", columns=["id"])["id"].to_list()


def _changes(new: Shares, old: Shares, documents: int) -> list[Change]:
    """Compare what both have: items of a list that isn't expected are measured only of a run that has an answer."""
    shared = [name for name in new.names if name in old.names]
    of_labels = [name for name in shared if name[0] == "f1"]
    names: list[Name] = [(metric, None) for metric in COMPARED if (metric, None) in shared]
    both = new.only([*names, *of_labels]).beside(old.only([*names, *of_labels]))
    if of_labels:
        names.append(MACRO)

    def measure(weights: Doubles) -> Doubles:
        shares = both.values(weights)
        whole = shares[:, : len(shares[0]) - len(of_labels)]
        return np.hstack([whole, macro(both.names, shares)]) if of_labels else whole

    sides = np.repeat(np.eye(2, dtype=np.float64), documents, axis=1)  # the new run's documents, the old one's
    values = measure(sides)
    low, high = difference(measure, documents)
    chances, tests = swapped(measure, documents).tolist(), ["swapped documents"] * len(names)
    for place, (metric, _) in enumerate(names):
        if metric in BY_DOCUMENT:
            rights = [one.only([(metric, None)]).top.toarray().ravel() > 0 for one in (new, old)]
            chances[place], tests[place] = mcnemar(*rights), "McNemar, exact"
    told = [place for place in range(len(names)) if not np.isnan(values[:, place]).any()]
    corrected = holm([chances[place] for place in told])
    return [
        Change(
            metric=names[place][0],
            old=float(values[1, place]),
            new=float(values[0, place]),
            low=float(low[place]),
            high=float(high[place]),
            p=chance,
            test=tests[place],
        )
        for place, chance in zip(told, corrected, strict=True)
    ]


def table(evaluation: Evaluation) -> pl.DataFrame:
    """Return all figures as rows: metric, name, value, low, high, documents. Confusions are counts."""
    rows = [[getattr(one, each.name) for each in fields(Measure)] for one in evaluation.measures]
    rows += [
        ["confusion", f"{one.expected} -> {one.told or '(no answer)'}", float(one.rows), None, None, one.rows]
        for one in evaluation.judged.confusion
    ]
    kinds = {"metric": pl.String, "name": pl.String, "documents": pl.Int64}
    schema = {each.name: kinds.get(each.name, pl.Float64) for each in fields(Measure)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def write_table(root: Path, evaluation: Evaluation) -> Path:
    """Write eval.parquet and return its path."""
    content = BytesIO()
    table(evaluation).write_parquet(content)
    write_durably(root / EVALUATION, content.getvalue())
    return root / EVALUATION
