"""Rows that share what should be unique are told from the second on, with the id of the first."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from slmbatch.errors import TaskError
from slmbatch.store.repeats import Repeats
from slmbatch.store.rows import GROUP_ROWS, RowWriter
from slmbatch.tasks.schema import Schema, compile_schema
from slmbatch.types import Document

from .made import key


def schema(*unique: str) -> Schema:
    properties: dict[str, Any] = {
        "name": {"type": "string"},
        "total": {"type": "string", "format": "decimal"},
        "lines": {"type": "array", "items": {"type": "string"}},
    }
    extension = {"unique": list(unique)}
    return compile_schema({"type": "object", "properties": properties, "x-slmbatch": extension}, name="t", where="t")


def rows(folder: Path, count: int) -> Path:
    writer = RowWriter(folder / "rows.parquet")
    for number in range(count):
        writer.add(Document(f"d{number}", "s", number, ()), key(number))
    writer.finish()
    return folder / "rows.parquet"


def leaves(name: str | None, total: str | None) -> list[dict[str, str | None]]:
    return [{"path": "name", "value": name}, {"path": "total", "value": total}]


def test_a_later_row_names_the_first_one_with_its_values(tmp_path: Path) -> None:
    repeats = Repeats(schema("name", "total"), rows(tmp_path, 7))
    told = repeats.warnings([leaves("Ann 1", "10.50"), leaves("Ann 1", "10.51"), leaves("ann-1", "10.5000"), None])
    told += repeats.warnings([leaves("Bob", None), leaves("Bob", None), leaves("Ann 1", "10.5")])
    same = ["the same name, total as d0"]
    assert told == [[], [], same, [], [], [], same]


def test_every_repeat_is_found_over_many_batches(tmp_path: Path) -> None:
    dice = random.Random(7)
    count = 2 * GROUP_ROWS + 9
    values = [str(dice.randrange(count // 2)) for _ in range(count)]
    repeats = Repeats(schema("name"), rows(tmp_path, count))
    told: list[list[str]] = []
    while len(told) < count:
        some = values[len(told) : len(told) + dice.randrange(1, 3000)]
        told += repeats.warnings([leaves(value, None) for value in some])
    first = {value: number for number, value in reversed(list(enumerate(values)))}
    wanted = [[] if first[one] == number else [f"the same name as d{first[one]}"] for number, one in enumerate(values)]
    assert told == wanted


@pytest.mark.parametrize("path", ["nmae", "lines[]", "lines"])
def test_only_fields_that_a_document_has_once_can_be_unique(path: str) -> None:
    with pytest.raises(TaskError, match="unique") as caught:
        schema("name", path)
    assert "name, total" in caught.value.remedy
