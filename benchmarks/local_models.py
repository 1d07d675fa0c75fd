"""Measure fields with a language model of yours: alone, and behind rules trained on other vendors' documents.

    python benchmarks/local_models.py --sroie DIR --einvoice DIR --model llamacpp:PATH.gguf [--documents N] [--alone]

Measured are N documents of each set (designed pages only, as many vendors as there are in one fold), chosen by a seed;
the rules were trained on the other folds, so on no vendor of these. --alone sends each document to the model, once,
with no rules before it and nothing repaired by a second source. Right means the same as in fields.py.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from by_field import is_right
from field_data import Labelled, load_einvoice, load_sroie
from fields import fitted
from fit_shipped_fields import FOLDS, Fitting

from slmbatch.heads.fields.fit_fields import split
from slmbatch.heads.folder import save_head
from slmbatch.readers import ReadOptions
from slmbatch.run.config import load_config
from slmbatch.run.execute import execute
from slmbatch.run.plan import Choices, make_plan
from slmbatch.store.folder import RunFolder
from slmbatch.tasks.extract import ExtractTask
from slmbatch.types import Grounded

SEED, FOLD = 20261125, 0


def chosen(one: Labelled, count: int) -> list[int]:
    """Choose documents of one fold's vendors."""
    folds = split(one.vendors, FOLDS)
    held = [at for at, fold in enumerate(folds) if fold == FOLD and one.designed[at] and one.gold[at]]
    return sorted(random.Random(SEED).sample(held, min(count, len(held))))


def train(fitting: Fitting, position: int, folder: Path) -> None:
    """Save a head trained on the other folds."""
    stored = fitted(fitting, position, FOLD)
    save_head(folder, stored.kind, settings=stored.settings, card=dict(stored.card), arrays=stored.arrays)


def run(one: Labelled, inputs: Path, out: Path, tiers: tuple[str, ...]) -> None:
    """Extract, and leave a run folder."""
    choices = Choices((str(inputs),), out, model=tiers[0], escalate=tiers[1:])
    with RunFolder(out).claimed() as folder:
        execute(make_plan(ExtractTask(one.schema), choices, load_config(None), ReadOptions(workers=1)), folder)


def tell(one: Labelled, some: list[int], out: Path, name: str, seconds: float) -> None:
    """Print how many values are right: all, the accepted ones by who said them, and those with a place."""
    rows = {Path(row["id"]).stem: row for row in pq.read_table(out / "results.parquet").to_pylist()}
    fields: dict[str, dict[str, Any]] = defaultdict(dict)
    for field in pq.read_table(out / "fields.parquet").to_pylist():
        fields[Path(field["id"]).stem][field["path"]] = field
    judged = []
    for at in some:
        row = rows[one.documents[at].id]
        for path, value in one.gold[at].items():
            found = (row["values"] or {}).get(path)
            judged.append((row, fields[one.documents[at].id].get(path), is_right(one, path, value, found)))
    print(f"{one.name}, {name}: {len(some)} documents in {seconds:.0f} s; right {_share([ok for *_, ok in judged])}")
    accepted = [(field, ok) for row, field, ok in judged if row["status"] == "accepted" and field]
    print(f"  in accepted rows {_share([ok for _, ok in accepted])}, of {len(judged)} values")
    said = [field for _, field, _ in judged if field]
    for tier in sorted({field["tier"] for field in said}):
        settled = [ok for _, field, ok in judged if field and field["tier"] == tier]
        print(f"  said by {Path(tier).name}: right {_share(settled)}")
    grounded = [Grounded(field["found"]).stands for field in said if field["value"] is not None]
    print(f"  with a place in the document {_share(grounded)}", flush=True)


def _share(some: list[bool]) -> str:
    return f"{sum(some)} of {len(some)} ({sum(some) / len(some):.3f})" if some else "0 of 0"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sroie", type=Path, required=True)
    parser.add_argument("--einvoice", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--alone", action="store_true", help="the model without rules as well")
    options = parser.parse_args()
    fitting = Fitting([load_sroie(options.sroie), load_einvoice(options.einvoice)])
    for position, (one, kept) in enumerate(zip(fitting.sets, (options.sroie, options.einvoice), strict=True)):
        some = chosen(one, options.documents)
        with tempfile.TemporaryDirectory() as folder:
            inputs, head = Path(folder) / "in", Path(folder) / "head"
            inputs.mkdir()
            for at in some:
                document = one.documents[at]
                original = kept / "docs" / f"{document.id}.pdf"
                if original.exists():
                    (inputs / original.name).write_bytes(original.read_bytes())
                else:
                    (inputs / f"{document.id}.txt").write_text(document.text)
            train(fitting, position, head)
            ways = {"rules": (f"head:{head}",), "rules, then the model": (f"head:{head}", options.model)}
            if options.alone:
                ways["the model alone"] = (options.model,)
            for name, tiers in ways.items():
                start = time.monotonic()
                run(one, inputs, Path(folder) / name.replace(" ", "-"), tiers)
                tell(one, some, Path(folder) / name.replace(" ", "-"), name, time.monotonic() - start)


if __name__ == "__main__":
    main()
