"""The tables for users: every input row once, in order, typed, and every cent counted once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slmbatch.chat import Usage
from slmbatch.places import Box
from slmbatch.store.folder import RunFolder
from slmbatch.store.parts import PartStore, part_paths
from slmbatch.store.records import record
from slmbatch.store.rows import GROUP_ROWS, RowWriter
from slmbatch.store.tables import build_tables
from slmbatch.tasks.schema import Schema, compile_schema
from slmbatch.types import Answer, Attempt, Document, Grounded, Grounding, Leaf, Result, Scalar, Status
from tests.harness import results

from .made import key, result

CENT = Decimal("0.000123456789")


def built(root: Path, keys: list[bytes], settled: list[Result], schema: Schema | None = None) -> RunFolder:
    """Store results and rows as a run does, and build the tables."""
    folder = RunFolder(root)
    folder.claim()
    store = PartStore(folder.parts, part_rows=5)
    for one in settled:
        store.settle(record(one))
    store.commit()
    rows = RowWriter(folder.rows)
    for number, one in enumerate(keys):
        rows.add(Document(f"doc-{number}", "input.csv", number, ()), one)
    rows.finish()
    build_tables(folder, part_paths(folder.parts), schema)
    folder.release()
    return folder


def test_rows_come_in_input_order_with_their_own_result(tmp_path: Path) -> None:
    numbers = [(7 * row) % 60 for row in range(60)]
    folder = built(tmp_path, [key(n) for n in numbers], [result(n, f"label {n}") for n in range(60)])
    rows = results(folder.root)
    assert [row["id"] for row in rows] == [f"doc-{row}" for row in range(60)]
    assert [row["row"] for row in rows] == list(range(60))
    assert [row["label"] for row in rows] == [f"label {n}" for n in numbers]
    assert [row["content_hash"] for row in rows] == [key(n).hex() for n in numbers]


def test_equal_contents_have_their_result_each_and_their_cost_once(tmp_path: Path) -> None:
    count = GROUP_ROWS + 10  # over more than one row group
    folder = built(tmp_path, [key(row % 3) for row in range(count)], [result(n, f"label {n}") for n in range(3)])
    rows = results(folder.root)
    assert [row["label"] for row in rows] == [f"label {row % 3}" for row in range(count)]
    assert {row["tiers_tried"] for row in rows} == {1}
    assert [row["requests"] for row in rows] == [1, 1, 1] + [0] * (count - 3)
    assert sum(row["usd"] for row in rows) == 3 * CENT
    assert sum(row["seconds"] for row in rows) == 1.5


def test_every_status_has_its_row(tmp_path: Path) -> None:
    unreadable = Result(key(2), Status.UNREADABLE, (), reason="the file is empty")
    review = result(3, status=Status.REVIEW)
    settled = [result(0), result(1, status=Status.FAILED), unreadable, review]
    rows = results(built(tmp_path, [key(n) for n in range(4)], settled).root)
    assert [row["status"] for row in rows] == ["accepted", "failed", "unreadable", "review"]
    assert [row["label"] for row in rows] == ["card", None, None, "card"]
    assert [row["reason"] for row in rows] == [None, "timed_out: no reply", "the file is empty", None]
    assert [row["tier"] for row in rows] == ["openai:m", None, None, "openai:m"]
    assert [row["tiers_tried"] for row in rows] == [1, 1, 0, 1]
    assert [row["usd"] for row in rows] == [CENT, CENT, 0, CENT]
    assert rows[0]["label_scores"] == [{"label": "card", "score": 0.9}, {"label": "other", "score": 0.1}]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_run_without_a_single_request_has_its_tables(tmp_path: Path, count: int) -> None:
    settled = [Result(key(n), Status.UNREADABLE, (), reason="the file is empty") for n in range(count)]
    rows = results(built(tmp_path, [key(n) for n in range(count)], settled).root)
    assert [row["status"] for row in rows] == ["unreadable"] * count
    assert [row["usd"] for row in rows] == [Decimal(0)] * count


def test_the_attempts_of_all_tiers_are_summed(tmp_path: Path) -> None:
    low = Attempt("small", Answer(label="card", score=0.3), Usage(100, 10, 3), Decimal("0.01"), 0.25, 2)
    high = Attempt("large", Answer(label="rate", score=0.99), Usage(110, 0, 4), Decimal("0.20"), 0.5, 1, truncated=True)
    (row,) = results(built(tmp_path, [key(1)], [Result(key(1), Status.ACCEPTED, (low, high), 1)]).root)
    assert row["label"] == "rate"
    assert row["tier"] == "large"
    assert row["truncated"] is True
    summed = {"tiers_tried": 2, "requests": 3, "input_tokens": 210, "cached_tokens": 10, "output_tokens": 7}
    assert {name: row[name] for name in summed} == summed
    assert row["usd"] == Decimal("0.21")
    assert row["seconds"] == 0.75


SCHEMA = compile_schema(
    {
        "type": "object",
        "properties": {
            "number": {"type": "string"},
            "issued": {"type": "string", "format": "date"},
            "paid": {"type": "boolean"},
            "pages": {"type": "integer"},
            "total": {"type": "string", "format": "decimal"},
            "seller": {"type": "object", "properties": {"name": {"type": "string"}, "vat": {"type": "string"}}},
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}, "amount": {"type": "string", "format": "decimal"}},
                },
            },
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    },
    name="made",
    where="made",
)


def extracted(number: int, values: dict[str, Scalar | None], *, status: Status = Status.ACCEPTED) -> Result:
    found = Grounding(Grounded.EXACT, 1, 5, 9, Box(10, 20, 30, 24.5, 595, 842, "pt"), 0.9)
    leaves = tuple(
        Leaf(path, value, str(value), 0.9, 0.7, -0.1, -0.2, grounding=found) for path, value in values.items()
    )
    return Result(key(number), status, (Attempt("m", Answer(leaves=leaves, score=0.9, confidence=0.6)),), 0)


def test_extracted_values_are_typed_and_keep_their_shape(tmp_path: Path) -> None:
    full: dict[str, Scalar | None] = {
        "number": "R-1",
        "issued": dt.date(2026, 2, 28),
        "paid": False,
        "pages": 2**62,
        "total": Decimal("12345678901234567890.123456789"),
        "seller.name": "Müller & Söhne",
        "seller.vat": None,
        "lines[0].text": "a",
        "lines[0].amount": Decimal("1.50"),
        "lines[1].text": None,
        "lines[1].amount": Decimal("-0.01"),
        "tags[0]": "x",
        "tags[1]": "y",
    }
    empty: dict[str, Scalar | None] = dict.fromkeys(("number", "issued", "paid", "pages", "total", "seller.name"))
    settled = [extracted(0, full), extracted(1, empty), Result(key(2), Status.FAILED, (Attempt("m", None),))]
    folder = built(tmp_path, [key(2), key(0), key(1)], settled, SCHEMA)
    failed, first, second = results(folder.root)
    assert failed["values"] is None
    assert first["values"] == {
        "number": "R-1",
        "issued": dt.date(2026, 2, 28),
        "paid": False,
        "pages": 2**62,
        "total": Decimal("12345678901234567890.123456789"),
        "seller": {"name": "Müller & Söhne", "vat": None},
        "lines": [{"text": "a", "amount": Decimal("1.50")}, {"text": None, "amount": Decimal("-0.01")}],
        "tags": ["x", "y"],
    }
    assert second["values"]["seller"] == {"name": None, "vat": None}
    assert second["values"]["lines"] == []
    types = pq.read_schema(folder.root / "results.parquet").field("values").type
    assert types.field("total").type == pa.decimal128(38, 9)
    assert types.field("issued").type == pa.date32()


def test_fields_tell_of_every_leaf_where_it_stands(tmp_path: Path) -> None:
    settled = [
        extracted(0, {"number": "R-1", "total": Decimal("10")}),
        Result(key(1), Status.UNREADABLE, (), reason="empty"),
        extracted(2, {"number": None}, status=Status.REVIEW),
    ]
    folder = built(tmp_path, [key(2), key(1), key(0), key(0)], settled, SCHEMA)
    fields = pq.read_table(folder.root / "fields.parquet").to_pylist()
    assert [(leaf["id"], leaf["path"], leaf["value"], leaf["status"]) for leaf in fields] == [
        ("doc-0", "number", None, "review"),
        ("doc-2", "number", "R-1", "accepted"),
        ("doc-2", "total", "10", "accepted"),
        ("doc-3", "number", "R-1", "accepted"),
        ("doc-3", "total", "10", "accepted"),
    ]
    assert {(leaf["found"], leaf["page"], leaf["start"], leaf["end"]) for leaf in fields} == {("exact", 1, 5, 9)}
    box = {"left": 10, "top": 20, "right": 30, "bottom": 24.5, "width": 595, "height": 842, "unit": "pt"}
    assert all((leaf["box"], leaf["ocr"]) == (box, 0.9) for leaf in fields)
    assert (fields[1]["score"], fields[1]["confidence"]) == (0.9, 0.7)


def test_a_confidence_stands_after_the_score_and_is_null_where_nothing_was_calibrated(tmp_path: Path) -> None:
    folder = built(tmp_path, [key(0), key(1)], [extracted(0, {"number": "R-1"}), extracted(1, {})], SCHEMA)
    assert [row["confidence"] for row in results(folder.root)] == [0.6, 0.6]
    for table in ("results", "fields"):
        schema = pq.read_schema(folder.root / f"{table}.parquet")
        assert schema.names[schema.names.index("score") + 1] == "confidence"
        assert schema.field("confidence").type == pa.float64()
    plain = built(tmp_path / "plain", [key(0)], [result(0)])
    assert [(row["score"], row["confidence"]) for row in results(plain.root)] == [(0.9, None)]


def test_the_tables_can_be_built_again_and_come_out_the_same(tmp_path: Path) -> None:
    folder = built(tmp_path, [key(1), key(0)], [result(0), result(1)])
    before = pq.read_table(tmp_path / "results.parquet")
    build_tables(folder, part_paths(folder.parts), None)
    assert pq.read_table(tmp_path / "results.parquet").equals(before)
    assert not list(tmp_path.glob("*.tmp"))
    assert not (tmp_path / "fields.parquet").exists()
