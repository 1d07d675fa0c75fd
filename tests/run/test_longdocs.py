"""Documents that a context doesn't take: nothing on a late page is lost, nothing counts twice, no gap goes unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.harness import EMBEDDED, Asked, Reply, Scripted, completion, results, slmbatch, write_table
from tests.readers.made import text_pdf

from .made import classify, extract

FIELDS: dict[str, object] = {
    "type": "object",
    "required": ["number"],
    "properties": {
        "number": {"type": "string", "description": "Number of the invoice", "x-slmbatch": {"labels": ["Invoice no"]}},
        "total": {"type": "number", "description": "Total amount"},
    },
}
LISTS: dict[str, object] = {
    "type": "object",
    "required": ["number"],
    "properties": {
        "number": {"type": "string"},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "amount": {"type": "number"}}},
        },
    },
}
FILLER = "The parties shall keep all of this to themselves and tell nobody about it whatever may happen.\n"
ROW = re.compile(r"(Article \d+) +(\d+\.\d\d)$", re.MULTILINE)


def reading(most: int = 1000) -> Callable[[Asked], Reply]:
    """A model that copies what it is shown, and breaks off after so many items."""

    def by(asked: Asked) -> Reply:
        number = re.search(r"(?:Invoice no|Ref) (\S+)", asked.text)
        total = re.search(r"Total (\S+)", asked.text)
        rows = [{"name": name, "amount": float(amount)} for name, amount in ROW.findall(asked.text)]
        names = asked.body["response_format"]["json_schema"]["schema"]["properties"]
        told = {"number": number and number.group(1), "total": total and total.group(1), "items": rows}
        reply = json.dumps({name: told[name] for name in names})
        if len(rows) <= most:
            return completion(reply)
        cut = json.dumps({"number": told["number"], "items": rows[:most]})[:-2]
        body = json.loads(completion(cut).body)
        body["choices"][0]["finish_reason"] = "length"
        return Reply(body=json.dumps(body))

    return by


def pages(*, row_pages: int = 8) -> list[str]:
    """A letterhead with the number, and pages of rows, numbered through."""
    rows = [f"Article {number}   {number}.50" for number in range(row_pages * 20)]
    listed = ["\n".join(rows[at : at + 20]) for at in range(0, len(rows), 20)]
    return ["Muster GmbH\nInvoice no R-17\n" + FILLER, *listed]


def context(path: Path, model: str, tokens: int) -> Path:
    path.write_text(f'[tier."{model}"]\ncontext_tokens = {tokens}\n')
    return path


def leaves(out: Path) -> dict[str, dict[str, object]]:
    return {leaf["path"]: leaf for leaf in pq.read_table(out / "fields.parquet").to_pylist()}


def test_a_list_over_all_pages_is_told_whole_and_in_order(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    (tmp_path / "long.pdf").write_bytes(text_pdf(pages()))
    server = scripted(by=reading())
    out = tmp_path / "out"
    extract(tmp_path / "long.pdf", out, server.model, LISTS, config=context(tmp_path / "c.toml", server.model, 1200))
    (row,) = results(out)
    assert [item["amount"] for item in row["values"]["items"]] == [
        Decimal(number) + Decimal("0.5") for number in range(160)
    ]
    assert (row["values"]["number"], row["status"], row["truncated"]) == ("R-17", "accepted", False)
    assert len(server.asked) > 1
    assert row["input_tokens"] == 7 * len(server.asked)  # each request counts
    assert leaves(out)["items[130].name"]["page"] == 8
    assert all(max(map(len, server.texts())) >= len(text) for text in server.texts())
    assert {name for text in server.texts() for name, _ in ROW.findall(text)} == {f"Article {n}" for n in range(160)}


def test_a_piece_that_fails_keeps_the_row_from_being_accepted(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    honest = reading()

    def by(asked: Asked) -> Reply:
        return completion("I can't say.") if "Article 70 " in asked.text else honest(asked)

    (tmp_path / "long.pdf").write_bytes(text_pdf(pages()))
    server = scripted(by=by)
    config, out = context(tmp_path / "c.toml", server.model, 1200), tmp_path / "out"
    extract(tmp_path / "long.pdf", out, server.model, LISTS, config=config)
    (row,) = results(out)
    assert row["status"] == "review"
    assert re.search(r"part \d of \d+: unusable_reply: the reply answers nothing", row["reason"])
    assert row["values"]["number"] == "R-17"  # what the other pieces told is shown
    asked = len(server.asked)
    extract(tmp_path / "long.pdf", out, server.model, LISTS, config=config)
    assert len(server.asked) == asked  # a finished row isn't asked about again


def test_a_budget_that_ends_between_two_pieces_pays_for_none_twice(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    (tmp_path / "long.pdf").write_bytes(text_pdf(pages()))
    (tmp_path / "schema.json").write_text(json.dumps(LISTS))
    honest = reading()

    def by(asked: Asked) -> Reply:
        body = json.loads(honest(asked).body)
        return Reply(body=json.dumps(body | {"usage": {"prompt_tokens": 900, "completion_tokens": 100}}))

    server = scripted(by=by)
    config, out = context(tmp_path / "c.toml", server.model, 1200), tmp_path / "out"
    asked = ["extract", tmp_path / "long.pdf", "--schema", tmp_path / "schema.json", "-o", out, "--quiet"]
    asked += ["--config", config, "--model", server.model, "--price", f"{server.model}=1000/1000", "--max-usd"]
    assert slmbatch(*asked, "5").code == 4
    (row,) = results(out)
    assert "over_budget" in row["reason"]
    assert row["status"] in {"review", "failed"}
    first = len(server.asked)
    assert slmbatch(*asked, "50").code == 0
    (row,) = results(out)
    assert (row["status"], len(row["values"]["items"])) == ("accepted", 160)
    assert 0 < first < len(server.asked) == len(set(server.texts()))


def test_a_reply_that_is_cut_short_while_listing_is_asked_for_in_halves(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    server = scripted(by=reading(most=12))
    table, out = write_table(tmp_path / "t.parquet", ["\n".join(pages(row_pages=2))]), tmp_path / "out"
    extract(table, out, server.model, LISTS)
    (row,) = results(out)
    assert len(row["values"]["items"]) == 40
    assert row["status"] == "accepted"
    assert 1 + 4 <= len(server.asked) <= 1 + 2 + 4 + 8  # the whole first; then no piece with more than it can list


def test_a_model_that_repeats_an_item_for_ever_is_not_asked_again(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    body = json.loads(completion('{"number": "R-17", "items": [' + '{"name": "A", "amount": 1}, ' * 9).body)
    body["choices"][0]["finish_reason"] = "length"
    server = scripted(Reply(body=json.dumps(body)))
    table, out = write_table(tmp_path / "t.parquet", ["\n".join(pages(row_pages=2))]), tmp_path / "out"
    extract(table, out, server.model, LISTS)
    assert len(server.asked) == 1
    assert results(out)[0]["status"] == "review"


def test_a_text_that_is_too_long_after_all_is_halved(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    honest = reading()
    refused = Reply(400, json.dumps({"error": {"code": "context_length_exceeded", "message": "too long"}}))
    server = scripted(by=lambda asked: refused if len(asked.text) > 2000 else honest(asked))
    table, out = write_table(tmp_path / "t.parquet", ["\n".join(pages())]), tmp_path / "out"
    extract(table, out, server.model, LISTS)  # no context is known
    (row,) = results(out)
    assert (row["status"], len(row["values"]["items"])) == ("accepted", 160)


@pytest.mark.parametrize(("label", "requests"), [("Invoice no", 1), ("Ref", None)])
def test_selected_passages_are_tried_first_and_pieces_where_they_do_not_suffice(
    tmp_path: Path, scripted: Callable[..., Scripted], label: str, requests: int | None
) -> None:
    """The second text has its number on a line that has nothing of what the field is called, among many that have."""
    decoy = "" if requests else "The invoice and its number are named in the annex of the invoice.\n" * 40
    text = f"{decoy}{FILLER * 60}{label} R-17\n{FILLER * 60}Total 119.00"
    server = scripted(by=reading())
    table, out = write_table(tmp_path / "t.parquet", [text]), tmp_path / "out"
    extract(table, out, server.model, FIELDS, config=context(tmp_path / "c.toml", server.model, 2000))
    (row,) = results(out)
    assert row["values"] == {"number": "R-17", "total": Decimal("119.00")}
    assert row["status"] == "accepted"
    assert row["truncated"] == (requests is not None)  # something of the text was never shown
    assert len(server.asked) == requests if requests else len(server.asked) > 2


def test_of_a_long_text_to_classify_both_ends_are_shown(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    server = scripted(completion('{"label": "card"}'))
    text = "First words. " + "blah " * 5000 + "last words."
    table, out = write_table(tmp_path / "t.parquet", [text]), tmp_path / "out"
    classify(table, out, server.model, config=context(tmp_path / "c.toml", server.model, 600))
    (row,) = results(out)
    (shown,) = server.texts()
    assert (row["status"], row["truncated"]) == ("accepted", True)
    assert shown.startswith("Text: First words.")
    assert shown.endswith("last words.")
    assert len(shown.encode()) <= 2 * 600


def test_what_stands_on_page_seven_is_found_there(tmp_path: Path, embedded_model: Path) -> None:
    """With the embedded model, which copies what it sees if that is short. Other pages hold no number at all."""
    long = [FILLER * 5 for _ in range(6)] + ["Total amount: 1,234.50 EUR\n" * 3] + [FILLER * 5]
    (tmp_path / "long.pdf").write_bytes(text_pdf(long))
    amounts = {
        name: {"type": "number", "description": f"{name} amount in EUR, as 99.95"} for name in ("total", "paid", "due")
    }
    schema = {"type": "object", "required": list(amounts), "properties": amounts}
    out = tmp_path / "out"
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    config = context(tmp_path / "c.toml", EMBEDDED, 450)
    arguments = ["extract", tmp_path / "long.pdf", "--schema", tmp_path / "schema.json", "-o", out, "--config", config]
    assert slmbatch(*arguments, "--model", EMBEDDED, "--no-download", "--quiet").code == 0
    told = leaves(out)["total"]
    assert (told["value"], told["page"], told["found"]) == ("1234.50", 7, "normalised")


def test_a_list_with_fewer_items_than_rows_is_never_accepted(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    text = "Invoice no R-17\n1 Desk 60.00\n2 Chair 40.00\n3 Lamp 9.90\n"
    items = [{"name": name, "amount": amount} for name, amount in (("Desk", 60), ("Chair", 40), ("Lamp", 9.9))]
    small = scripted(completion(json.dumps({"number": "R-17", "items": items[:2]})))
    large = scripted(completion(json.dumps({"number": "R-17", "items": items})))
    table = write_table(tmp_path / "t.parquet", [text])
    extract(table, tmp_path / "alone", small.model, LISTS)
    (row,) = results(tmp_path / "alone")
    assert (row["status"], row["reason"]) == ("review", "items: 2 items, and the document has at least 3 rows")
    extract(table, tmp_path / "both", small.model, LISTS, escalate=(large.model,))
    (row,) = results(tmp_path / "both")
    assert (row["status"], len(row["values"]["items"])) == ("accepted", 3)
