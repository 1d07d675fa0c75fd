"""Measure how PDFs are read: rows of tables on one text line, words, and pages per second beside a bare loop.

    python benchmarks/layout.py --einvoice DIR [--pdfs FOLDER ...]

Of invoices whose lines are known (from the XML that was taken out of the PDFs) it counts the lines with quantity and
amount on one line of the text, and compares the words with those that PDFium tells; PDFium's plain text and pypdf's
layout mode stand beside it. Speed is measured on the same PDFs and those of the other folders, in turns with a loop of
pypdfium2 that takes the text of each page and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import mean, median

import pyarrow.parquet as pq
import pypdf
import pypdfium2

sys.path.insert(0, str(Path(__file__).parent))
from measuring import machine, middle, verdict

from slmbatch.checks.amounts import scan_amounts
from slmbatch.readers.pdf import read_pdf

ROWS_GOAL, WORDS_GOAL, SPEED_GOAL = 0.9, 0.97, 0.9
Item = tuple[Decimal, Decimal]  # quantity, amount


@dataclass(frozen=True, slots=True)
class Invoice:
    """A PDF and its lines; `designed` is False for prints of the XML by a style sheet."""

    path: Path
    items: list[Item]
    designed: bool


def bare(path: Path) -> str:
    """Read the text as PDFium tells it."""
    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def ours(path: Path) -> str:
    """Read the text as slmbatch does."""
    return "\n".join(page.text for page in read_pdf(path).pages)


def layout_mode(path: Path) -> str:
    """Read the text as pypdf does when it keeps the layout."""
    return "\n".join(page.extract_text(extraction_mode="layout") for page in pypdf.PdfReader(path).pages)


def load(folder: Path) -> list[Invoice]:
    """Read the invoices whose values are readable on their pages."""
    rows = pq.read_table(folder / "documents.parquet").to_pylist()
    return [
        Invoice(
            folder / "docs" / f"{row['doc']}.pdf",
            [(Decimal(one["quantity"]), Decimal(one["amount"])) for one in json.loads(row["lines"])],
            designed=not row["xml_rendering"],
        )
        for row in rows
        if row["trusted"]
    ]


def holds(line: str, item: Item) -> bool:
    """Say whether a quantity and an amount stand on a line, at two places."""
    quantities, amounts = ({(one.start, one.end) for one in scan_amounts(line) if one.value == value} for value in item)
    return any(first != other for first in quantities for other in amounts)


def together(text: str, items: Sequence[Item]) -> list[bool]:
    """Tell of each item whether a line of the text, which no other item has, holds its quantity and amount."""
    lines = text.splitlines()
    told = []
    for item in items:
        found = next((line for line in lines if holds(line, item)), None)
        if found is not None:
            lines.remove(found)
        told.append(found is not None)
    return told


def likeness(text: str, reference: str) -> float:
    """Return the F1 of two texts' words, each as often as it's there."""
    words, expected = Counter(text.split()), Counter(reference.split())
    return 2 * (words & expected).total() / ((words.total() + expected.total()) or 1)


def rows(invoices: Sequence[Invoice], name: str, read: Callable[[Path], str], *, show: bool) -> tuple[float, float]:
    """Print and return the share of items on designed pages that are on one line, and the likeness of the words."""
    texts = [read(one.path) for one in invoices]
    told = [together(text, one.items) for text, one in zip(texts, invoices, strict=True)]
    alike = [likeness(text, bare(one.path)) for text, one in zip(texts, invoices, strict=True)]
    drawn, printed = (
        [ok for one, oks in zip(invoices, told, strict=True) if one.designed is kind for ok in oks]
        for kind in (True, False)
    )
    print(
        f"{name}: on one line {_share(drawn)} of designed pages, {_share(printed)} of prints of the XML; "
        f"words {mean(alike):.3f}, of the worst document {min(alike):.3f}"
    )
    for one, oks, like in zip(invoices, told, alike, strict=True):
        if show and (like < WORDS_GOAL or not all(oks)):
            print(f"  {one.path.stem}: {sum(oks)} of {len(oks)} on one line, words {like:.3f}")
    return mean(drawn), mean(alike)


def _share(told: Sequence[bool]) -> str:
    return f"{sum(told)} of {len(told)} ({mean(told):.3f})"


def speed(paths: Sequence[Path], rounds: int) -> float:
    """Print pages per second of CPU time of both, and return the median of the rounds' ratios."""
    pages = 0
    for path in paths:
        with pypdfium2.PdfDocument(path) as document:
            pages += len(document)
    for read in (bare, read_pdf):  # the first time loads what they need
        _cpu_s(read, paths)
    told = [(pages / _cpu_s(bare, paths), pages / _cpu_s(read_pdf, paths)) for _ in range(rounds)]
    ratios = [other / loop for loop, other in told]
    for name, values in zip(("bare loop", "slmbatch"), zip(*told, strict=True), strict=True):
        print(f"{name}: {middle(values, 0)} pages/s, the best {max(values):.0f}")
    print(f"slmbatch by bare loop: {middle(ratios, 2)}")
    return median(ratios)


def _cpu_s(read: Callable[[Path], object], paths: Iterable[Path]) -> float:
    start = time.process_time()
    for path in paths:
        read(path)
    return time.process_time() - start


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--einvoice", type=Path, required=True)
    parser.add_argument("--pdfs", type=Path, nargs="*", default=[], help="folders with more PDFs to measure speed on")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--show", action="store_true", help="name the documents that miss something")
    options = parser.parse_args()
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    invoices = load(options.einvoice)
    folders = [options.einvoice / "docs", *options.pdfs]
    print(machine())
    rows(invoices, "pypdfium2", bare, show=options.show)
    rows(invoices, "pypdf, layout mode", layout_mode, show=options.show)
    on_line, words = rows(invoices, "slmbatch", ours, show=options.show)
    ratio = speed([path for folder in folders for path in sorted(folder.glob("*.pdf"))], options.rounds)
    print(f"more than {ROWS_GOAL} of items on one line: {verdict(met=on_line > ROWS_GOAL)}")
    print(f"at least {WORDS_GOAL} of the words: {verdict(met=words >= WORDS_GOAL)}")
    print(f"at least {SPEED_GOAL} of the bare loop's speed: {verdict(met=ratio >= SPEED_GOAL)}")


if __name__ == "__main__":
    main()
