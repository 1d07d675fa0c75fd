"""Measure what OCR loses: the fields that rules find in invoices as PDFs, and in pictures of the same pages.

    python benchmarks/scans.py --einvoice DIR
    python benchmarks/scans.py --einvoice DIR --dpi 75

Right means the same as in fields.py. With the fields come the pages per second of CPU time, in one process with one
thread, and how many right and wrong values a threshold on the OCR's score would keep from being accepted.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import pypdfium2
from field_data import Labelled, load_einvoice
from fields import Judged, judge, told

from slmbatch.heads.fields.field_head import FieldHead
from slmbatch.heads.fields.shipped import rules_head
from slmbatch.readers.images import read_image
from slmbatch.types import Document, Page

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
QUALITY = 75  # of the JPEGs


def photographed(path: Path, dpi: int) -> list[bytes]:
    """Draw each page of a PDF as a grey JPEG."""
    pictures = []
    for page in pypdfium2.PdfDocument(path):
        out = io.BytesIO()
        page.render(scale=dpi / 72, grayscale=True).to_pil().save(out, "JPEG", quality=QUALITY)
        pictures.append(out.getvalue())
    return pictures


def read_back(document: Document, pictures: list[bytes]) -> Document:
    """Read a document's pages from their pictures."""
    pages: list[Page] = []
    for picture in pictures:
        pages += (replace(page, number=len(pages) + 1) for page in read_image(picture).pages)
    return replace(document, pages=tuple(pages))


def doubted(one: Labelled, head: FieldHead, chosen: list[int], judged: list[Judged]) -> None:
    """Print what each threshold on the OCR's score would keep back."""
    right = iter(judged)
    scored = []
    for index in chosen:
        (answer,) = head.answer([one.documents[index]])
        leaves = {leaf.path: leaf for leaf in answer.leaves}
        for path, (_, ok, _) in zip(one.gold[index], right, strict=False):
            if path in leaves and leaves[path].grounding.ocr is not None:
                scored.append((leaves[path].grounding.ocr, ok))
    print(f"\nvalues found: right {sum(ok for _, ok in scored)}, wrong {sum(not ok for _, ok in scored)}")
    for threshold in THRESHOLDS:
        low = [ok for score, ok in scored if score is not None and score < threshold]
        print(f"  OCR's score below {threshold}: right {sum(low)}, wrong {len(low) - sum(low)}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--einvoice", type=Path, required=True)
    parser.add_argument("--dpi", type=int, default=200)
    options = parser.parse_args()
    one = load_einvoice(options.einvoice)
    chosen = [index for index, designed in enumerate(one.designed) if designed]
    pictures = {
        index: photographed(options.einvoice / "docs" / f"{one.documents[index].id}.pdf", options.dpi)
        for index in chosen
    }
    read_image(pictures[chosen[0]][0])  # loads the models
    start = time.process_time()
    documents = list(one.documents)
    for index in chosen:
        documents[index] = read_back(documents[index], pictures[index])
    seconds = time.process_time() - start
    pages = sum(map(len, pictures.values()))
    scanned, head = replace(one, documents=documents), rules_head(one.schema)
    told(f"{len(chosen)} PDFs with text", judge(head, one, chosen))
    judged = judge(head, scanned, chosen)
    told(f"the same at {options.dpi} dpi, by OCR", judged)
    doubted(scanned, head, chosen, judged)
    print(f"\n{pages} pages in {seconds:.0f} s of CPU time: {pages / seconds:.2f} pages/s")


if __name__ == "__main__":
    main()
