"""What is attached to mails, and what lies in archives, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.harness import Loopback, results, slmbatch
from tests.readers.made import mail, placed_pdf, text_pdf, zipped

from .test_verbs import said

SCHEMA = Path(__file__).parents[2] / "schemas" / "invoice-header.schema.json"


def bill(number: str) -> bytes:
    lines = (f"Invoice number: {number}", "Invoice date: 2 March 2026", "Total amount: 119.00 EUR")
    return placed_pdf([[(72, 720 - 20 * row, line) for row, line in enumerate(lines)]])


def inbox(folder: Path) -> Path:
    """Make a folder with a mail that has an invoice twice, and an archive of an invoice and a table."""
    folder.mkdir()
    message = mail("See attached.")
    for number in ("A-1", "A-2"):
        message.add_attachment(bill(number), maintype="application", subtype="pdf", filename="bill.pdf")
    (folder / "order.eml").write_bytes(message.as_bytes())
    (folder / "march.zip").write_bytes(zipped({"acme/7.pdf": bill("A-3"), "rows.csv": b"text\nx\n"}))
    return folder


def test_each_attached_invoice_is_a_row_that_names_its_mail(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["extract", inbox(tmp_path / "in"), "--schema", SCHEMA, "-o", out, "--json"]
    first = json.loads(slmbatch(*command).out)
    rows = results(out)
    assert [(row["id"], row["parent"], row["values"] and row["values"]["invoice_id"]) for row in rows] == [
        ("march.zip/acme/7.pdf", None, "A-3"),
        ("march.zip/rows.csv", None, None),
        ("order.eml", None, None),
        ("order.eml/bill.pdf", "order.eml", "A-1"),
        ("order.eml/bill~2.pdf", "order.eml", "A-2"),
    ]
    assert rows[1]["status"] == "unreadable"
    assert rows[4]["source"].endswith("in/order.eml")
    again = json.loads(slmbatch(*command).out)
    assert (first["resumed_rows"], again["resumed_rows"]) == (0, 5)
    assert results(out) == rows


def test_a_label_is_given_to_the_mail_with_all_that_came_with_it(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    message = mail("See attached.")
    message.add_attachment(text_pdf(["my card is lost"]), maintype="application", subtype="pdf", filename="a.pdf")
    path, server = tmp_path / "a.eml", loopback()
    path.write_bytes(message.as_bytes())
    command = ["classify", path, "--labels", "card,cash", "--model", server.model, "--quiet", "-o"]
    assert slmbatch(*command, tmp_path / "inside").code == 0
    assert [row["id"] for row in results(tmp_path / "inside")] == ["a.eml"]
    assert slmbatch(*command, tmp_path / "apart", "--attachments", "apart").code == 0
    assert [row["id"] for row in results(tmp_path / "apart")] == ["a.eml", "a.eml/a.pdf"]
    said(slmbatch(*command, tmp_path / "apart"), 2, "attachments")
    said(slmbatch(*command, tmp_path / "other", "--attachments", "beside"), 2, "--attachments beside")
