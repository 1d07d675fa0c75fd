"""Fields found by rules: what stands beside which label, what adds up, and that every value stands where it says."""

import datetime as dt
import json
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmbatch.evaluate import same
from slmbatch.heads.fields.field_head import FieldHead
from slmbatch.heads.fields.sheet import MAX_CHARS, Sheet
from slmbatch.heads.fields.shipped import rules_head
from slmbatch.readers.pdf import read_pdf
from slmbatch.readers.texts import read_text
from slmbatch.run.checked import FieldChecks
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import compile_schema
from slmbatch.tasks.schema_files import load_schema
from slmbatch.types import Document, Grounded, Kind, Leaf, Page

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "sample_docs"
INVOICE = load_schema(str(ROOT / "schemas" / "invoice-header.schema.json"))
RECEIPT = load_schema(str(ROOT / "schemas" / "receipt.schema.json"))


@cache  # OCR takes seconds
def sample(name: str) -> Document:
    path = SAMPLES / "invoices" / name
    reading = read_pdf(path) if path.suffix == ".pdf" else read_text(path, "utf-8")
    return Document(name, str(path), None, reading.pages, reading.problem)


def written(*pages: str) -> Document:
    return Document("d", "d", None, tuple(Page(number, text) for number, text in enumerate(pages, 1)))


def found(head: FieldHead, document: Document) -> dict[str, Leaf]:
    (answer,) = head.answer([document])
    return {leaf.path: leaf for leaf in answer.leaves}


def expected() -> list[tuple[str, dict[str, object]]]:
    lines = (SAMPLES / "invoices.expected.jsonl").read_text(encoding="utf-8").splitlines()
    return [(line["id"], line["values"]) for line in map(json.loads, lines)]


@pytest.fixture(scope="module")
def invoices() -> FieldHead:
    return rules_head(INVOICE)


@pytest.fixture(scope="module")
def receipts() -> FieldHead:
    return rules_head(RECEIPT)


def test_most_fields_of_the_sample_invoices_are_right_and_sure_ones_nearly_all(invoices: FieldHead) -> None:
    right, sure = [], []
    for name, values in expected():
        leaves = found(invoices, sample(name))
        for path, value in values.items():
            if path != "line_items":
                leaf = leaves.get(path)
                right.append(leaf is not None and same(leaf.value, value))
                if leaf is not None and (leaf.confidence or 0) >= 0.9:
                    sure.append(right[-1])
    assert sum(right) >= 0.75 * len(right)
    assert sum(sure) >= 0.95 * len(sure)
    assert len(sure) >= 0.4 * len(right)


LETTER = """Muster Handel GmbH
Hauptstrasse 5
10115 Berlin

Invoice no: 2024-17
Invoice date: 03.04.2024
{}

Net               100.00
VAT 19 %           19.00
Total EUR         119.00
"""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Bill to: Northwind Traders Ltd", "Northwind Traders Ltd"),
        ("Bill to: Anna Schmidt", "Anna Schmidt"),
        ("Invoice to Northwind Traders Ltd, 12 High Street, London", "Northwind Traders Ltd"),
        ("Kunde: Nordlicht Verlag GmbH", "Nordlicht Verlag GmbH"),
        ("Client : Dupont SARL", "Dupont SARL"),
        ("Fatturato a: Rossi S.p.A.", "Rossi S.p.A."),
        ("Cliente\tHermanos Vega SL", "Hermanos Vega SL"),
        ("Customer  Blue Ocean Foods Inc", "Blue Ocean Foods Inc"),
        ("Customer  Blue Ocean Foods Inc  Customer no  77", "Blue Ocean Foods Inc"),
        ("Bill to:   Peter Miller   Ship to:   Somebody Else Inc", "Peter Miller"),
        ("Bill to\nNorthwind Traders Ltd   Currency   EUR\n12 High Street", "Northwind Traders Ltd"),
    ],
)
def test_a_name_is_found_beside_its_label(invoices: FieldHead, line: str, name: str) -> None:
    leaves = found(invoices, written(LETTER.format(line)))
    assert leaves["receiver_name"].value == name
    assert leaves["supplier_name"].value == "Muster Handel GmbH"


@pytest.mark.parametrize(
    "line",
    [
        "Bill to be paid within 14 days",
        "Customer service is here for you",
        "Please send it to: Northwind Traders Ltd",
        "To: anna@northwind.example",
        "Ship to: Northwind Traders Ltd",
        "Customer no: 1234",
    ],
)
def test_what_is_beside_no_label_of_a_name_is_none(invoices: FieldHead, line: str) -> None:
    assert "receiver_name" not in found(invoices, written(LETTER.format(line)))


def test_a_seller_is_found_beside_its_label(invoices: FieldHead) -> None:
    lines = ["Invoice no: 7", "Seller: Foo Ltd   Buyer: Bar Ltd", "Total EUR   119.00"]
    leaves = found(invoices, written("\n".join(lines)))
    assert (leaves["supplier_name"].value, leaves["receiver_name"].value) == ("Foo Ltd", "Bar Ltd")


def test_every_value_of_the_samples_stands_where_it_says(invoices: FieldHead) -> None:
    for name, _ in expected():
        document = sample(name)
        for leaf in found(invoices, document).values():
            assert_stands(leaf, document)


def assert_stands(leaf: Leaf, document: Document) -> None:
    place = leaf.grounding
    assert place.found is Grounded.EXACT
    (page,) = [page for page in document.pages if page.number == place.page]
    assert leaf.raw == page.text[place.start : place.end]
    assert leaf.value is not None
    assert leaf.score is None
    assert leaf.confidence is not None
    assert 0 <= leaf.confidence <= 1


PIECES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["Total: 12,50", "Invoice no 17", "Rechnungsdatum 01.02.2024", "\n", "   ", "IBAN DE08 7009 0100 1234 5678 90",
         "Müller GmbH & Co. KG", "12 Main Street, 12345 Berlin", "VAT DE123456789", "€ 1.234,56-", "\x00", "ﬁ №", "\f",
         "\u2028", "\x85", "10.00 + 2.00 = 12.00", "999999999999999999999999999999999999999.99", "SDN BHD", "(123-X)"]
    ),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=3))
def test_no_text_makes_it_fail_and_every_value_stands_in_it(pages: list[str]) -> None:
    document = written(*pages)
    for schema in (INVOICE, RECEIPT):
        leaves = found(rules_head(schema), document)
        for leaf in leaves.values():
            assert_stands(leaf, document)
        FieldChecks(ExtractTask(schema)).checked(list(leaves.values()))  # no path that the schema doesn't have


LETTERS = {
    "en": "Acme Widgets Ltd\n1 High Street\nInvoice no: A-17\nInvoice date: 3 March 2024\nDue date: 2 April 2024\n"
    "Subtotal 100.00\nTotal VAT 20.00\nGrand total GBP 120.00\n",
    "de": "Muster GmbH\nHauptstr. 1\nRechnungsnummer: A-17\nRechnungsdatum: 03.03.2024\nFällig am: 02.04.2024\n"
    "Nettobetrag 100,00\nMwSt. 20,00\nRechnungsbetrag EUR 120,00\n",
    "fr": "Exemple SARL\n1 rue de la Paix\nFacture n° : A-17\nDate de facture : 03/03/2024\nÉchéance : 02/04/2024\n"
    "Total HT 100,00\nTotal TVA 20,00\nTotal TTC EUR 120,00\n",
    "es": "Ejemplo S.L.\nCalle Mayor 1\nNúmero de factura: A-17\n"
    "Fecha de factura: 03/03/2024\nVencimiento: 02/04/2024\n"
    "Base imponible 100,00\nTotal IVA 20,00\nTotal a pagar EUR 120,00\n",
    "it": "Esempio S.r.l.\nVia Roma 1\nNumero fattura: A-17\nData fattura: 03/03/2024\nScadenza: 02/04/2024\n"
    "Imponibile 100,00\nTotale IVA 20,00\nTotale fattura EUR 120,00\n",
    "nl": "Voorbeeld B.V.\nDorpsstraat 1\nFactuurnummer: A-17\nFactuurdatum: 03-03-2024\nVervaldatum: 02-04-2024\n"
    "Subtotaal 100,00\nTotaal btw 20,00\nTotaal te betalen EUR 120,00\n",
}


@pytest.mark.parametrize("language", LETTERS)
def test_the_labels_of_six_languages_are_known(language: str, invoices: FieldHead) -> None:
    leaves = found(invoices, written(LETTERS[language]))
    values = {path: leaf.value for path, leaf in leaves.items()}
    assert values["invoice_id"] == "A-17"
    assert values["invoice_date"] == dt.date(2024, 3, 3)
    assert values["due_date"] == dt.date(2024, 4, 2)
    assert values["net_amount"] == Decimal("100.00")
    assert values["total_tax_amount"] == Decimal("20.00")
    assert values["total_amount"] == Decimal("120.00")


def test_a_field_that_is_nowhere_is_absent(invoices: FieldHead) -> None:
    leaves = found(invoices, written(LETTERS["en"]))
    assert "supplier_iban" not in leaves
    assert "purchase_order" not in leaves
    assert "receiver_name" not in leaves


def test_an_empty_document_has_no_fields(invoices: FieldHead) -> None:
    assert found(invoices, written()) == {}
    assert found(invoices, written("", " \n ")) == {}


def test_the_change_given_is_not_the_total(receipts: FieldHead) -> None:
    text = (
        "CORNER SHOP SDN BHD\n1, JALAN SATU\n50000 KUALA LUMPUR\n12/03/2018 10:11\nTEA 8.20\nTOTAL 8.20\nCASH 50.00\n"
    )
    assert found(receipts, written(text + "CHANGE 41.80\n"))["total"].value == Decimal("8.20")


def test_an_address_on_several_lines_becomes_one(receipts: FieldHead) -> None:
    text = "CORNER SHOP SDN BHD\n1, JALAN SATU,\n50000 KUALA LUMPUR\nTEL: 03-1234567\n12/03/2018\nTOTAL 8.20\n"
    leaves = found(receipts, written(text))
    assert leaves["company"].value == "CORNER SHOP SDN BHD"
    assert leaves["address"].value == "1, JALAN SATU, 50000 KUALA LUMPUR"
    assert leaves["address"].raw == "1, JALAN SATU,\n50000 KUALA LUMPUR"


def test_a_leaf_without_hints_is_found_by_its_name() -> None:
    schema = compile_schema(
        {"type": "object", "properties": {"shipping_cost": {"type": "number"}, "pieces": {"type": "integer"}}},
        name="s",
        where="s",
    )
    leaves = found(rules_head(schema), written("Goods 40.00\nShipping cost: 7.50\nPieces: 12\nWeight 13.40\n"))
    assert leaves["shipping_cost"].value == Decimal("7.50")
    assert leaves["pieces"].value == 12
    assert isinstance(leaves["pieces"].value, int)
    assert dict(schema.fields())["pieces"].kind is Kind.INTEGER


def test_the_fingerprint_changes_with_the_labels() -> None:
    def head(label: str) -> FieldHead:
        field = {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": [label]}}
        return rules_head(compile_schema({"type": "object", "properties": {"a": field}}, name="s", where="s"))

    assert head("Ticket").fingerprint == head("Ticket").fingerprint
    assert head("Ticket").fingerprint != head("Case").fingerprint


def test_the_same_document_gets_the_same_answer(invoices: FieldHead) -> None:
    documents = [sample(name) for name, _ in expected()]
    together = invoices.answer(documents)
    assert [invoices.answer([document])[0] for document in reversed(documents)] == together[::-1]


def long_invoice(rows: int) -> list[str]:
    table = [
        f"{row} Screws M{row}, galvanised, in boxes of a hundred {row}.50 2 {2 * row + 1}.00" for row in range(rows)
    ]
    return [*LETTERS["en"].splitlines()[:4], *table, *LETTERS["en"].splitlines()[4:]]


def test_the_totals_at_the_end_of_a_long_document_are_found_where_they_stand(invoices: FieldHead) -> None:
    lines = long_invoice(900)
    whole = written("\n".join(lines))
    pages = written(*("\n".join(lines[at : at + 40]) for at in range(0, len(lines), 40)))
    assert len(whole.text) > MAX_CHARS + 5_000
    for document in (whole, pages):
        leaves = found(invoices, document)
        for path, raw in (("invoice_id", "A-17"), ("net_amount", "100.00"), ("total_amount", "120.00")):
            assert leaves[path].raw == raw, path
        for leaf in leaves.values():
            assert_stands(leaf, document)


def test_no_number_is_cut_in_two_where_the_middle_is_left_out() -> None:
    sheet = Sheet(written("\n".join("1234567" for _ in range(MAX_CHARS))))
    assert {sheet.line_text(number) for number in range(len(sheet.lines))} == {"1234567"}
    assert MAX_CHARS - 20 < len(sheet.text) <= MAX_CHARS
