"""report.html with pages of documents: which are shown, what is marked where, and what it says of files that went."""

from __future__ import annotations

import io
import os
import shutil
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from slmbatch.chat import Picture
from slmbatch.places import Box
from slmbatch.readers.pictures import CHANGED, GONE, SIDE
from slmbatch.report import marked
from slmbatch.report.marked import Mark, Sheet
from slmbatch.report.pages import MOST_FIELDS, marked_documents
from tests.harness import Scripted, completion, results, slmbatch
from tests.readers.made import mail, placed_pdf, write, zipped
from tests.report.test_html import Page

SCHEMA = """{"type": "object", "required": ["invoice_id", "total"], "properties": {
    "invoice_id": {"type": "string", "x-slmbatch": {"kind": "identifier", "labels": ["Invoice number"]}},
    "total": {"type": "string", "format": "decimal", "x-slmbatch": {"kind": "amount", "labels": ["Total"]}}}}"""


def bill(number: str, total: str | None, page: int = 1) -> bytes:
    """Write a bill whose fields stand on the page of this number; without a total it's one for review."""
    lines = [(72.0, 700.0, "Invoice number"), (350.0, 700.0, number)]
    if total is not None:
        lines += [(72.0, 540.0, "Total"), (350.0, 540.0, total)]
    return placed_pdf([*([[(72, 700, "Dear customer")]] * (page - 1)), lines])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over files, an archive and a mail: the first is accepted, the others want a look."""
    folder = tmp_path_factory.mktemp("pages")
    message = mail("Please pay")
    message.add_attachment(bill("M-104", None), maintype="application", subtype="pdf", filename="bill.pdf")
    write(
        folder / "in",
        a_pdf=bill("A-101", "1,234.50"),
        b_pdf=bill("B-102", None, page=2),
        c_zip=zipped({"march/7.pdf": bill("C-103", None)}),
        d_eml=message.as_bytes(),
        e_txt=b"Invoice number E-105",
    )
    (folder / "s.json").write_text(SCHEMA)
    assert slmbatch("extract", folder / "in", "--schema", folder / "s.json", "-o", folder / "out").code == 0
    return folder


def shown(run: Path, most: int = 10) -> tuple[Page, str]:
    ran = slmbatch("report", run / "out", "--pages", most)
    assert ran.code == 0, ran.err
    html = (run / "out" / "report.html").read_text(encoding="utf-8")
    return Page(html), html


def headings(html: str) -> list[str]:
    return [one.split("<")[0] for one in html.split("<h3>")[1:]]


def test_rows_for_review_come_first_and_no_more_than_asked_for(run: Path) -> None:
    assert {row["id"]: row["status"] for row in results(run / "out")} == {
        "a.pdf": "accepted",
        "b.pdf": "review",
        "c.zip/march/7.pdf": "review",
        "d.eml": "review",
        "d.eml/bill.pdf": "review",
        "e.txt": "review",
    }
    every = ["b.pdf", "c.zip/march/7.pdf", "d.eml/bill.pdf", "a.pdf"]  # texts have no pages to draw
    assert headings(shown(run)[1]) == every
    assert headings(shown(run, 2)[1]) == every[:2]


def test_a_mark_stands_around_what_was_read(run: Path) -> None:
    page, _ = shown(run)
    last = max(place for place, (tag, _) in enumerate(page.elements) if tag == "svg")
    assert page.elements[last][1]["viewbox"] == "0 0 595 842"
    inside = page.elements[last:]
    data = str(dict(inside)["image"]["href"]).removeprefix("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(b64decode(data))) as drawn:
        assert max(drawn.size) == SIDE
        grey, scale = drawn.convert("L"), SIDE / 842
    rects = [one for tag, one in inside if tag == "rect"]
    assert len(rects) == 2
    for rect in rects:
        left, top, width, height = (float(rect[name] or "") * scale for name in ("x", "y", "width", "height"))
        ink = grey.crop((int(left), int(top), int(left + width), int(top + height))).point(
            lambda one: 255 * (one < 128)
        )
        around = ink.getbbox()
        assert around is not None, "nothing is printed within the mark"
        assert 0 < around[0] < around[2] < ink.width, "the mark cuts through the value"
        assert 0 < around[1] < around[3] < ink.height


def test_the_page_is_shown_that_holds_the_marks(run: Path) -> None:
    _, html = shown(run)
    sections = html.split("<section")[1:]
    assert [one.count("<svg") for one in sections] == [1, 1, 1, 1]
    assert "Page 2<" in sections[0]
    assert all("Page 1<" in one for one in sections[1:])


def test_every_link_leads_to_something_in_the_file_and_nothing_runs(run: Path) -> None:
    page, html = shown(run)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = [str(attributes["href"]) for tag, attributes in page.elements if tag == "a"]
    assert len(links) == 10  # five fields, and back
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert len(set(ids)) == len(ids)
    assert not {"script", "link", "iframe", "img", "object", "base", "use"} & {tag for tag, _ in page.elements}
    assert all(str(one["href"]).startswith("data:image/jpeg;") for tag, one in page.elements if tag == "image")
    assert "http" not in html


def test_what_a_field_says_stands_beside_it(run: Path) -> None:
    page, _ = shown(run)
    for told in ("B-102", "required, and missing", "1234.50", "M-104"):
        assert told in page.text
    assert "pass it on with the same care" in page.text


def test_what_nearly_stands_there_is_marked_as_such(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    (tmp_path / "a.pdf").write_bytes(placed_pdf([[(72, 700, "Supplier"), (200, 700, "Brightwater Supplies Limited")]]))
    (tmp_path / "s.json").write_text('{"type": "object", "properties": {"supplier": {"type": "string"}}}')
    model = scripted(completion('{"supplier": "Brightwater Supplies Limted"}')).model
    run = ["extract", tmp_path / "a.pdf", "--schema", tmp_path / "s.json", "-o", tmp_path / "out", "--model", model]
    assert slmbatch(*run).code == 0
    (leaf,) = pq.read_table(tmp_path / "out" / "fields.parquet").to_pylist()
    assert (leaf["found"], leaf["distance"], leaf["problems"]) == ("fuzzy", 1, ["not found in the document"])
    page, _ = shown(tmp_path)
    last = max(place for place, (tag, _) in enumerate(page.elements) if tag == "svg")
    assert sum(tag == "rect" for tag, _ in page.elements[last:]) == 1
    assert "not found in the document; marked is what is most like it" in page.text


def test_a_file_that_went_or_was_changed_since_is_said(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    kept = (run / "in" / "b.pdf", run / "in" / "a.pdf")
    away = kept[0].rename(tmp_path / "away.pdf")
    was = kept[1].stat().st_mtime
    os.utime(kept[1], (time.time() + 60, time.time() + 60))
    try:
        ran = slmbatch("report", copy / "out", "--pages", 10)
    finally:
        away.rename(kept[0])
        os.utime(kept[1], (was, was))
    assert ran.code == 0, ran.err
    page = Page((copy / "out" / "report.html").read_text(encoding="utf-8"))
    assert GONE in page.text
    assert CHANGED in page.text
    assert page.text.count("1234.50") == 1  # what was found is told all the same
    assert page.count("image") == 2


def test_without_the_option_no_document_is_in_it(run: Path) -> None:
    shown(run)
    assert slmbatch("report", run / "out", "--html").code == 0
    page = Page((run / "out" / "report.html").read_text(encoding="utf-8"))
    assert not page.count("image")
    assert "B-102" not in page.text


def test_a_run_without_fields_has_nothing_to_mark(tmp_path: Path) -> None:
    write(tmp_path / "in", a_txt=b"lost card")
    made = ["classify", tmp_path / "in", "--labels", "card,loan", "-o", tmp_path / "out"]
    assert slmbatch(*made).code == 0
    ran = slmbatch("report", tmp_path / "out", "--pages", 3)
    assert ran.code == 2
    assert "there are no fields to mark" in ran.err


def test_a_long_list_and_many_pages_are_cut_and_said() -> None:
    box = Box(1, 1, 2, 2, 100, 100, "pt")
    marks = tuple(Mark(f"lines[{at}]", "x", "accepted", "", 1, box) for at in range(MOST_FIELDS + 5))
    sheet = Sheet("a.pdf", "a.pdf", "review", (), marks, (1,), more=4, drawn=("it can't be drawn",))
    told = "".join("".join(one.itertext()) for one in marked_documents([sheet]))
    assert "5 more fields are in fields.parquet" in told
    assert "4 more pages with marks aren't shown" in told
    assert "it can't be drawn" in told


def test_a_truncated_document_says_so_and_a_long_name_breaks_after_its_dots() -> None:
    mark = Mark("invoice.line_items[0].description", "x", "accepted", "", None, None)
    sheet = Sheet("a.pdf", "a.pdf", "review", (), (mark,), (), truncated=True)
    (found,) = (one for one in marked_documents([sheet]) if one.tag == "section")
    assert "part of its text was never read" in "".join(found.itertext())
    name = next(one for one in found.iter("th") if "".join(one.itertext()) == mark.path)
    assert [name.text, *(one.tail for one in name)] == ["invoice.", "line_items[0].", "description"]
    whole = "".join("".join(one.itertext()) for one in marked_documents([replace(sheet, truncated=False)]))
    assert "never read" not in whole


def test_pictures_are_drawn_while_there_is_room(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marked, "MOST_BYTES", 20_000)
    found = marked.sheets(run / "out", 10, threshold=0.8, read_at=time.time())
    drawn = [isinstance(one.drawn[0], Picture) for one in found]
    assert drawn == sorted(drawn, reverse=True)
    assert 0 < sum(drawn) < len(drawn)
    assert found[-1].drawn == (marked.FULL,)


def test_texts_make_no_pages() -> None:
    assert "No document has pages" in "".join("".join(one.itertext()) for one in marked_documents([]))
