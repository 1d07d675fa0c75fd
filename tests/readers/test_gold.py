from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slmbatch.errors import InputError
from slmbatch.readers.gold import read_gold


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
