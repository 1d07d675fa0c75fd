"""What report.html says of documents without pages, and of their types; a pile that was split has its own pages."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from slmbatch.report.unshown import LONGEST, MOST_LISTED, Unshown, listed, unshown
from tests.harness import results, slmbatch
from tests.made_types import INVOICE, LETTER, RECEIPT, invoice, pdf, receipt
from tests.readers.made import write
from tests.report.test_html import Page
from tests.report.test_pages import headings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two types over a pile, a letter that is neither, a doubtful text, a broken file and an empty one."""
    folder = tmp_path_factory.mktemp("unshown")
    half = [line for line in invoice("A-9") if line.startswith(("Invoice", "Total", "Net", "VAT", "Due", "Bill"))]
    write(
        folder / "in",
        a_pdf=pdf(LETTER),
        b_pdf=pdf(invoice("A-1"), [*invoice("A-2", total="999.00"), "Page 1 of 1"], receipt()),
        c_txt="\n".join([*half, *receipt()]).encode(),
        d_pdf=b"%PDF-1.4 of nothing",
        e_txt=b"",
    )
    command = ["extract", folder / "in", "--schema", INVOICE, "--schema", RECEIPT, "-o", folder / "out", "--quiet"]
    assert slmbatch(*command).code == 0
    return folder / "out"


def shown(out: Path, most: int) -> tuple[Page, str]:
    ran = slmbatch("report", out, "--pages", most)
    assert ran.code == 0, ran.err
    html = (out / "report.html").read_text(encoding="utf-8")
    return Page(html), html


def test_documents_without_pages_are_listed_by_status_with_their_reasons(run: Path) -> None:
    reasons = {row["id"]: row["reason"] for row in results(run)}
    page, _ = shown(run, 10)
    head, *rows = page.tables["unshown"]
    assert head == ["Document", "Status", "Why"]
    assert rows == [
        ["c.txt", "for review", reasons["c.txt"]],
        ["d.pdf", "unreadable", reasons["d.pdf"]],
        ["e.txt", "unreadable", reasons["e.txt"]],
    ]
    assert "1 for review and 2 unreadable" in page.text
    assert "more for review have pages" not in page.text


def test_the_documents_of_a_split_file_are_shown_with_their_own_pages_and_types(run: Path) -> None:
    page, html = shown(run, 10)
    assert headings(html) == ["b.pdf/1", "b.pdf/2", "b.pdf/3", "a.pdf"]  # accepted without fields: last
    assert page.count("image") == 4
    sections = html.split("<section")[1:]
    assert [place for one in sections for place in ("Page 1<", "Page 2<", "Page 3<") if place in one] == [
        "Page 1<",
        "Page 2<",
        "Page 3<",
        "Page 1<",
    ]
    types = [one.split('class="type">')[1].split("<")[0] for one in sections]
    assert types == ["invoice-header", "invoice-header", "receipt", "other"]


def test_a_document_of_no_type_says_so_and_has_no_empty_table(run: Path) -> None:
    _, html = shown(run, 10)
    letter = html.split("<section")[-1].split("</section>")[0]
    assert "none of the types" in letter
    assert "<table" not in letter


@pytest.mark.parametrize("option", [["--html"], ["--pages", 1]])
def test_types_are_counted_with_those_that_were_not_told(run: Path, option: list[object]) -> None:
    assert slmbatch("report", run, *option).code == 0
    page = Page((run / "report.html").read_text(encoding="utf-8"))
    assert page.tables["types"] == [
        ["Type", "Rows", "Share"],
        ["invoice-header", "2", "28.6 %"],
        ["other: none of the types", "1", "14.3 %"],
        ["receipt", "1", "14.3 %"],
        ["not told: in doubt, or unreadable", "3", "42.9 %"],
    ]


def test_the_list_is_bounded_and_the_rest_counted(tmp_path: Path) -> None:
    count = MOST_LISTED + 7
    rows = {
        "id": [f"{at}.txt" for at in range(count)] + ["a.pdf", "b.pdf", "b.pdf/1-2", "c.pdf"],
        "row": [None] * (count + 4),
        "parent": [None] * (count + 2) + ["b.pdf", None],
        "pages": [None] * (count + 2) + ["1-2", None],
        "status": ["unreadable"] * count + ["review", "failed", "review", "accepted"],
        "reason": ["why" * LONGEST] * (count + 4),
    }
    pl.DataFrame(rows, schema_overrides={"row": pl.Int64}).write_parquet(tmp_path / "results.parquet")
    found = unshown(tmp_path)
    assert (dict(found.counts), found.drawable) == ({"failed": 1, "unreadable": count}, 2)
    assert [one[0] for one in found.rows[:2]] == ["b.pdf", "0.txt"]
    assert len(found.rows) == MOST_LISTED
    told = "".join("".join(one.itertext()) for one in listed(found, 1))
    assert "1 more for review have pages: slmbatch report OUT --pages 2 shows" in told
    assert "And 8 more" in told
    assert "why" * LONGEST not in told


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"failed": 2}, ": 2 failed."),
        ({"review": 4, "failed": 1, "unreadable": 1200}, ": 4 for review, 1 failed and 1,200 unreadable."),
    ],
)
def test_the_counts_read_like_a_sentence(counts: dict[str, int], said: str) -> None:
    assert said in "".join("".join(one.itertext()) for one in listed(Unshown(counts, (), 0), 0))


def test_nothing_is_said_where_all_is_shown() -> None:
    assert listed(Unshown({}, (), 3), 3) == []
