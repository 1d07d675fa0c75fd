"""Expected answers: which column is the id, and that none is told twice."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slmbatch.errors import InputError
from slmbatch.readers.gold import read_gold

LABELS = {"a": "card", "b": "rate"}


@pytest.mark.parametrize(
    "head", ["id,label", "label,ID", "doc_id,label", "Document,label", "ticket,label", "row_id,note,label"]
)
@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_the_id_is_found_by_its_name_or_as_the_only_other_column(tmp_path: Path, head: str, kind: str) -> None:
    path, names = tmp_path / f"gold.{kind}", head.split(",")
    table = pl.DataFrame(
        [[label if name == "label" else key for name in names] for key, label in LABELS.items()], names, orient="row"
    )
    if kind == "csv":
        table.write_csv(path)
    elif kind == "parquet":
        table.write_parquet(path)
    else:
        path.write_text("\n".join(map(json.dumps, table.to_dicts())))
    assert read_gold(path) == LABELS


@pytest.mark.parametrize("head", ["ticket,note,label", "doc_id,row_id,label", "label"])
def test_which_column_is_the_id_is_never_guessed(tmp_path: Path, head: str) -> None:
    path = tmp_path / "gold.csv"
    path.write_text(f"{head}\n")
    with pytest.raises(InputError, match=r"gold.csv: which column holds the id") as caught:
        read_gold(path)
    assert head.replace(",", ", ") in caught.value.message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gold.csv", "id,label\na,x\nb,y\na,z\n", "row 3 has the id 'a', as row 1 has"),
        ("gold.csv", "id,label\na,x\n,y\n", "row 2 has no id"),
        (
            "gold.jsonl",
            '{"id": 1, "values": {}}\n\n{"id": "1", "values": {}}\n',
            "line 3 has the id '1', as line 1 has",
        ),
    ],
)
def test_an_answer_that_is_told_twice_or_of_no_document_is_refused_by_its_row(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_gold(path)
    assert caught.value.message == f"{path}: {said}."
    assert caught.value.remedy


def test_of_a_run_s_results_the_accepted_ones_count(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    rows = {"id": ["a", "a", "b"], "source": ["t", "t", "t"], "status": ["failed", "accepted", "accepted"]}
    pl.DataFrame(rows | {"label": [None, "card", "rate"]}).write_parquet(path)
    assert read_gold(path) == LABELS


def test_a_damaged_table_of_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gold.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "label": ["x", "y"]}), path, compression="none")
    assert read_gold(path) == {"a": "x", "b": "y"}
    data = bytearray(path.read_bytes())
    data[33] ^= 2  # in the header of a page
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"gold\.parquet: can't be read as expected answers"):
        read_gold(path)


def test_lines_nested_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text('{"id": "a", "values": ' + "[" * 100_000)
    with pytest.raises(InputError, match="can't be read as expected answers"):
        read_gold(path)
