"""Whatever a server says in a reply is one row's affair: typed if it can be, told if it can't, never the run's end."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.harness import Asked, Reply, Scripted, completion, results, write_table

from .made import classify, extract

SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["number", "total"],
    "properties": {
        "number": {"type": "string"},
        "issued": {"type": "string", "format": "date"},
        "total": {"type": "string", "format": "decimal"},
        "pages": {"type": "integer"},
        "paid": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
TEXT = "Invoice R-17 of 3 March 2026. Total: 1.234,50 EUR. 2 pages. Paid: yes. Tags: red, blue."
GOOD = '{"number":"R-17","issued":"3 March 2026","total":"1.234,50","pages":2,"paid":true,"tags":["red","blue"]}'


def extracted(tmp_path: Path, scripted: Callable[..., Scripted], *replies: str) -> list[dict[str, object]]:
    """Extract from one text per reply; return the rows in order."""

    def by(asked: Asked) -> Reply:
        return completion(replies[int(asked.text.partition("case ")[2])])

    texts = [f"{TEXT} case {number}" for number in range(len(replies))]
    table = write_table(tmp_path / "t.parquet", texts)
    extract(table, tmp_path / "out", scripted(by=by).model, SCHEMA)
    return results(tmp_path / "out")


def test_values_are_typed_and_found_in_the_text(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    (row,) = extracted(tmp_path, scripted, GOOD)
    assert row["values"] == {
        "number": "R-17",
        "issued": dt.date(2026, 3, 3),
        "total": Decimal("1234.50"),
        "pages": 2,
        "paid": True,
        "tags": ["red", "blue"],
    }
    assert row["status"] == "accepted"
    fields = {leaf["path"]: leaf for leaf in pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist()}
    assert list(fields) == ["number", "issued", "total", "pages", "paid", "tags[0]", "tags[1]"]
    assert fields["total"]["raw"] == "1.234,50"
    assert fields["total"]["found"] in {"exact", "normalised"}
    assert TEXT[fields["number"]["start"] : fields["number"]["end"]] == "R-17"
    assert fields["number"]["page"] == 1
    assert {leaf["score"] for leaf in fields.values()} == {None}  # the server told no logprobs


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("I can't find any fields.", "unusable_reply"),
        ("", "unusable_reply"),
        ('{"number', "unusable_reply"),
    ],
)
def test_a_reply_without_any_field_fails_its_row(
    tmp_path: Path, scripted: Callable[..., Scripted], reply: str, why: str
) -> None:
    bad, good = extracted(tmp_path, scripted, reply, GOOD)
    assert (bad["status"], bad["values"]) == ("failed", None)
    assert str(bad["reason"]).startswith(why)
    assert good["status"] == "accepted"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ('{"number":"R-17","total":"1.234,50","pa', "breaks off"),
        ('{"number":"R-17"}', "total: required, and missing"),
        ('{"number":"R-99","total":"1.234,50"}', "number: not found in the document"),
        ('{"number":"R-17","total":"a lot"}', "'a lot' is not a number"),
        ('{"number":"R-17","total":"1.234,50","pages":"two"}', "'two' is not a whole number"),
        ('{"number":"R-17","total":"1.234,50","issued":"someday"}', "'someday' is not a date"),
        ('{"number":"R-17","total":1e400}', "is not a number"),
        ('{"number":"R-17","total":"1.234,50","pages":99999999999999999999}', "is not a whole number"),
        ('{"number":{"deep":1},"total":[2]}', "required, and missing"),
    ],
)
def test_a_reply_with_something_wrong_is_for_review_and_says_what(
    tmp_path: Path, scripted: Callable[..., Scripted], reply: str, why: str
) -> None:
    bad, good = extracted(tmp_path, scripted, reply, GOOD)
    assert bad["status"] == "review"
    assert why in str(bad["reason"])
    assert good["status"] == "accepted"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("half an emoji \ud83d", "half an emoji \ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("NUL \0 and \x1b[31m", "NUL"),
        ("a\uffff \U0010ffff", "a"),
        ("a" * 100_000, "a" * 100_000),
        ("½ ٣ 三", "½ ٣ 三"),
    ],
)
def test_any_characters_in_a_reply_are_kept_or_replaced(
    tmp_path: Path, scripted: Callable[..., Scripted], value: str, kept: str
) -> None:
    odd, good = extracted(tmp_path, scripted, json.dumps({"number": value, "total": "1.234,50"}), GOOD)
    assert odd["status"] == "review"
    assert odd["values"]["number"].startswith(kept)  # type: ignore[index]
    assert good["status"] == "accepted"


@pytest.mark.parametrize(
    "total", ["9" * 60, "1e28", "0.0000000001", "-0", "NaN", "Infinity", "1,234,50", "١٢٣", "1" + "0" * 5000]
)
def test_any_number_fits_its_column_or_is_none(tmp_path: Path, scripted: Callable[..., Scripted], total: str) -> None:
    replies = [json.dumps({"number": "R-17", "total": total, "pages": total, "issued": total}), GOOD]
    odd, good = extracted(tmp_path, scripted, *replies)
    assert odd["status"] == "review"
    assert good["status"] == "accepted"


def test_a_list_nested_and_repeated_without_end_is_one_row_s_affair(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    deep = '{"number":' + "[" * 5000
    many = '{"number":"R-17","number":"R-18","total":"1.234,50","tags":[' + '"red",' * 3000 + '"blue"]}'
    keys = '{"tags[0]":"x","tags[7]":"y","number.x":"z","number":"R-17","total":"1.234,50"}'
    first, second, third, good = extracted(tmp_path, scripted, deep, many, keys, GOOD)
    assert first["status"] == "failed"
    assert len(second["values"]["tags"]) == 3001  # type: ignore[index]
    assert third["values"]["number"] == "R-17"  # type: ignore[index]
    assert good["status"] == "accepted"


def test_a_label_that_was_not_offered_fails_its_row(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    contents = [
        '{"label":"card"}',
        '{"label":"pizza"}',
        "card",
        ' {"label": "rate"} ',
        '{"label":null}',
        "[]",
        '{"label"',
    ]

    def by(asked: Asked) -> Reply:
        return completion(contents[int(asked.text.removeprefix("Text: "))])

    table = write_table(tmp_path / "t.parquet", [str(number) for number in range(len(contents))])
    classify(table, tmp_path / "out", scripted(by=by).model)
    rows = results(tmp_path / "out")
    assert [row["label"] for row in rows] == ["card", None, "card", "rate", None, None, None]
    assert [row["status"] for row in rows] == [
        *["accepted", "failed", "accepted", "accepted", "failed", "failed", "failed"]
    ]
    assert rows[1]["reason"].startswith("unusable_reply: ")
    assert "pizza" in rows[1]["reason"]


def test_a_server_that_tells_no_logprobs_is_trusted_on_the_last_tier_only(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    first, last = scripted(completion('{"label":"card"}')), scripted(completion('{"label":"rate"}'))
    table = write_table(tmp_path / "t.parquet", ["hello"])
    classify(table, tmp_path / "out", first.model, escalate=(last.model,))
    (row,) = results(tmp_path / "out")
    assert (row["status"], row["label"], row["score"], row["tier"]) == ("accepted", "rate", None, last.model)
    assert (len(first.asked), len(last.asked)) == (1, 1)


def test_an_answer_of_a_lower_tier_is_shown_when_the_higher_one_fails(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    first, last = scripted(completion('{"label":"card"}')), scripted(Reply(400, '{"error":{"message":"no"}}'))
    table = write_table(tmp_path / "t.parquet", ["hello"])
    classify(table, tmp_path / "out", first.model, escalate=(last.model,))
    (row,) = results(tmp_path / "out")
    assert (row["status"], row["label"], row["tier"]) == ("review", "card", first.model)
    assert row["reason"].startswith("no score: this engine tells no logprobs; then rejected: ")
    assert row["tiers_tried"] == 2
