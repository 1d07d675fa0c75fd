"""Documents that carry an e-invoice are answered from it, through the command line, and the others as ever."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from slmbatch.readers import ReadOptions, find, read
from tests.einvoice.made import CREDIT_NOTE, PDF, minimum, sample_cii
from tests.harness import Loopback, results, slmbatch
from tests.readers.made import mail, pdf_with, scanned_pdf, text_pdf, zipped

ROOT = Path(__file__).parents[2]
INVOICE, HEADER = ROOT / "schemas" / "invoice.schema.json", ROOT / "schemas" / "invoice-header.schema.json"
PRINTED = "Invoice no M-1 of 31.01.2026, Total 119.00 EUR"


def extract(folder: Path, out: Path, *more: object, schema: Path = HEADER) -> dict[str, dict[str, Any]]:
    ran = slmbatch("extract", folder, "--schema", schema, "-o", out, *more)
    assert ran.code == 0, ran.err
    return {row["id"]: row for row in results(out)}


def flat(values: dict[str, Any]) -> dict[str, str]:
    """Expected values by the paths of fields.parquet."""
    lines = [
        (f"line_items[{i}].{name}", value)
        for i, line in enumerate(values.get("line_items", ()))
        for name, value in line.items()
    ]
    return {**{name: value for name, value in values.items() if name != "line_items"}, **dict(lines)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def test_the_samples_are_answered_exactly_and_for_nothing(tmp_path: Path, folder: Path) -> None:
    for path in (PDF, CREDIT_NOTE):
        shutil.copy(path, folder)
    found = extract(folder, tmp_path / "out", schema=INVOICE)
    lines = (ROOT / "sample_docs" / "invoices.expected.jsonl").read_text("utf-8").splitlines()
    expected = {one["id"]: one["values"] for one in map(json.loads, lines)}
    for row in found.values():
        assert (row["status"], row["tier"], row["score"], row["confidence"]) == ("accepted", "embedded-xml", 1, 1)
        assert (row["requests"], row["usd"], row["warnings"]) == (0, 0, [])
    fields = pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist()
    for name, values in expected.items():
        told = {one["path"]: one["value"] for one in fields if one["id"] == name and one["value"] is not None}
        assert told == (flat(values) if name in found else {})
    total = next(one for one in fields if one["id"] == PDF.name and one["path"] == "total_amount")
    assert total["found"] == "xml"
    assert total["xml_path"].endswith("MonetarySummation/GrandTotalAmount")
    assert total["page"] == 1  # and there it's printed


def test_documents_without_an_einvoice_never_see_the_tier(tmp_path: Path, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(text_pdf([PRINTED]))
    row = extract(folder, tmp_path / "out")["a.pdf"]
    assert (row["tier"], row["tiers_tried"]) == ("rules", 1)


def test_what_the_page_says_otherwise_is_warned_of(tmp_path: Path, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(pdf_with({"factur-x.xml": minimum(total="119.50")}, [PRINTED]))
    row = extract(folder, tmp_path / "out", schema=INVOICE)["a.pdf"]
    assert (row["status"], row["values"]["total_amount"]) == ("accepted", Decimal("119.50"))
    warnings = row["warnings"]
    assert warnings[0] == "total_amount: '119.50' of the XML isn't found in the text"
    assert "short profile minimum" in warnings[1]
    assert "line_items" in warnings[1]
    assert len(warnings) == 2


def test_an_amount_printed_below_zero_is_no_contradiction(tmp_path: Path, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(pdf_with({"factur-x.xml": minimum()}, [PRINTED.replace("119", "-119")]))
    assert not [one for one in extract(folder, tmp_path / "out")["a.pdf"]["warnings"] if "isn't found" in one]


def test_xml_beside_a_pdf_belongs_to_it(tmp_path: Path, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(text_pdf([PRINTED]))
    (folder / "a.xml").write_bytes(minimum())
    (folder / "b.PDF").write_bytes(text_pdf([PRINTED.replace("M-1", "M-2")]))
    (folder / "b.xml").write_text("<settings/>")
    found = extract(folder, tmp_path / "out")
    assert {name: row["tier"] for name, row in found.items()} == {"a.pdf": "embedded-xml", "b.PDF": "rules"}
    assert "page 2: b.xml, beside it, is no e-invoice" in found["b.PDF"]["warnings"]


def test_einvoices_in_archives_and_mails_are_answered(tmp_path: Path, folder: Path) -> None:
    (folder / "march.zip").write_bytes(zipped({"a.xml": minimum("Z-1"), "b.pdf": PDF.read_bytes()}))
    message = mail()
    message.add_attachment(minimum("E-1"), maintype="text", subtype="xml", filename="c.xml")
    (folder / "order.eml").write_bytes(message.as_bytes())
    found = extract(folder, tmp_path / "out")
    answered = {name: row["values"]["invoice_id"] for name, row in found.items() if row["tier"] == "embedded-xml"}
    assert answered == {"march.zip/a.xml": "Z-1", "march.zip/b.pdf": "SR-2026-0117", "order.eml/c.xml": "E-1"}


def test_a_scan_with_an_einvoice_is_readable(tmp_path: Path, folder: Path) -> None:
    (folder / "scan.pdf").write_bytes(scanned_pdf())
    (folder / "scan.xml").write_bytes(minimum())
    row = extract(folder, tmp_path / "out")["scan.pdf"]
    assert (row["status"], row["tier"], row["values"]["invoice_id"]) == ("accepted", "embedded-xml", "M-1")


def test_a_broken_attachment_is_told_and_the_page_is_read(tmp_path: Path, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(pdf_with({"factur-x.xml": minimum()[:-30], "other.xml": b"<a/>"}, [PRINTED]))
    row = extract(folder, tmp_path / "out")["a.pdf"]
    assert row["tier"] == "rules"
    assert "factur-x.xml can't be read" in row["warnings"][0]


def test_an_einvoice_whose_sums_are_wrong_goes_up(tmp_path: Path, folder: Path) -> None:
    wrong = sample_cii().replace(b"504.08</ram:GrandTotalAmount>", b"504.80</ram:GrandTotalAmount>")
    (folder / "a.pdf").write_bytes(pdf_with({"factur-x.xml": wrong}, [PRINTED]))
    row = extract(folder, tmp_path / "out")["a.pdf"]
    assert (row["tier"], row["tiers_tried"]) == ("rules", 2)


def test_fields_without_a_business_term_are_named(tmp_path: Path, folder: Path) -> None:
    properties = {
        "number": {"type": "string", "x-slmbatch": {"en16931": "BT-1"}},
        "cost_centre": {"type": "string"},
    }
    schema = tmp_path / "s.json"
    schema.write_text(json.dumps({"type": "object", "properties": properties}))
    shutil.copy(CREDIT_NOTE, folder)
    row = extract(folder, tmp_path / "out", schema=schema)[CREDIT_NOTE.name]
    assert row["values"] == {"number": "SR-2026-G009", "cost_centre": None}
    assert row["warnings"] == ["not in the XML, since the schema names no business term for them: cost_centre"]


def test_the_tier_by_itself_fails_what_carries_nothing(tmp_path: Path, folder: Path) -> None:
    (folder / "a.txt").write_text(PRINTED)
    shutil.copy(CREDIT_NOTE, folder)
    found = extract(folder, tmp_path / "out", "--model", "embedded-xml")
    assert {name: row["status"] for name, row in found.items()} == {"a.txt": "failed", CREDIT_NOTE.name: "accepted"}
    assert "carries no e-invoice" in found["a.txt"]["reason"]
    ran = slmbatch("classify", folder, "--labels", "a,b", "-o", tmp_path / "c", "--model", "embedded-xml")
    assert ran.code == 2
    assert "can't classify" in ran.err


def test_another_xml_in_the_same_pages_is_another_document(folder: Path) -> None:
    for name, total in (("a", "119.00"), ("b", "120.00")):
        (folder / f"{name}.pdf").write_bytes(pdf_with({"factur-x.xml": minimum(total=total)}, [PRINTED]))
    (folder / "c.pdf").write_bytes(text_pdf([PRINTED]))
    batches = read(find([str(folder)]), ReadOptions(workers=1))
    documents = [document for batch in batches for document in batch]
    assert len({document.content_hash() for document in documents}) == 3
    assert len({document.text for document in documents}) == 1


def test_an_invoice_that_came_twice_is_warned_of_also_after_a_resume(tmp_path: Path, folder: Path) -> None:
    for name, number in (("a", "M-1"), ("b", "M-2"), ("c", "m1"), ("d", "M-1")):
        (folder / f"{name}.xml").write_bytes(minimum(number))
    extract(folder, tmp_path / "out", "--limit", 2)
    found = extract(folder, tmp_path / "out")
    told = {name: [one for one in row["warnings"] if "the same" in one] for name, row in found.items()}
    same = ["the same supplier_name, invoice_id, total_amount as a.xml"]
    assert told == {"a.xml": [], "b.xml": [], "c.xml": same, "d.xml": same}


def test_wrong_check_digits_are_warned_of(tmp_path: Path, folder: Path) -> None:
    wrong = CREDIT_NOTE.read_bytes().replace(b"DE136695976", b"DE136695978").replace(b"532013000", b"532013001")
    (folder / "a.xml").write_bytes(wrong)
    row = extract(folder, tmp_path / "out")["a.xml"]
    assert row["status"] == "accepted"
    assert row["warnings"] == ["supplier_tax_id: isn't a valid VAT id", "supplier_iban: isn't a valid IBAN"]


def test_a_forecast_counts_einvoices_as_answered(
    tmp_path: Path, folder: Path, loopback: Callable[..., Loopback]
) -> None:
    server = loopback()
    shutil.copy(CREDIT_NOTE, folder)
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"{PRINTED} {number}")
    command = ["extract", folder, "--schema", HEADER, "-o", tmp_path / "out", "--model", server.model]
    ran = slmbatch(*command, "--price", f"{server.model}=1/1", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    [tier] = json.loads(ran.out)["rest"]["tiers"]
    assert (tier["tier"], tier["share"]) == (server.model, 0.75)
