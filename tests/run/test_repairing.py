"""A wrong amount is put right from the page itself, before anybody else is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.harness import Scripted, completion, results, write_table

from .made import extract

SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["total"],
    "properties": {
        "net": {"type": "number", "x-slmbatch": {"labels": ["Net"]}},
        "tax": {"type": "number", "x-slmbatch": {"labels": ["VAT"]}},
        "total": {"type": "number", "x-slmbatch": {"labels": ["Total"]}},
    },
    "x-slmbatch": {"rules": [{"id": "sum", "expr": "net + tax == total", "tolerance": "0.01"}]},
}
TEXT = "Invoice 17\nDesk 60.00\nChair 40.00\nNet 100.00\nVAT 19 % 19.00\nTotal 119.00\nPaid 50.00"


def extracted(tmp_path: Path, scripted: Callable[..., Scripted], reply: dict[str, object]) -> dict[str, object]:
    table = write_table(tmp_path / "t.parquet", [TEXT])
    extract(table, tmp_path / "out", scripted(completion(json.dumps(reply))).model, SCHEMA)
    return results(tmp_path / "out")[0]


@pytest.mark.parametrize(
    ("path", "wrong"), [("total", 100.0), ("net", 60.0), ("tax", 40.0), ("total", 191.0), ("total", -119.0)]
)
def test_an_amount_that_breaks_the_sum_is_put_right_and_said(
    tmp_path: Path, scripted: Callable[..., Scripted], path: str, wrong: float
) -> None:
    row = extracted(tmp_path, scripted, {"net": 100.0, "tax": 19.0, "total": 119.0} | {path: wrong})
    assert row["values"] == {"net": Decimal("100.00"), "tax": Decimal("19.00"), "total": Decimal("119.00")}
    assert row["status"] == "accepted"
    fields = {one["path"]: one for one in pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist()}
    assert [name for name, one in fields.items() if one["repaired"]] == [path]
    mended = fields[path]
    assert (float(mended["raw"]), mended["score"], mended["confidence"]) == (wrong, None, None)
    assert Decimal(TEXT[mended["start"] : mended["end"]]) == Decimal(mended["value"])


@pytest.mark.parametrize(
    "reply",
    [
        {"net": 60.0, "tax": 40.0, "total": 119.0},  # two are wrong
        {"net": 100.0, "tax": 18.0, "total": 118.5},  # two aren't printed at all
        {"net": 119.0, "tax": 19.0, "total": 100.0},  # exchanged
    ],
)
def test_what_one_amount_does_not_put_right_is_left_for_review(
    tmp_path: Path, scripted: Callable[..., Scripted], reply: dict[str, object]
) -> None:
    row = extracted(tmp_path, scripted, reply)
    assert row["status"] == "review"
    assert "rule sum is broken" in str(row["reason"])
    assert not any(one["repaired"] for one in pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist())


def test_an_amount_beside_its_label_is_not_changed(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    """The document itself doesn't add up: which of its amounts is wrong isn't ours to say."""
    table = write_table(tmp_path / "t.parquet", [TEXT.replace("Total 119.00", "Total 120.00")])
    reply = completion(json.dumps({"net": 100.0, "tax": 19.0, "total": 120.0}))
    extract(table, tmp_path / "out", scripted(reply).model, SCHEMA)
    (row,) = results(tmp_path / "out")
    assert (row["status"], row["values"]["total"]) == ("review", Decimal("120.00"))


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("Total", "\n".join(["Thank you"] * 5 + ["Total"])),  # too far below what it's the sum of
        "Invoice 17\nVAT 19 % 19.00\nTotal 119.00\nNet 100.00\nPaid 50.00",  # no sum is printed in this order
    ],
)
def test_amounts_that_do_not_go_down_the_page_close_to_each_other_are_no_sum(
    tmp_path: Path, scripted: Callable[..., Scripted], text: str
) -> None:
    table = write_table(tmp_path / "t.parquet", [text])
    reply = completion(json.dumps({"net": 100.0, "tax": 19.0, "total": 191.0}))
    extract(table, tmp_path / "out", scripted(reply).model, SCHEMA)
    assert results(tmp_path / "out")[0]["status"] == "review"
