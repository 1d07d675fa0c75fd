"""Measure how documents are sorted by type, and how files of several documents are split into them.

    python benchmarks/triage.py --sroie DIR --einvoice DIR --contracts DIR --texts FILE... [--names]

Four kinds: receipts, invoices (PDF) and contracts, each with a schema, and texts that no schema is for: tables with a
column `text`, of each of which 100 rows are taken. What has a column `split` counts where that is "dev". `--names`
also asks a sentence model, by the schemas' titles and descriptions alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from field_data import SCHEMAS
from longdocs import SCHEMA as CONTRACT
from measuring import machine

from slmbatch.engines.settings import EngineSettings
from slmbatch.heads.fields.pages import PageSplitter
from slmbatch.heads.fields.types import TypesHead
from slmbatch.heads.text.text_head import NamesHead
from slmbatch.readers.pdf import read_pdf
from slmbatch.run.head_tier import sentence_model
from slmbatch.tasks.schema import Schema, compile_schema
from slmbatch.tasks.schema_files import load_schema
from slmbatch.tasks.triage import OTHER, triage_task
from slmbatch.types import Document, Page

TEXTS, FILES, SEED = 100, 200, 1
COUNT = re.compile(r"\b(?:page|seite)\b[ .:]*\d+.*", re.IGNORECASE)
TITLED = {"title": "Contract", "description": "An agreement between parties, such as one of non-disclosure."}
TYPES: dict[str, Schema] = {
    "contract": compile_schema(TITLED | CONTRACT, name="contract", where="contract"),
    "invoice": load_schema(str(SCHEMAS / "invoice.schema.json")),
    "receipt": load_schema(str(SCHEMAS / "receipt.schema.json")),
}


@dataclass(frozen=True)
class Known:
    """A document whose kind is known."""

    kind: str
    document: Document


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row for row in pq.read_table(path).to_pylist() if row.get("split", "dev") == "dev"]


def load(given: argparse.Namespace) -> Iterator[Known]:
    for kind, folder in (("receipt", given.sroie), ("contract", given.contracts)):
        for row in rows_of(folder / "documents.parquet"):
            yield Known(kind, Document(row["doc"], kind, None, (Page(1, row["text"]),)))
    for row in rows_of(given.einvoice / "documents.parquet"):
        reading = read_pdf(given.einvoice / "docs" / f"{row['doc']}.pdf")
        yield Known("invoice", Document(row["doc"], "invoice", None, reading.pages))
    for path in given.texts:
        rows = rows_of(path)
        for row in rows[:: max(1, len(rows) // TEXTS)][:TEXTS]:
            yield Known(OTHER, Document(str(row.get("id")), str(path), None, (Page(1, row["text"]),)))


def sort(known: Sequence[Known], types: Mapping[str, Schema]) -> None:
    """Print what became of each kind; a kind without a schema should be of no type."""
    told: Counter[tuple[str, str]] = Counter()
    answers = TypesHead(types).answer([one.document for one in known])
    for one, answer in zip(known, answers, strict=True):
        told[one.kind, answer.label or "in doubt"] += 1
    right = sum(count for (kind, label), count in told.items() if label == (kind if kind in types else OTHER))
    doubt = sum(count for (_, label), count in told.items() if label == "in doubt")
    asked = sum(count for (kind, label), count in told.items() if label in types and label != kind)
    print(f"\nschemas: {', '.join(types)}: {right} right, {doubt} in doubt, {asked} of a wrong type, of {len(known)}")
    for kind in sorted({one.kind for one in known}):
        print(f"  {kind:<10}", ", ".join(f"{label} {told[kind, label]}" for k, label in sorted(told) if k == kind))


def by_names(known: Sequence[Known]) -> None:
    """Print how often titles and descriptions tell the type of what has one."""
    head = NamesHead(triage_task(TYPES).sorting.labels, sentence_model(EngineSettings(), download=True))
    typed = [one for one in known if one.kind in TYPES]
    answers = head.answer([one.document for one in typed])
    right = Counter(one.kind for one, answer in zip(typed, answers, strict=True) if answer.label == one.kind)
    of = Counter(one.kind for one in typed)
    print("\nby titles and descriptions:", ", ".join(f"{kind} {right[kind]} of {of[kind]}" for kind in sorted(of)))


def splits(known: Sequence[Known], splitter: PageSplitter) -> None:
    """Print how files of two to four invoices and receipts are split, and single documents of several pages."""
    kinds = {kind: [one.document for one in known if one.kind == kind] for kind in ("invoice", "receipt")}
    alone = [one for one in kinds["invoice"] if len(one.pages) > 1]
    kept = sum(len(splitter.split(one.pages)) == 1 for one in alone)
    dice, found, missed, wrong, exact = Random(SEED), 0, 0, 0, 0
    for _ in range(FILES):
        pages: list[Page] = []
        starts = set()
        for _ in range(dice.randint(2, 4)):
            starts.add(len(pages) + 1)
            document = dice.choice(kinds[dice.choice(("invoice", "receipt"))])
            pages += [Page(len(pages) + place, page.text) for place, page in enumerate(document.pages, 1)]
        told = {part[0].number for part in splitter.split(pages)}
        found, missed, wrong = found + len(told & starts) - 1, missed + len(starts - told), wrong + len(told - starts)
        exact += told == starts
    print(f"  {kept} of {len(alone)} invoices of several pages are left whole")
    print(f"  {FILES} files of 2 to 4: {exact} split exactly; borders: {found} found, {missed} missed, {wrong} wrong")


def uncounted(document: Document) -> Document:
    pages = tuple(replace(page, text=COUNT.sub("", page.text)) for page in document.pages)
    return replace(document, pages=pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--sroie", "--einvoice", "--contracts"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--texts", type=Path, nargs="+", default=[])
    parser.add_argument("--names", action="store_true", help="by titles and descriptions, too")
    parser.add_argument("--splits", action="store_true", help="nothing but the splits")
    given = parser.parse_args()
    known = list(load(given))
    print(machine())
    if not given.splits:
        started = time.monotonic()
        sort(known, TYPES)
        print(f"  {1000 * (time.monotonic() - started) / len(known):.1f} ms a document")
        for left_out in TYPES:
            sort(known, {name: schema for name, schema in TYPES.items() if name != left_out})
        for name, schema in TYPES.items():
            sort(known, {name: schema})
    if given.names:
        by_names(known)
    splitter = PageSplitter({name: TYPES[name] for name in ("invoice", "receipt")})
    print("\nsplit by page counts and whole documents")
    splits(known, splitter)
    print("by whole documents alone, the pages' counts taken out")
    splits([Known(one.kind, uncounted(one.document)) for one in known], splitter)


if __name__ == "__main__":
    main()
