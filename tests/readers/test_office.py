import datetime as dt
import io
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
import xlsxwriter
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from pptx.util import Inches

from slmbatch.readers.contents import read_content
from slmbatch.readers.office import MAX_TREE_BYTES, read_office
from slmbatch.readers.sources import MAX_CHARS, Reading

from .made import word, zipped


def saved(document: object) -> bytes:
    out = io.BytesIO()
    document.save(out)  # type: ignore[attr-defined]
    return out.getvalue()


def texts(reading: Reading) -> list[str]:
    assert reading.problem is None
    return [page.note or page.text for page in reading.pages]


def replaced(file: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change one member of an Office file."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert member in archive.namelist()
        return zipped(
            {one: change(archive.read(one)) if one == member else archive.read(one) for one in archive.namelist()}
        )


def test_a_word_table_keeps_each_row_on_one_line_and_merged_cells_once() -> None:
    document = docx.Document()
    document.add_paragraph("Invoice 7\tMarch")
    table = document.add_table(3, 3)
    for row in range(3):
        for column in range(3):
            table.cell(row, column).text = f"{row}{column}"
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(1, 2).merge(table.cell(2, 2))
    table.cell(2, 0).text = "two\nlines"
    table.cell(2, 1).add_table(1, 2).cell(0, 1).text = "inner"
    document.add_paragraph("Thanks")
    assert texts(read_office(saved(document), "docx")) == [
        "Invoice 7\tMarch\n00 01\t02\n10\t11\t12 22\ntwo lines\t21 inner\nThanks"
    ]


def test_word_headers_footers_controls_and_boxes_are_read_and_deletions_are_not() -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "ACME Ltd"
    document.sections[0].footer.paragraphs[0].text = "IBAN DE00"
    document.add_section().header.is_linked_to_previous = False
    document.sections[1].header.paragraphs[0].text = "ACME Ltd"
    word_xml = nsdecls("w")
    run = "<w:r><w:t>{}</w:t></w:r>"
    control = f"<w:sdt {word_xml}><w:sdtContent><w:p>{run.format('control')}</w:p></w:sdtContent></w:sdt>"
    box = f"<w:pict><w:txbxContent><w:p>{run.format('box')}</w:p></w:txbxContent></w:pict>"
    alternate = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    twice = f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    boxed = f"<mc:AlternateContent {alternate}>{twice}</mc:AlternateContent>"
    deleted = f"<w:del>{run.format('gone')}</w:del><w:ins>{run.format('new')}</w:ins>"
    for number, xml in enumerate((control, f"<w:p {word_xml}><w:r>{boxed}</w:r>{deleted}</w:p>")):
        document.element.body.insert(number, parse_xml(xml))
    assert texts(read_office(saved(document), "docx")) == ["ACME Ltd\ncontrol\nbox\nnew\nIBAN DE00"]


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        (1234.5, '#,##0.00 "€"', "1,234.50 €"),
        (1234.5, "#,##0.00\\ [$€-407];[Red]-#,##0.00\\ [$€-407]", "1,234.50 €"),
        (-1234.5, '_-"$"* #,##0.00_-;-"$"* #,##0.00_-', "-$1,234.50"),
        (0.19, "0%", "19%"),
        (0.075, "0.0%", "7.5%"),
        (3.0, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (123456789012345, "General", "123456789012345"),
        (42, "00000", "00042"),
        (2.5, "0", "3"),
        (1.5, "0.0##", "1.5"),
        (0.5, "# ?/?", "0.5"),
        (1234567.0, "0.00E+00", "1234567"),
        (1234567.0, "#,##0,", "1234567"),
        (5, '0 "of 10"', "5 of 10"),
        (True, "General", "TRUE"),
        (dt.datetime.fromisoformat("2026-03-02"), "dd.mm.yyyy", "2026-03-02"),
        (dt.datetime.fromisoformat("2026-03-02 09:05"), "dd.mm.yyyy hh:mm", "2026-03-02 09:05"),
        (dt.time(9, 5), "h:mm", "09:05"),
        ("0049", "@", "0049"),
    ],
)
def test_a_cell_is_read_as_it_is_shown_and_dates_as_iso(value: object, number_format: str, expected: str) -> None:
    book = openpyxl.Workbook()
    cell = book.active["A1"]
    cell.value = value
    cell.number_format = number_format
    assert texts(read_office(saved(book), "xlsx")) == [f"Sheet\n{expected}"]


def test_sheets_are_pages_with_rows_on_lines_and_hidden_ones_are_named() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Items"
    for row in (["Item", None, "Qty"], [], [None, "Bolt\nM6", 3, None], ["Sum", None, "=C3"]):
        sheet.append(row)
    sheet.merge_cells("A4:B4")
    book.create_sheet("Empty")
    book.create_sheet("Rates").sheet_state = "hidden"
    book.create_sheet("Last")["XFD1048576"] = "far away"
    assert texts(read_office(saved(book), "xlsx")) == [
        "Items\nItem\t\tQty\nBolt M6\t3\nSum",
        "",
        "sheet Rates is hidden",
        "Last\nfar away",
        "formulas without a stored result, so not read: 1; save it in Excel or LibreOffice",
    ]


@pytest.mark.parametrize(
    ("cell", "warned"),
    [
        (b"<c><f>B1*2</f></c>", True),
        (b'<c s="1"><f t="shared" si="0"/><v/></c>', True),
        (
            b'<x:c xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:f>1</x:f><x:v></x:v></x:c>',
            True,
        ),
        (b"<c><f>B1*2</f><v>4</v></c>", False),
        (b'<c t="str"><f>IF(B1,1,"")</f><v></v></c>', False),
        (b'<c t="e"><f>1/0</f><v>#DIV/0!</v></c>', False),
        (b"<c/><c><v>2</v></c>", False),
    ],
)
def test_only_formulas_that_were_never_computed_are_warned_of(cell: bytes, warned: bool) -> None:
    file = replaced(
        book_with("hello"), "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</row>", cell + b"</row>")
    )
    assert any("formulas without a stored result" in text for text in texts(read_office(file, "xlsx"))) == warned


def test_what_openpyxl_would_not_write_again_is_no_matter() -> None:
    extension = b'<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    file = book_with("hello")
    file = replaced(file, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</worksheet>", extension))
    assert texts(read_office(file, "xlsx")) == ["Sheet1\nhello"]


def test_a_row_with_a_number_beyond_any_sheet_ends_it() -> None:
    beyond = b'<row r="999999999999"><c><v>1</v></c></row></sheetData>'
    file = replaced(book_with("hello"), "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</sheetData>", beyond))
    assert texts(read_office(file, "xlsx")) == ["Sheet1\nhello"]


def test_a_huge_sheet_is_cut() -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Log")
    for number in range(3000):
        sheet.append([number, "x" * 1000])
    reading = read_office(saved(book), "xlsx")
    assert reading.cut
    assert sum(len(page.text) for page in reading.pages) == MAX_CHARS


def test_slides_are_pages_with_tables_groups_and_notes() -> None:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Quarter"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "two\vlines"
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(3), Inches(1)).table
    for row in range(2):
        for column in range(2):
            table.cell(row, column).text = f"{row}{column}"
    table.cell(0, 0).merge(table.cell(0, 1))
    slide.notes_slide.notes_text_frame.text = "say this"
    show.slides.add_slide(show.slide_layouts[6])
    assert texts(read_office(saved(show), "pptx")) == [
        "Quarter\ntwo\nlines\n00 01\n10\t11\nsay this",
        "slide 2 has no text",
    ]


LAUGHS = b"""<!DOCTYPE x [<!ENTITY a0 "ha">%s]>""" % b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)


def laughing(tag: bytes) -> Callable[[bytes], bytes]:
    """Make the text of the first such element a text of two billion characters."""

    def change(xml: bytes) -> bytes:
        xml = re.sub(rb"<\?xml[^>]*\?>", b"", xml)
        xml, count = re.subn(rb"(<%s[^>]*>)[^<]*" % tag, rb"\1&a9;", xml, count=1)
        assert count == 1
        return LAUGHS + xml

    return change


def book_with(text: str) -> bytes:
    """Make a workbook as Excel does, with texts in a part of their own."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        book.add_worksheet().write("A1", text)
    return out.getvalue()


@pytest.mark.parametrize(
    ("file", "kind", "member", "tag"),
    [
        (word("hello"), "docx", "word/document.xml", b"w:t"),
        (book_with("hello"), "xlsx", "xl/sharedStrings.xml", b"t"),
        (book_with("hello"), "xlsx", "xl/worksheets/sheet1.xml", b"v"),
    ],
)
def test_entities_are_not_expanded(file: bytes, kind: str, member: str, tag: bytes) -> None:
    reading = read_office(replaced(file, member, laughing(tag)), kind)
    assert sum(len(page.text) for page in reading.pages) < 1000


def test_a_bomb_is_told_by_its_size_before_it_is_unpacked() -> None:
    bomb = replaced(word("hello"), "word/document.xml", lambda _: b" " * (MAX_TREE_BYTES + 2**20))
    assert "would unpack to 65 MiB" in (read_office(bomb, "docx").problem or "")


def test_large_pictures_are_no_bomb() -> None:
    picture = random.Random(7).randbytes(MAX_TREE_BYTES + 2**20)
    with zipfile.ZipFile(out := io.BytesIO(word("hello")), "a") as archive:
        archive.writestr("word/media/photo.jpg", picture)
    assert texts(read_office(out.getvalue(), "docx")) == ["hello"]


@pytest.mark.parametrize("kind", ["docx", "xlsx", "pptx"])
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "password-protected or of an old format"),
        (b"hello", "something else although its name ends in"),
        (zipped({"a.txt": b"x"}), "damaged"),
        (word("hello")[:-40], "a damaged "),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, kind: str, problem: str) -> None:
    assert problem in (read_office(data, kind).problem or "")


@pytest.mark.parametrize("member", ["word/document.xml", "[Content_Types].xml", "_rels/.rels"])
def test_broken_parts_are_a_problem(member: str) -> None:
    assert "damaged" in (read_office(replaced(word("hello"), member, lambda xml: xml[:-20]), "docx").problem or "")


def test_a_file_without_text_and_an_old_format_say_so(tmp_path: Path) -> None:
    assert read_office(word(), "docx").problem == "there is no text in the Word file"
    old = tmp_path / "a.doc"
    old.write_bytes(b"\xd0\xcf\x11\xe0")
    assert "save it as docx" in (read_content(old, "old", "utf-8").problem or "")
