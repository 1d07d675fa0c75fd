"""The two labelled sets that the rules for fields are measured on, as documents with values by path and vendors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

from slmbatch.readers.pdf import read_pdf
from slmbatch.tasks.schema import Schema
from slmbatch.tasks.schema_files import load_schema
from slmbatch.types import Document, Page

SCHEMAS = Path(__file__).parents[1] / "schemas"
INVOICE_NAMES = {
    "invoice_number": "invoice_id",
    "issue_date": "invoice_date",
    "due_date": "due_date",
    "currency": "currency",
    "seller_name": "supplier_name",
    "seller_vat_id": "supplier_tax_id",
    "iban": "supplier_iban",
    "buyer_name": "receiver_name",
    "total_net": "net_amount",
    "tax_total": "total_tax_amount",
    "total_gross": "total_amount",
    "amount_due": "amount_due",
}


@dataclass(frozen=True)
class Labelled:
    """A set; `designed` is False for prints of the XML by a style sheet, which are trained on but not measured."""

    name: str
    schema: Schema
    documents: list[Document]
    gold: list[dict[str, object]]
    vendors: list[str]
    designed: list[bool]


def load_sroie(folder: Path) -> Labelled:
    """Scanned receipts: company, date, address, total (ICDAR 2019 SROIE, the organisers' OCR)."""
    rows = pq.read_table(folder / "documents.parquet").to_pylist()
    truth = _truth(folder, {name: name for name in ("company", "date", "address", "total")})
    documents = [Document(row["doc"], row["doc"], None, (Page(1, row["text"]),)) for row in rows]
    gold = [truth.get(row["doc"], {}) for row in rows]
    schema = load_schema(str(SCHEMAS / "receipt.schema.json"))
    return Labelled("sroie", schema, documents, gold, [row["vendor"] for row in rows], [True] * len(rows))


def load_einvoice(folder: Path) -> Labelled:
    """Sample invoices as PDF whose values come from the XML that was embedded in them."""
    rows = [row for row in pq.read_table(folder / "documents.parquet").to_pylist() if row["trusted"]]
    truth = _truth(folder, INVOICE_NAMES)
    documents = []
    for row in rows:
        reading = read_pdf(folder / "docs" / f"{row['doc']}.pdf")
        documents.append(Document(row["doc"], row["doc"], None, reading.pages, reading.problem))
    gold = [truth.get(row["doc"], {}) for row in rows]
    schema = load_schema(str(SCHEMAS / "invoice-header.schema.json"))
    designed = [not row["xml_rendering"] for row in rows]
    return Labelled("einvoice", schema, documents, gold, [row["vendor"] for row in rows], designed)


def load_lines(folder: Path) -> dict[str, list[tuple[Decimal, Decimal, str]]]:
    """Quantity, amount and name of each invoice's lines, in order, by document."""
    rows = pq.read_table(folder / "documents.parquet", columns=["doc", "lines"]).to_pylist()
    return {
        row["doc"]: [
            (Decimal(one["quantity"]), Decimal(one["amount"]), one["name"]) for one in json.loads(row["lines"])
        ]
        for row in rows
    }


def _truth(folder: Path, names: dict[str, str]) -> dict[str, dict[str, object]]:
    """Values by document; those that aren't readable in it are left out."""
    found: dict[str, dict[str, object]] = {}
    for row in pq.read_table(folder / "truth.parquet").to_pylist():
        if row["field"] in names:
            values = found.setdefault(row["doc"], {})
            if row["visible"] or row["value"] is None or names[row["field"]] in {"company", "address"}:
                values[names[row["field"]]] = row["value"]
    return found
