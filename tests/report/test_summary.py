"""report.json, read back."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from slmbatch.errors import RunFolderError
from slmbatch.report.summary import read_summary, uncalibrated


@pytest.mark.parametrize("content", ['{"format": 1, "rows": 3}', "{}", "[]"])
def test_a_report_of_another_format_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(RunFolderError, match="written by another version"):
        read_summary(tmp_path)


def test_a_folder_without_a_report_is_no_run_or_an_unfinished_one(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no run of slmbatch"):
        read_summary(tmp_path)
    (tmp_path / ".slmbatch").mkdir()
    (tmp_path / ".slmbatch" / "manifest.json").write_text("{}")
    with pytest.raises(RunFolderError, match="hasn't finished"):
        read_summary(tmp_path)


def test_a_row_without_a_score_is_not_uncalibrated() -> None:
    schema = {"tier": pl.String, "score": pl.Float64, "confidence": pl.Float64}
    rows = pl.LazyFrame([("rules", None, None), ("rules", 0.9, 0.9), ("llamacpp:x", 0.9, None)], schema, orient="row")
    assert uncalibrated(rows) == 1
