"""Whole files of every kind that is read, to be broken: samples, and small ones made here."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pptx
from PIL import Image
from pptx.util import Inches

from tests.readers import made

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_docs"
ROWS = [{"id": str(number), "text": f"row {number} " * number, "label": "card"} for number in range(20)]
EXPECTED = [{"id": "a.pdf", "values": {"total": "12.50", "lines": [{"amount": "1"}]}}, {"id": "b", "label": "card"}]
LABELS = (
    b"labels:\n  - name: card\n    description: a card\n    examples: [lost, stolen]\n  - name: bank\nother: true\n"
)
CONFIG = (
    b'model = "head"\nthreshold = 0.8\n\n[tier."openai:m"]\nconcurrency = 4\nprice = {input = "0.40", output = "1"}\n'
)


@cache
def whole() -> dict[str, list[bytes]]:
    """Return some whole files by suffix; `.labels.yaml` and its like are what a user writes for a run."""
    pictures = {suffix: [_picture(form)] for suffix, form in _FORMS.items()}
    return {
        ".pdf": [*_samples("*.pdf", most=60_000), *_pdfs()],
        ".xml": _samples("*.xml"),
        ".html": _samples("*.html"),
        ".txt": [*_samples("*.md"), "Grüße\n".encode("utf-16"), b"\xef\xbb\xbfplain text\r\n" * 20],
        ".eml": [*_samples("*.eml"), _mail()],
        ".msg": [_outlook()],
        ".docx": [made.word("Invoice 7", "Total 12.50")],
        ".xlsx": [_excel()],
        ".pptx": [_powerpoint()],
        ".zip": [_archive()],
        **pictures,
        ".csv": [_csv(ROWS)],
        ".jsonl": [_jsonl(ROWS)],
        ".parquet": [_parquet(compression) for compression in ("zstd", "snappy", "uncompressed")],
        ".gold.csv": [_csv(ROWS)],
        ".gold.jsonl": [_jsonl(EXPECTED)],
        ".gold.parquet": [_parquet("zstd")],
        ".labels.yaml": [LABELS],
        ".schema.json": [(ROOT / "schemas" / f"{name}.schema.json").read_bytes() for name in ("receipt", "ticket")],
        ".config.toml": [CONFIG],
    }


_FORMS = {".png": "PNG", ".jpg": "JPEG", ".tiff": "TIFF", ".webp": "WEBP", ".bmp": "BMP"}


def _samples(pattern: str, *, most: int = 2**20) -> list[bytes]:
    found = [path.read_bytes() for path in sorted(SAMPLES.rglob(pattern))]
    return [data for data in found if 0 < len(data) <= most]


def _pdfs() -> list[bytes]:
    einvoice = (SAMPLES / "invoices" / "seewind-2026-credit-note.xml").read_bytes()
    plain = made.text_pdf(["Invoice 7", "", "Total 12.50"])
    return [plain, made.locked_pdf(""), made.scanned_pdf(2), made.pdf_with({"factur-x.xml": einvoice}, ["Invoice"])]


def _picture(form: str) -> bytes:
    page, out = Image.open(io.BytesIO(made.picture())), io.BytesIO()
    page.save(out, form, **({"save_all": True, "append_images": [page]} if form == "TIFF" else {}))
    return out.getvalue()


def _mail() -> bytes:
    outer, inner = made.mail(), made.mail("the inner one")
    inner.add_attachment(made.zipped({"a.txt": b"a", "b.csv": b"text\nb\n"}), "application", "zip", filename="a.zip")
    outer.add_alternative("<p>Hello <b>Bob</b></p>", subtype="html")
    outer.add_attachment(made.text_pdf(["bill"]), "application", "pdf", filename="bill.pdf")
    outer.add_attachment("Grüße", filename="note.txt")
    outer.add_attachment(inner)
    return outer.as_bytes()


def _outlook() -> bytes:
    message, inner = made.outlook(), made.outlook("inner")
    message.add_attachment("bill.pdf", made.text_pdf(["bill"]))
    message.add_embedded_message_attachment(inner, filename="inner.msg")
    return message.to_bytes()


def _excel() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["item", 1234.5, 0.19, "=B1*2"])
    book.active["B1"].number_format = '#,##0.00\\ [$€-407];[Red]-#,##0.00 "x"'
    book.create_sheet("second").append([f"text {number}" for number in range(9)])
    return _saved(book)


def _powerpoint() -> bytes:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Invoice 7"
    slide.shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table.cell(0, 0).text = "item"
    slide.notes_slide.notes_text_frame.text = "a note"
    return _saved(deck)


def _saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _archive() -> bytes:
    inner = made.zipped({"deep.txt": b"deep", "x.html": b"<p>x"})
    return made.zipped({"a/b.txt": b"bee" * 50, "c.zip": inner, "d.pdf": made.text_pdf(["one"]), "e.eml": _mail()})


def _csv(rows: list[dict[str, str]]) -> bytes:
    return pl.DataFrame(rows).write_csv().encode()


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _parquet(compression: Any) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(ROWS).write_parquet(out, compression=compression)
    return out.getvalue()
