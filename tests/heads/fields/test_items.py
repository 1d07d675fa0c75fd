"""Rows of tables found by rules: told where they multiply out and make a printed sum, and otherwise not at all."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from slmbatch.heads.fields.items import tables
from slmbatch.heads.fields.shipped import rules_head
from slmbatch.readers.pdf import read_pdf
from slmbatch.run.checked import FieldChecks
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema_files import load_schema
from slmbatch.types import Document, Page

ROOT = Path(__file__).parents[3]
INVOICE = load_schema(str(ROOT / "schemas" / "invoice.schema.json"))
HEAD = rules_head(INVOICE)
TABLE = """Pos   Description   Quantity   Unit price   Amount
1   Paper A4   10   2.50   25.00
2   Ink, black   2   40.00   80.00
Net amount   105.00
VAT 20 %   21.00
Total amount   126.00"""


def rows(*pages: str) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """Return the rows that are found in a text, and the problems; every value must stand where it says."""
    document = Document("d", "d", None, tuple(Page(number, text) for number, text in enumerate(pages, 1)))
    (answer,) = HEAD.answer([document])
    found: dict[int, dict[str, object]] = {}
    for leaf in answer.leaves:
        if leaf.path.startswith("line_items["):
            assert leaf.grounding.page is not None
            place = document.pages[leaf.grounding.page - 1].text[leaf.grounding.start : leaf.grounding.end]
            assert leaf.raw == place
            assert leaf.confidence is not None
            number, name = leaf.path.removeprefix("line_items[").split("].")
            found.setdefault(int(number), {})[name] = leaf.value
    return list(found.values()), answer.problems


def row(description: str, quantity: str, price: str, amount: str) -> dict[str, object]:
    numbers = {"quantity": Decimal(quantity), "unit_price": Decimal(price), "amount": Decimal(amount)}
    return {"description": description, **numbers}


BOTH = [row("Paper A4", "10", "2.50", "25.00"), row("Ink, black", "2", "40.00", "80.00")]


def test_rows_under_a_header_are_told_in_order() -> None:
    assert rows(TABLE) == (BOTH, ())


def test_the_header_says_which_factor_is_the_price() -> None:
    turned = TABLE.replace("Quantity   Unit price", "Unit price   Quantity").replace("10   2.50", "2.50   10")
    assert rows(turned.replace("2   40.00", "40.00   2")) == (BOTH, ())


def test_an_amount_may_stand_on_the_next_line_and_another_language_in_the_header() -> None:
    text = (
        "Pos Beschreibung   Nettopreis   Menge   Nettobetrag\n1   Papier   9,9000   20 Stk   19 %\n4012345   198,00\n"
    )
    found, problems = rows(f"{text}Positionssumme   198,00\nBruttosumme   235,62")
    assert (found, problems) == ([row("Papier", "20", "9.9000", "198.00")], ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("40.00   80.00", "40.00   81.00"),  # no product
        ("105.00", "115.00"),  # a row is missing
        ("Pos   Description   Quantity   Unit price   Amount\n", ""),  # nothing says what it is a table of
        ("Net amount", "3   Sample, free   1   0.00   0.00\nNet amount"),  # no sum would miss this one
    ],
)
def test_rows_that_cannot_be_told_for_sure_are_a_problem(old: str, new: str) -> None:
    found, problems = rows(TABLE.replace(old, new))
    assert found == []
    assert problems == ("line_items: no rows that make a printed sum were found",)


def test_a_document_without_its_rows_is_not_accepted() -> None:
    (answer,) = HEAD.answer([Document("d", "d", None, (Page(1, "Nothing here"),))])
    checked = FieldChecks(ExtractTask(INVOICE)).checked(answer.leaves, answer.problems)
    assert "line_items: no rows that make a printed sum were found" in checked.problems


def test_all_rows_told_of_the_sample_invoices_are_right() -> None:
    told = 0
    for line in map(json.loads, (ROOT / "sample_docs" / "invoices.expected.jsonl").read_text("utf-8").splitlines()):
        path = ROOT / "sample_docs" / "invoices" / line["id"]
        expected = line["values"].get("line_items")
        if expected and path.suffix == ".pdf":
            found, _ = rows(*(page.text for page in read_pdf(path).pages))
            told += bool(found)
            values = [(one["quantity"], one["amount"]) for one in found]
            assert values in ([], [(Decimal(one["quantity"]), Decimal(one["amount"])) for one in expected]), line["id"]
    assert told >= 4


def test_only_lists_of_a_text_and_three_numbers_are_looked_for() -> None:
    assert [table.path for table in tables(INVOICE)] == ["line_items"]
    assert tables(load_schema(str(ROOT / "schemas" / "ticket.schema.json"))) == ()
