"""Measure what OCR loses: the fields that rules find in documents' texts, and in pictures of the same documents.

    python benchmarks/scans.py --einvoice DIR --sroie DIR
    python benchmarks/scans.py --einvoice DIR --dpi 75
    python benchmarks/scans.py --einvoice DIR --dpi 70 --blur 1

Right means the same as in fields.py. With the fields come the pages per second of CPU time, in one process with one
thread, how many right and wrong values a threshold on the OCR's score would keep from being accepted, and how many
pages would go up as pictures, and whether the fields of their documents are worse.
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
from field_data import Labelled, load_einvoice, load_sroie
from fields import Judged, judge, told
from PIL import ImageFilter

from slmbatch.heads.fields.field_head import FieldHead
from slmbatch.heads.fields.shipped import rules_head
from slmbatch.readers.images import read_image
from slmbatch.readers.sources import MAX_PAGES
from slmbatch.types import Document, Page

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
QUALITY = 75  # of the JPEGs


def photographed(path: Path, dpi: int, blur: float) -> list[bytes]:
    """Draw each page of a PDF as a grey JPEG, out of focus by a Gaussian of so many pixels."""
    pictures = []
    for page in pypdfium2.PdfDocument(path):
        out = io.BytesIO()
        drawn = page.render(scale=dpi / 72, grayscale=True).to_pil().filter(ImageFilter.GaussianBlur(blur))
        drawn.save(out, "JPEG", quality=QUALITY)
        pictures.append(out.getvalue())
    return pictures


def read_back(document: Document, pictures: list[bytes]) -> Document:
    """Read a document's pages from their pictures."""
    pages: list[Page] = []
    for picture in pictures:
        pages += (replace(page, number=len(pages) + 1) for page in read_image(picture, pictures=MAX_PAGES).pages)
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


def poorly_read(one: Labelled, chosen: list[int], in_texts: list[Judged], judged: list[Judged]) -> None:
    """Print how many pages would be shown to a tier that sees, and what the fields of their documents have lost."""
    both = iter(zip(in_texts, judged, strict=True))
    of: dict[bool, list[tuple[bool, bool]]] = {True: [], False: []}
    for index in chosen:
        poor = any(page.picture for page in one.documents[index].pages)
        of[poor] += [(told[1], read[1]) for _, (told, read) in zip(one.gold[index], both, strict=False)]
    pages = [page for index in chosen for page in one.documents[index].pages]
    print(f"\npages read poorly: {sum(page.picture is not None for page in pages)} of {len(pages)}")
    for poor, name in ((True, "with such a page"), (False, "without one")):
        told, read = (sum(right[at] for right in of[poor]) for at in (0, 1))
        print(f"  documents {name}: {len(of[poor])} fields, right in texts {told}, by OCR {read}")


def measure(one: Labelled, pictures: dict[int, list[bytes]], what: str) -> None:
    """Print the fields found in the texts of some documents, and in their pictures."""
    chosen = list(pictures)
    read_image(pictures[chosen[0]][0])  # loads the models
    start = time.process_time()
    documents = list(one.documents)
    for index in chosen:
        documents[index] = read_back(documents[index], pictures[index])
    seconds = time.process_time() - start
    pages = sum(map(len, pictures.values()))
    scanned, head = replace(one, documents=documents), rules_head(one.schema)
    in_texts = judge(head, one, chosen)
    told(f"{len(chosen)} documents of {one.name}, their texts", in_texts)
    judged = judge(head, scanned, chosen)
    told(what, judged)
    doubted(scanned, head, chosen, judged)
    poorly_read(scanned, chosen, in_texts, judged)
    print(f"\n{pages} pages in {seconds:.0f} s of CPU time: {pages / seconds:.2f} pages/s")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--einvoice", type=Path)
    parser.add_argument("--dpi", type=int, default=200)
    parser.add_argument("--blur", type=float, default=0.0, help="pixels")
    parser.add_argument("--sroie", type=Path, help="receipts, of which those with a photo (docs/*.jpg) are read")
    options = parser.parse_args()
    if options.einvoice:
        one = load_einvoice(options.einvoice)
        files = {at: options.einvoice / "docs" / f"{document.id}.pdf" for at, document in enumerate(one.documents)}
        drawn = {
            at: photographed(files[at], options.dpi, options.blur)
            for at, designed in enumerate(one.designed)
            if designed
        }
        measure(one, drawn, f"the same pages, drawn at {options.dpi} dpi, blurred by {options.blur:g}, read by OCR")
    if options.sroie:
        one = load_sroie(options.sroie)
        files = {at: options.sroie / "docs" / f"{document.id}.jpg" for at, document in enumerate(one.documents)}
        measure(one, {at: [file.read_bytes()] for at, file in files.items() if file.exists()}, "their photos, by OCR")


if __name__ == "__main__":
    main()
