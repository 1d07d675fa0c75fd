"""Writes the sample tickets and invoices from prepared copies of their public sources, named in SOURCES.md.

    python sample_docs/make_samples.py DATA_FOLDER

DATA_FOLDER holds banking77/dev.parquet, einvoice/{documents,truth}.parquet and docs/, and invoice2data/docs/. For
developers only: everything it writes is in the repository.
"""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import sys
from decimal import Decimal
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pypdfium2
import yaml
from make_scan import NAME, VALUES, draw_scan
from pypdf import PdfReader, PdfWriter

HERE = Path(__file__).parent
SEED = 20261123
SCAN_DPI = 120
PASSWORD = "sample"  # noqa: S105  (of the sample that shows what happens to encrypted files)


class Intent(NamedTuple):
    """A label, the upstream intent it stands for, and row numbers: 6 tickets, 8 examples. Picked by reading them."""

    name: str
    description: str
    tickets: str
    examples: str


INTENTS = {
    "lost_or_stolen_card": Intent(
        "lost or stolen card",
        "The customer's bank card is lost or was stolen and must be blocked or replaced.",
        "1471 1491 1492 1493 1498 1530",
        "1474 1489 1500 1506 1512 1528 1533 1550",
    ),
    "card_arrival": Intent(
        "card delivery",
        "A new card was ordered and has not arrived; when it comes or how to track it.",
        "19 34 74 92 110 149",
        "8 28 29 39 55 67 112 115",
    ),
    "exchange_rate": Intent(
        "exchange rate",
        "Which rate applies when currencies are exchanged and how it is set.",
        "298 311 313 354 362 374",
        "315 316 321 324 341 351 373 385",
    ),
    "passcode_forgotten": Intent(
        "forgotten passcode",
        "The customer forgot or must reset the passcode of the app.",
        "4833 4838 4854 4861 4873 4887",
        "4803 4807 4810 4813 4844 4863 4877 4885",
    ),
    "terminate_account": Intent(
        "close account",
        "The customer wants to close or delete the account.",
        "6118 6124 6129 6131 6144 6208",
        "6110 6126 6151 6162 6165 6186 6193 6199",
    ),
    "transaction_charged_twice": Intent(
        "charged twice",
        "The same payment was charged or shows up more than once.",
        "6281 6298 6308 6376 6396 6442",
        "6286 6292 6299 6300 6316 6347 6412 6413",
    ),
    "verify_my_identity": Intent(
        "identity check",
        "How to prove one's identity and which documents are accepted.",
        "9733 9744 9750 9763 9791 9816",
        "9724 9736 9738 9740 9741 9755 9808 9818",
    ),
    "declined_cash_withdrawal": Intent(
        "declined cash withdrawal",
        "A cash machine refused to pay out money.",
        "4928 4950 4964 5017 5028 5037",
        "4898 4902 4909 4920 4931 4971 4981 5012",
    ),
}
LETTERS = {"late-card.eml": 42, "reset.md": 4846, "statement.html": 6402}

INVOICES = {
    "elektron-2018-construction.pdf": "inv016",
    "fournisseur-f-2017-goods.pdf": "inv019",
    "handwerker-2024-solar-roof.pdf": "inv030",
    "lieferant-2013-paper.pdf": "inv044",
    "lieferant-2013-discounts.pdf": "inv046",
    "lieferant-2014-direct-debit.pdf": "inv047",
    "lieferant-2018-partial-delivery.pdf": "inv050",
    "lieferant-2018-travel-expenses.pdf": "inv041",
    "lieferant-2018-typewriter.pdf": "inv048",
    "lieferant-kg-2025-project.pdf": "inv036",
    "muster-autovermietung-2018-car-rental.pdf": "inv061",
    "mvm-2018-car-insurance.pdf": "inv085",
}
FIELDS = {
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
# Values of the e-invoice's XML that the page says otherwise or leaves open, and why.
LEFT_OUT = {
    ("inv041", "iban"),  # the account holder on the page is the receiver
    ("inv047", "iban"),  # a direct debit: the XML names the receiver's account
}
SCANNED = "fournisseur-f-2017-goods.pdf"
AZURE = "azure-interior-2023-wholesale.pdf"
AZURE_VALUES = {
    "invoice_id": "INV/2023/03/0008",
    "invoice_date": "2023-03-20",
    "due_date": "2023-04-04",
    "supplier_name": "Azure Interior",
    "net_amount": "262.90",
    "total_tax_amount": "16.94",
    "total_amount": "279.84",
}


def main(data: Path) -> None:
    texts = {
        int(row["id"].rsplit("-", 1)[1]): (row["text"].strip(), row["label"])
        for row in pl.read_parquet(data / "banking77/dev.parquet").iter_rows(named=True)
    }
    write_tickets(texts, HERE / "tickets")
    write_labels({number: text for number, (text, _) in texts.items()})
    write_invoices(data, HERE / "invoices")


def write_tickets(texts: dict[int, tuple[str, str]], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    numbers = [int(number) for intent in INTENTS.values() for number in intent.tickets.split()]
    random.Random(SEED).shuffle(numbers)  # noqa: S311
    ids = {f"T-{1001 + place}": number for place, number in enumerate(numbers)}
    pl.DataFrame({"ticket_id": list(ids), "text": [texts[number][0] for number in ids.values()]}).write_parquet(
        folder / "tickets.parquet"
    )
    (folder / "empty.txt").write_bytes(b"")
    (folder / "reset.md").write_text(f"# Ticket\n\n{texts[LETTERS['reset.md']][0]}\n", encoding="utf-8")
    (folder / "statement.html").write_text(web_form(texts[LETTERS["statement.html"]][0]), encoding="utf-8")
    (folder / "late-card.eml").write_bytes(mail(texts[LETTERS["late-card.eml"]][0]))
    with (HERE / "tickets.expected.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "label"])
        rows.writerows([key, INTENTS[texts[number][1]].name] for key, number in (ids | LETTERS).items())


def web_form(text: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Contact form</title></head>\n'
        f"<body>\n<h1>Contact form</h1>\n<p>{escape(text)}</p>\n</body>\n</html>\n"
    )


def mail(text: str) -> bytes:
    message = EmailMessage()
    message["From"] = "Customer <customer@example.com>"
    message["To"] = "Support <support@example.com>"
    message["Subject"] = "Question"
    message["Date"] = "Mon, 02 Mar 2026 09:15:00 +0000"
    message["Message-ID"] = "<20260302091500.1@example.com>"
    message.set_content(f"Hello,\n\n{text}\n\nKind regards\n")
    return message.as_bytes()


def write_labels(texts: dict[int, str]) -> None:
    labels = [
        {
            "name": intent.name,
            "description": intent.description,
            "examples": [texts[int(number)] for number in intent.examples.split()],
        }
        for intent in INTENTS.values()
    ]
    text = yaml.safe_dump({"labels": labels}, sort_keys=False, allow_unicode=True, width=200)
    (HERE / "labels.yaml").write_text(text, encoding="utf-8")


def write_invoices(data: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    docs = data / "einvoice/docs"
    for name, doc in INVOICES.items():
        shutil.copyfile(docs / f"{doc}.pdf", folder / name)
    pages_only(data / "invoice2data/docs/AzureInterior.pdf", folder / AZURE)
    (folder / "empty.pdf").write_bytes(b"")
    scan(docs / "inv019.pdf", folder / f"scan-{SCANNED}")
    draw_scan(folder / NAME)
    pages_only(docs / "inv044.pdf", folder / "encrypted-lieferant-2013-paper.pdf", PASSWORD)
    text = (docs / "inv049.txt").read_text(encoding="utf-8").replace("\f", "\n")
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    (folder / "lieferant-2018-groceries.txt").write_text(lines.strip("\n") + "\n", encoding="utf-8")
    expected = expected_values(data / "einvoice", folder) | {AZURE: AZURE_VALUES, NAME: VALUES}
    expected[f"scan-{SCANNED}"] = expected[SCANNED]
    with (HERE / "invoices.expected.jsonl").open("w", encoding="utf-8") as file:
        for name, values in sorted(expected.items()):
            file.write(json.dumps({"id": name, "values": values}, ensure_ascii=False) + "\n")


def pages_only(source: Path, target: Path, password: str | None = None) -> None:
    """Copy the pages and nothing else, so without attachments and metadata; RC4 needs no further package."""
    writer = PdfWriter()
    for page in PdfReader(source).pages:
        writer.add_page(page)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(target)


def scan(source: Path, target: Path) -> None:
    page = pypdfium2.PdfDocument(source)[0]
    page.render(scale=SCAN_DPI / 72, grayscale=True).to_pil().save(target, "PDF", resolution=SCAN_DPI, quality=75)


def expected_values(folder: Path, invoices: Path) -> dict[str, dict[str, object]]:
    truth: dict[str, dict[str, str]] = {}
    for row in pl.read_parquet(folder / "truth.parquet").filter("visible").iter_rows(named=True):
        truth.setdefault(row["doc"], {})[row["field"]] = " ".join(row["value"].split())
    lines = dict(pl.read_parquet(folder / "documents.parquet").select("doc", "lines").iter_rows())
    expected: dict[str, dict[str, object]] = {}
    for name, doc in INVOICES.items():
        stated, text = truth[doc], printed(invoices / name)
        values: dict[str, object] = {
            ours: as_printed(stated[theirs], text) if theirs in {"iban", "seller_vat_id"} else stated[theirs]
            for theirs, ours in FIELDS.items()
            if theirs in stated and (doc, theirs) not in LEFT_OUT
        }
        items = line_items(json.loads(lines[doc]), text, Decimal(stated["line_total"]))
        expected[name] = values | ({"line_items": items} if items else {})
    return expected


def printed(path: Path) -> str:
    document = pypdfium2.PdfDocument(path)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def as_printed(number: str, text: str) -> str:
    """Find a number in the text however its characters are grouped; the XML has none of the blanks."""
    match = re.search(" ?".join(re.escape(character) for character in number.replace(" ", "")), text)
    assert match is not None
    return match[0]


def line_items(lines: list[dict[str, str]], text: str, total: Decimal) -> list[dict[str, str]]:
    """Return the lines of the XML, or none unless all names and amounts stand on the page and the amounts add up."""
    names = [" ".join(line["name"].split()) for line in lines]
    amounts = [Decimal(line["amount"]).quantize(Decimal("0.01")) for line in lines]
    numbers = set(re.findall(r"\d+,\d+", text.replace(".", "")))
    if sum(amounts) != total or not all(name in text for name in names):
        return []
    if not all(str(amount).replace(".", ",") in numbers for amount in amounts):
        return []
    quantities = [format(Decimal(line["quantity"]).normalize(), "f") for line in lines]
    return [
        {"description": name, "quantity": quantity, "amount": str(amount)}
        for name, quantity, amount in zip(names, quantities, amounts, strict=True)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
