"""What the terminal says of a run: what was left out of documents, and why rows weren't accepted."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from slmbatch.report import summary as counting
from slmbatch.report.text import as_text
from tests.harness import results, slmbatch
from tests.readers.made import write
from tests.report.test_pages import SCHEMA


def extract(folder: Path, **texts: bytes) -> tuple[Path, str]:
    """Extract from these files by rules alone; return the run's folder and its report."""
    write(folder / "in", **texts)
    (folder / "s.json").write_text(SCHEMA)
    assert slmbatch("extract", folder / "in", "--schema", folder / "s.json", "-o", folder / "out", "--quiet").code == 0
    return folder / "out", slmbatch("report", folder / "out").out


def test_rules_say_which_limit_cut_a_text_and_name_no_model(tmp_path: Path) -> None:
    long = b"Invoice number A-1\n" + b"nothing at all\n" * 4000
    out, told = extract(tmp_path, a_txt=long, b_txt=b"Invoice number B-2")
    assert [row["truncated"] for row in results(out)] == [True, False]
    assert "1 rows weren't read or asked about whole: `truncated` in results.parquet says which" in told
    assert "rules search 40,000 characters: the beginning and the end" in told
    assert "2,000,000 characters or 10,000 pages" in told
    assert "context" not in told


def test_each_reason_names_a_row_and_where_the_others_stand(tmp_path: Path) -> None:
    _, told = extract(tmp_path, a_txt=b"Invoice number A-1", b_txt=b"Invoice number B-2", c_txt=b"")
    lines = told.split("not accepted, because:\n")[1].splitlines()
    assert "for example a.txt" in lines[1]
    assert "this is c.txt" in lines[3]
    assert "column `reason` of results.parquet" in told


def test_reasons_that_differ_in_numbers_only_are_one() -> None:
    reasons = [f"of unsure type, invoice (0.{at}) or letter (0.3{at})" for at in (31, 45)]
    reasons += [f"of unsure type: only the first of {at:,} characters were searched" for at in (59_000, 161_000)]
    rows = pl.LazyFrame({"id": list("abcd"), "status": ["review"] * 4, "reason": reasons})
    assert sorted(counting._reasons(rows)["reasons"].values()) == [2, 2]


def test_reasons_beyond_the_first_ten_are_counted() -> None:
    reasons = [f"reason {letter}" for letter in "abcdefghijklm" for _ in range(2 if letter < "l" else 1)]
    ids = [f"{at}.txt" for at in range(len(reasons))]
    rows = pl.LazyFrame({"id": ids, "status": ["review"] * len(ids), "reason": reasons})
    counted = counting._reasons(rows)
    assert list(counted["reasons"]) == [f"reason {letter}" for letter in "abcdefghij"]
    assert counted["reason_examples"]["reason b"] == "2.txt"
    assert counted["other_reasons"] == {"reasons": 3, "rows": 4}


def test_the_report_of_an_earlier_version_is_printed_without_examples(tmp_path: Path) -> None:
    write(tmp_path / "in", a_txt=b"Invoice number A-1", b_txt=b"")
    (tmp_path / "s.json").write_text(SCHEMA)
    command = ["extract", tmp_path / "in", "--schema", tmp_path / "s.json", "-o", tmp_path / "out", "--quiet"]
    assert slmbatch(*command).code == 0
    found = counting.read_summary(tmp_path / "out")
    more = found | {"other_reasons": {"reasons": 3, "rows": 5}}
    assert "  and 3 other reasons for 5 rows\n" in as_text(more)
    older = {name: one for name, one in found.items() if name not in {"reason_examples", "other_reasons"}}
    assert "a.txt" in as_text(found)
    assert "a.txt" not in as_text(older)
