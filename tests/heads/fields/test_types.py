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
