"""Measure how many invoices are answered exactly from the XML that they carry, and what that costs.

    python benchmarks/einvoice.py --einvoice DIR --originals DIR

The set's own PDFs have no XML any more, so ORIGINALS holds the files as they were published, at OWNER/NAME/PATH of
their repositories. The values compared with were read from the same XML by another program. Exit code 1 if an invoice
isn't accepted from its XML, or a value is another one than expected.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from field_data import INVOICE_NAMES, SCHEMAS
from measuring import environment, machine

# The expected account of this invoice is the payer's (a direct debit), which isn't what the schema asks for.
WRONG_TRUTH = frozenset({("inv047", "supplier_iban")})


def run(originals: Path, paths: list[str], out: Path) -> None:
    """Extract from these files, in one run."""
    inputs = [str(originals / path) for path in paths]
    command = [sys.executable, "-m", "slmbatch", "extract", *inputs, "--schema", str(SCHEMAS / "invoice.schema.json")]
    subprocess.run([*command, "-o", str(out), "--quiet"], env=environment(), check=True, stdout=subprocess.DEVNULL)


def plain(value: object) -> object:
    """A value as both sides can be compared: numbers and days by value, texts without double blanks."""
    if value is None or isinstance(value, (Decimal, dt.date)):
        return value.isoformat() if isinstance(value, dt.date) else value
    text = " ".join(str(value).split())
    try:
        return Decimal(text) if any(map(str.isdigit, text)) else text
    except InvalidOperation:
        return text


def lines_agree(found: list[dict[str, Any]], expected: list[dict[str, str]], total: str | None) -> bool:
    """Whether the lines are the expected ones, in order; left out may be subtotals, if the rest makes the sum."""
    wanted = iter([tuple(plain(one.get(name)) for name in ("name", "quantity", "amount")) for one in expected])
    ours = [tuple(plain(one[name]) for name in ("description", "quantity", "amount")) for one in found]
    in_order = all(any(one == other for other in wanted) for one in ours)
    return in_order and (len(ours) == len(expected) or sum(one["amount"] for one in found) == Decimal(total or 0))


def compare(row: dict[str, Any], doc: dict[str, Any], truth: dict[str, str | None]) -> Counter[str]:
    """Count what is right of one invoice, and print what isn't, without values."""
    judged: Counter[str] = Counter()
    for name, path in INVOICE_NAMES.items():
        if truth.get(name) is None:
            continue
        right = plain(row["values"][path]) == plain(truth[name])
        excused = not right and (doc["doc"], path) in WRONG_TRUTH
        judged["right" if right else "excused" if excused else "wrong"] += 1
        if not right:
            print(f"  {doc['doc']} {path}: {'expected value is wrong' if excused else 'WRONG'}")
    agree = lines_agree(row["values"]["line_items"], json.loads(doc["lines"]), truth.get("line_total"))
    judged["lines right" if agree else "lines wrong"] += 1
    if not agree:
        print(f"  {doc['doc']} line_items: WRONG")
    return judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--einvoice", type=Path, required=True)
    parser.add_argument("--originals", type=Path, required=True)
    options = parser.parse_args()
    docs = pq.read_table(options.einvoice / "documents.parquet").to_pylist()
    truth: dict[str, dict[str, str | None]] = {}
    for one in pq.read_table(options.einvoice / "truth.parquet").to_pylist():
        truth.setdefault(one["doc"], {})[one["field"]] = one["value"]
    paths = [doc["source"].replace(":", "/", 1) for doc in docs]
    judged: Counter[str] = Counter()
    warned: Counter[str] = Counter()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        run(options.originals, paths, out)
        rows = pq.read_table(out / "results.parquet").to_pylist()
        [tier, *others] = pq.read_table(out / "cost.parquet").to_pylist()
    for row, doc in zip(rows, docs, strict=True):
        judged["accepted"] += (row["status"], row["tier"]) == ("accepted", "embedded-xml")
        judged += compare(row, doc, truth[doc["doc"]])
        warned.update({"contradicted by the page" for one in row["warnings"] if "isn't found in the text" in one})
        warned.update({"came before" for one in row["warnings"] if one.startswith("the same ")})
    asked = sum(one["documents"] for one in others), sum(one["requests"] for one in (tier, *others))
    print(f"invoices: {len(rows)}, accepted from their XML: {judged['accepted']}")
    print(f"header values: {judged['right']} right, {judged['wrong']} wrong, {judged['excused']} with a wrong truth")
    print(f"line tables: {judged['lines right']} right, {judged['lines wrong']} wrong")
    print(f"asked of other tiers: {asked[0]} documents; requests: {asked[1]}; cost: {tier['usd']:f} USD")
    print(f"rows warned of: {dict(warned)}")
    print(f"the tier's time: {1000 * tier['busy_s'] / len(rows):.1f} ms an invoice")
    return int(judged["accepted"] < len(rows) or bool(judged["wrong"] or judged["lines wrong"] or any(asked)))


if __name__ == "__main__":
    sys.exit(main())
