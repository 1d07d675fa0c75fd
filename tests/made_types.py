"""Small documents of several types, by line, and files of several of them. Invented, all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.readers.made import placed_pdf

SCHEMAS = Path(__file__).parents[1] / "schemas"
INVOICE, RECEIPT, TICKET = (
    SCHEMAS / f"{name}.schema.json" for name in ("invoice-header", "receipt", "ticket")
)  # as types they are called by these names
LETTER = ["Dear Sir or Madam,", "thank you for your visit in spring.", "We hope to see you again.", "Yours, Ann"]


def invoice(number: str, *, total: str = "119.00", page: str | None = None) -> list[str]:
    """The lines of an invoice, whole on one page; `page` is printed below as it says."""
    return [
        "Brook & Fell Ltd, 4 Mill Lane, Leeds LS1 4AB",
        f"Invoice number: {number}",
        "Invoice date: 2 March 2026",
        "Due date: 1 April 2026",
        "Bill to: Ann Example Ltd",
        "VAT no: GB123456789",
        "Net amount: 100.00 GBP",
        "VAT: 19.00 GBP",
        f"Total amount: {total} GBP",
        f"Amount due: {total} GBP",
        *([page] if page else ()),
    ]


def receipt(total: str = "7.20") -> list[str]:
    return [
        "CORNER SHOP SDN BHD",
        "12 High Street, 50000 Kuala Lumpur",
        "Date: 03/03/2026",
        "Tea 3.20",
        "Bread 4.00",
        f"Total: {total}",
        "Cash 10.00",
        "Change 2.80",
    ]


def pdf(*pages: Sequence[str]) -> bytes:
    """A PDF with these lines on its pages."""
    return placed_pdf([[(72, 760 - 20 * row, line) for row, line in enumerate(lines)] for lines in pages])
