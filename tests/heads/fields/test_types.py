"""A document's type is the schema whose fields it prints; what can't be told isn't guessed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slmbatch.heads.fields.types import TypesHead
from slmbatch.tasks.schema import compile_schema
from slmbatch.tasks.schema_files import load_schema
from slmbatch.types import Answer, Document, Page
from tests.einvoice.made import sample_cii
from tests.made_types import INVOICE, LETTER, RECEIPT, TICKET, invoice, receipt

SCHEMAS = {"invoice": load_schema(str(INVOICE)), "receipt": load_schema(str(RECEIPT))}


def told(lines: Sequence[str], xml: bytes | None = None, **more: str) -> Answer:
    schemas = SCHEMAS | {name: load_schema(path) for name, path in more.items()}
    document = Document("d", "d", None, (Page(1, "\n".join(lines)),), xml=xml)
    (answer,) = TypesHead(schemas).answer([document])
    return answer


@pytest.mark.parametrize(
    ("lines", "type_"), [(invoice("A-1"), "invoice"), (receipt(), "receipt"), (LETTER, "other"), ([""], "other")]
)
def test_a_document_is_of_the_type_whose_fields_it_prints(lines: Sequence[str], type_: str) -> None:
    answer = told(lines)
    assert answer.label == type_
    assert not answer.problems
    assert sorted(name for name, _ in answer.scores) == ["invoice", "receipt"]


def test_a_receipt_without_a_till_word_is_in_doubt_and_a_letter_with_one_is_none() -> None:
    bare = told([line for line in receipt() if not line.startswith(("Cash", "Change"))])
    assert dict(bare.scores)["receipt"] == pytest.approx(dict(told(receipt()).scores)["receipt"] / 2, abs=0.1)
    assert bare.label != "receipt"
    assert told([*LETTER, "Cash"]).label == "other"


def test_a_document_between_two_types_is_of_neither() -> None:
    half = [line for line in invoice("A-1") if line.startswith(("Invoice", "Total", "Net", "VAT", "Due", "Bill"))]
    answer = told([*half, *receipt()])
    assert answer.label is None
    (problem,) = answer.problems
    assert problem.startswith("of unsure type, ")
    assert "invoice (0." in problem
    assert "receipt (0." in problem


def test_an_e_invoice_is_of_the_only_type_that_names_business_terms() -> None:
    assert told(LETTER, sample_cii()).label == "invoice"


def test_nothing_is_surely_no_type_where_a_type_says_no_labels() -> None:
    answer = told(LETTER, ticket=str(TICKET))
    assert answer.label is None
    assert answer.problems == ("of unsure type: it may be ticket, for which no labels are given",)
    assert told(invoice("A-1"), ticket=str(TICKET)).label == "invoice"


def test_signs_are_words_of_short_lines() -> None:
    schema = {
        "type": "object",
        "properties": {"total": {"type": "number", "x-slmbatch": {"labels": ["Total"], "pick": "largest"}}},
        "x-slmbatch": {"signs": ["Délivery note"]},
    }
    head = TypesHead({"note": compile_schema(schema, name="note", where="note")})

    def label(text: str) -> str | None:
        return head.answer([Document("d", "d", None, (Page(1, text),))])[0].label

    assert label("DELIVERY NOTE 17\nTotal: 12.00") == "note"
    assert label("we wrote of a delivery note to you last week\nTotal: 12.00") != "note"


SHORT = [
    "Acme Ltd",
    "Invoice",
    "Invoice number: 14",
    "Invoice date: 2026-03-01",
    "Bill to: Jones Bakery Ltd",
    "Total 12.00",
]


def test_a_short_document_with_all_required_fields_is_of_their_type() -> None:
    answer = told(SHORT)
    assert (answer.label, answer.problems) == ("invoice", ())
    assert dict(answer.scores)["invoice"] < 0.4  # of the whole schema little is printed


def test_nearly_all_required_fields_are_doubt_and_a_type_without_its_signs_is_not_named() -> None:
    answer = told([line for line in SHORT if not line.startswith("Acme")])
    assert answer.label is None
    (problem,) = answer.problems
    assert problem.startswith("of unsure type, invoice (0.")
    assert "receipt" not in problem


def test_a_type_without_its_signs_does_not_count_against_another() -> None:
    half = [line for line in invoice("A-1") if line.startswith(("Invoice", "Total", "Due", "VAT:"))]
    answer = told([*receipt()[:2], *half])
    scores = dict(answer.scores)
    assert scores["invoice"] - scores["receipt"] < 0.1
    assert answer.label == "invoice"


def test_the_only_type_left_says_that_its_signs_are_missing() -> None:
    bare = [line for line in receipt() if not line.startswith(("Cash", "Change"))]
    head = TypesHead({"receipt": SCHEMAS["receipt"]})
    (answer,) = head.answer([Document("d", "d", None, (Page(1, "\n".join(bare)),))])
    assert answer.label is None
    assert answer.problems[0].endswith("but none of its signs is printed")


@pytest.mark.parametrize("cut", [False, True])
def test_what_was_not_searched_as_a_whole_is_never_surely_no_type(cut: bool) -> None:
    lines = LETTER if cut else LETTER * 500
    (answer,) = TypesHead(SCHEMAS).answer([Document("d", "d", None, (Page(1, "\n".join(lines)),), cut=cut)])
    assert answer.label is None
    (problem,) = answer.problems
    assert "were searched" in problem if cut else "only the first 30,000 and the last 10,000 characters of" in problem


def test_a_long_invoice_is_an_invoice() -> None:
    table = [
        f"{row} Screws M{row}, galvanised, in boxes of a hundred {row}.50 2 {2 * row + 1}.00" for row in range(900)
    ]
    lines = invoice("A-1")
    assert told([*lines[:6], *table, *lines[6:]]).label == "invoice"
