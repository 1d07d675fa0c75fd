"""Several schemas through the command line: each document is asked for the fields of its own type, and only once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.einvoice.made import sample_cii
from tests.harness import Asked, Reply, Scripted, completion, results, slmbatch
from tests.made_types import INVOICE, LETTER, RECEIPT, TICKET, invoice, pdf, receipt
from tests.readers.made import mail, pdf_with

from .test_verbs import said

LINES = ["Desk 60.00", "Chair 40.00"]
PILE = pdf([*invoice("A-1"), "Page 1 of 2"], [*LINES, "Page 2 of 2"], invoice("A-2"), receipt())


def schemas(folder: Path, **more: Path) -> Path:
    folder.mkdir()
    for name, path in ({"invoice": INVOICE, "receipt": RECEIPT} | more).items():
        shutil.copy(path, folder / f"{name}.schema.json")
    return folder


def inbox(folder: Path) -> Path:
    """Make a folder with a pile that was scanned in one go, a letter, a receipt and an invoice attached to a mail."""
    folder.mkdir()
    (folder / "pile.pdf").write_bytes(PILE)
    (folder / "letter.txt").write_text("\n".join(LETTER))
    (folder / "till.txt").write_text("\n".join(receipt("9.20")))
    message = mail("See attached.")
    message.add_attachment(pdf(invoice("B-1"), invoice("B-2")), maintype="application", subtype="pdf", filename="b.pdf")
    (folder / "order.eml").write_bytes(message.as_bytes())
    return folder


def value(row: dict[str, Any], type_: str, field: str) -> Any:
    return row["values"][type_][field]


def test_each_document_of_a_pile_is_a_row_with_the_fields_of_its_type(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["extract", inbox(tmp_path / "in"), "--schema", schemas(tmp_path / "schemas"), "-o", out, "--json"]
    first = json.loads(slmbatch(*command).out)
    rows = results(out)
    assert [(row["id"], row["parent"], row["pages"], row["type"]) for row in rows] == [
        ("letter.txt", None, None, "other"),
        ("order.eml", None, None, "other"),
        ("order.eml/b.pdf/1", "order.eml/b.pdf", "1", "invoice"),
        ("order.eml/b.pdf/2", "order.eml/b.pdf", "2", "invoice"),
        ("pile.pdf/1-2", "pile.pdf", "1-2", "invoice"),
        ("pile.pdf/3", "pile.pdf", "3", "invoice"),
        ("pile.pdf/4", "pile.pdf", "4", "receipt"),
        ("till.txt", None, None, "receipt"),
    ]
    assert [value(row, "invoice", "invoice_id") for row in rows[2:6]] == ["B-1", "B-2", "A-1", "A-2"]
    assert [str(value(row, "receipt", "total")) for row in rows[6:]] == ["7.200000000", "9.200000000"]
    assert [row["values"] and [name for name, of in row["values"].items() if of] for row in rows] == [
        *[None] * 2,
        *[["invoice"]] * 4,
        *[["receipt"]] * 2,
    ]
    assert (rows[0]["status"], rows[0]["reason"], rows[0]["usd"]) == ("accepted", None, 0)
    assert first["types"] == {"invoice": 4, "other": 2, "receipt": 2}
    again = json.loads(slmbatch(*command).out)
    assert (first["resumed_rows"], again["resumed_rows"]) == (0, 8)
    assert results(out) == rows


def test_a_value_is_found_on_its_page_of_the_file_and_named_with_its_type(tmp_path: Path) -> None:
    (tmp_path / "pile.pdf").write_bytes(pdf(invoice("A-1"), receipt(), receipt("9.20"), receipt("9.20")))
    command = ["extract", tmp_path / "pile.pdf", "--schema", RECEIPT, "--schema", INVOICE, "--quiet"]
    assert slmbatch(*command, "-o", tmp_path / "out").code == 0
    fields = pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist()
    found = {(one["path"], one["page"]) for one in fields if one["path"] in {"invoice-header.invoice_id"}}
    assert found == {("invoice-header.invoice_id", 1)}
    totals = [(one["id"], one["page"]) for one in fields if one["path"] == "receipt.total"]
    assert totals == [("pile.pdf/2", 2), ("pile.pdf/3", 3), ("pile.pdf/4", 4)]  # though the last two read the same


def test_an_invoice_that_came_twice_is_warned_of_and_a_rule_holds_for_its_own_type(tmp_path: Path) -> None:
    (tmp_path / "pile.pdf").write_bytes(pdf(invoice("A-1"), invoice("A-2", total="999.00"), receipt()))
    (tmp_path / "twice.pdf").write_bytes(pdf([*invoice("A-1"), "Copy"]))
    out = tmp_path / "out"
    inputs = [tmp_path / "pile.pdf", tmp_path / "twice.pdf"]
    assert slmbatch("extract", *inputs, "--schema", INVOICE, "--schema", RECEIPT, "-o", out, "--quiet").code == 0
    first, wrong, _, twice = results(out)
    names = ", ".join(f"invoice-header.{name}" for name in ("supplier_name", "invoice_id", "total_amount"))
    assert f"the same {names} as pile.pdf/1" in twice["warnings"]
    assert not [one for one in first["warnings"] if one.startswith("the same")]
    assert "BR-CO-15" in (wrong["reason"] or "")


def test_an_e_invoice_is_one_document_whatever_its_pages_say(tmp_path: Path) -> None:
    lines = ["Invoice number: A-1 Invoice date: 2 March 2026 Total amount: 119.00 EUR Page 1 of 1"]
    (tmp_path / "e.pdf").write_bytes(pdf_with({"factur-x.xml": sample_cii()}, lines * 2))
    (tmp_path / "pile.pdf").write_bytes(pdf(invoice("A-1"), invoice("A-2")))
    (tmp_path / "pile.xml").write_bytes(sample_cii())
    out = tmp_path / "out"
    inputs = [tmp_path / "e.pdf", tmp_path / "pile.pdf", tmp_path / "pile.xml"]
    assert slmbatch("extract", *inputs, "--schema", INVOICE, "--schema", RECEIPT, "-o", out, "--quiet").code == 0
    assert [(row["id"], row["type"], row["tier"]) for row in results(out)] == [
        ("e.pdf", "invoice-header", "embedded-xml"),
        ("pile.pdf", "invoice-header", "embedded-xml"),
    ]


def test_what_can_not_be_told_is_asked_with_no_schema_and_waits_for_a_person(tmp_path: Path) -> None:
    half = [line for line in invoice("A-1") if line.startswith(("Invoice", "Total", "Net", "VAT", "Due"))]
    (tmp_path / "both.txt").write_text("\n".join([*half, *receipt()]))
    out = tmp_path / "out"
    ran = slmbatch("extract", tmp_path / "both.txt", "--schema", INVOICE, "--schema", RECEIPT, "-o", out, "--strict")
    assert ran.code == 3
    (row,) = results(out)
    assert (row["status"], row["type"], row["values"], row["tiers_tried"]) == ("review", None, None, 1)
    assert row["reason"].startswith("of unsure type, ")
    assert "name a language model with --model or --escalate" in row["reason"]
    assert [one["type"] for one in row["type_scores"]] == ["receipt", "invoice-header"]


def test_a_language_model_is_asked_for_the_type_where_rules_are_in_doubt_and_then_for_that_types_fields(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    def reply(asked: Asked) -> Reply:
        if "You sort texts into classes" in str(asked.body["messages"][0]["content"]):
            return completion('{"label": "ticket"}' if "refund" in asked.text else '{"label": "none of these"}')
        return completion('{"category": "refund", "product": null, "requested_action": "refund"}')

    server = scripted(by=reply)
    (tmp_path / "a.txt").write_text("I want my money back, a refund please.")
    (tmp_path / "b.txt").write_text("\n".join(LETTER))
    (tmp_path / "c.txt").write_text("\n".join(receipt()))
    out = tmp_path / "out"
    folder = schemas(tmp_path / "schemas", ticket=TICKET)
    inputs = [tmp_path / f"{name}.txt" for name in "abc"]
    ran = slmbatch("extract", *inputs, "--schema", folder, "--escalate", server.model, "-o", out, "--threshold", "0.5")
    assert ran.code == 0, ran
    rows = results(out)
    assert [row["type"] for row in rows] == ["ticket", "other", "receipt"]
    assert value(rows[0], "ticket", "requested_action") == "refund"
    assert [row["status"] for row in rows[:2]] == ["accepted", "accepted"]
    kinds = [("classes" in str(asked.body["messages"][0]["content"]), "refund" in asked.text) for asked in server.asked]
    assert sorted(kinds) == [(False, True), (True, False), (True, True)]  # rules know the receipt
    (cost,) = [one for one in pq.read_table(out / "cost.parquet").to_pylist() if one["tier"] == server.model]
    assert (cost["documents"], cost["requests"]) == (2, 3)  # one of them was asked about twice
    titles = str(server.asked[0].body["messages"][0]["content"])
    assert "- receipt: Receipt. What a shop's till receipt says about one purchase." in titles


def test_a_changed_set_of_types_is_another_question(tmp_path: Path) -> None:
    (tmp_path / "till.txt").write_text("\n".join(receipt()))
    out = tmp_path / "out"
    command = ["extract", tmp_path / "till.txt", "-o", out]
    assert slmbatch(*command, "--schema", RECEIPT, "--schema", INVOICE, "--quiet").code == 0
    manifest = json.loads((out / ".slmbatch" / "manifest.json").read_text())
    assert [one.split()[0] for one in manifest["settings"]["types"]] == ["invoice-header", "receipt"]
    said(slmbatch(*command, "--schema", RECEIPT, "--schema", TICKET), 2, "types")
    said(slmbatch(*command, "--schema", RECEIPT), 2, "types")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--target", "0.9", "--escalate", "openai:m@http://127.0.0.1:9/v1"], "--target"),
        (["--model", "head:h"], "head:h"),
    ],
)
def test_what_is_for_one_type_only_is_refused(tmp_path: Path, more: list[str], word: str) -> None:
    (tmp_path / "till.txt").write_text("\n".join(receipt()))
    command = ["extract", tmp_path / "till.txt", "--schema", RECEIPT, "--schema", INVOICE, "-o", tmp_path / "out"]
    said(slmbatch(*command, *more), 2, word)


def test_a_tier_for_e_invoices_is_refused_where_no_schema_is_for_them(tmp_path: Path) -> None:
    (tmp_path / "till.txt").write_text("\n".join(receipt()))
    command = ["extract", tmp_path / "till.txt", "--schema", RECEIPT, "--schema", TICKET, "-o", tmp_path / "out"]
    said(slmbatch(*command, "--model", "embedded-xml"), 2, "no schema names a business term")


def test_a_run_of_several_types_is_evaluated_estimated_and_reported(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", schemas(tmp_path / "schemas")
    command = [inbox(tmp_path / "in"), "--schema", folder, "-o", out]
    told = json.loads(slmbatch("estimate", *command, "--json").out)
    assert (told["documents"], told["rest"]["contents"]) == (8, 8)
    assert slmbatch("extract", *command, "--quiet").code == 0
    gold = [
        {"id": "pile.pdf/3", "values": {"invoice": {"invoice_id": "A-2", "total_amount": "119.00"}}},
        {"id": "pile.pdf/4", "values": {"receipt": {"total": "7.20"}}},
        {"id": "till.txt", "values": {"receipt": {"total": "1.00"}}},
    ]
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, gold)))
    ran = slmbatch("eval", out, "--gold", tmp_path / "gold.jsonl", "--json")
    measures = {(one["metric"], one["name"]): one["value"] for one in json.loads(ran.out)["measures"]}
    assert measures["field_accuracy", None] == pytest.approx(3 / 4)
    assert measures["field_accuracy", "invoice.invoice_id"] == 1
    assert "types:\n  invoice " in slmbatch("report", out).out
    gold += [{"id": "letter.txt", "type": "other"}, {"id": "order.eml", "type": "invoice"}]
    gold[0]["type"] = "invoice"
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, gold)))
    ran = slmbatch("eval", out, "--gold", tmp_path / "gold.jsonl", "--json")
    measures = {(one["metric"], one["name"]): one["value"] for one in json.loads(ran.out)["measures"]}
    assert measures["type_accuracy", None] == pytest.approx(2 / 3)
    assert measures["field_accuracy", None] == pytest.approx(3 / 4)
    (tmp_path / "types.jsonl").write_text(json.dumps(gold[-1]))
    ran = slmbatch("eval", out, "--gold", tmp_path / "types.jsonl", "--json", "--min", "type_accuracy=0.5")
    assert [(one["metric"], one["value"]) for one in json.loads(ran.out)["measures"]] == [("type_accuracy", 0)]
    assert ran.code == 3
    for wrong, words in [
        ({"id": "letter.txt", "type": "letter"}, ["letter.txt: 'letter' is no type", "invoice, other, receipt"]),
        (
            {"id": "pile.pdf/3", "values": {"total_amount": "119.00"}},
            ["total_amount is no field", "invoice.total_amount"],
        ),
        ({"id": "pile.pdf/3", "values": {"sum": "119.00"}}, ["sum is no field", "receipt.total"]),
        ({"id": "pile.pdf", "values": {"receipt": {"total": "7.20"}}}, ["pile.pdf holds several", "pile.pdf/1-2"]),
    ]:
        (tmp_path / "wrong.jsonl").write_text(json.dumps(wrong))
        said(slmbatch("eval", out, "--gold", tmp_path / "wrong.jsonl"), 2, *words)


def test_scores_of_fields_are_calibrated_and_types_are_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    gold = []
    for number in range(24):
        (tmp_path / "in" / f"{number}.txt").write_text("\n".join(receipt(f"{number + 5}.20")))
        total = "1.00" if number % 4 == 0 else f"{number + 5}.20"
        gold.append({"id": f"{number}.txt", "values": {"receipt": {"total": total, "date": "2026-03-03"}}})
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, gold)))
    out, written = tmp_path / "out", tmp_path / "calibration.json"
    command = ["extract", tmp_path / "in", "--schema", RECEIPT, "--schema", INVOICE, "--quiet"]
    assert slmbatch(*command, "-o", out).code == 0
    ran = slmbatch("calibrate", out, "--gold", tmp_path / "gold.jsonl", "-o", written, "--json")
    assert ran.code == 0, ran
    curves = {one["tier"]: one["knots"] for one in json.loads(written.read_text())["tiers"]}
    assert [tier for tier, knots in curves.items() if knots] == ["rules"]
    assert slmbatch(*command, "-o", tmp_path / "again", "--calibration", written).code == 0
    assert {row["type"] for row in results(tmp_path / "again")} == {"receipt"}
