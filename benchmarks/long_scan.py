"""Measure the memory that reading a long scan takes: a PDF of drawn pages, out of focus so that the OCR doubts them.

    python benchmarks/long_scan.py --pages 200
    python benchmarks/long_scan.py --pages 200 --blur 0

Prints the peak of this process's resident memory, and its CPU time. The pages' words mean nothing.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pypdf import PdfWriter

from slmbatch.readers.read import read_file
from slmbatch.readers.sources import ReadOptions, Source

SIZE, LINES = (1240, 1754), 8  # A4 at 150 dpi, and lines on it: fewer than on a letter, for a quick OCR
NOISE = 0.15
WORDS = (
    "the", "board", "resolved", "that", "payment", "of", "rent", "invoice", "number", "amount", "due", "total",
    "customer", "delivery", "order", "street",
)  # fmt: skip
SEED = 7


def drawn(number: int, blur: float, rng: random.Random) -> Image.Image:
    """Draw a grey page with noise, blurred by a Gaussian of so many pixels."""
    page = Image.new("L", SIZE, 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(26)
    for line in range(LINES):
        text = " ".join(rng.choices(WORDS, k=rng.randint(2, 9)))
        pen.text((100, 100 + 180 * line), f"{number}.{line} {text}", fill=0, font=font)
    return Image.blend(page.filter(ImageFilter.GaussianBlur(blur)), Image.effect_noise(SIZE, 30), NOISE)


def write_scan(path: Path, pages: int, blur: float) -> None:
    """Write a PDF of so many pages, each a JPEG."""
    rng, writer = random.Random(SEED), PdfWriter()
    for number in range(1, pages + 1):
        stream = io.BytesIO()
        drawn(number, blur, rng).save(stream, "PDF", quality=75, resolution=150)
        writer.append(stream)
    writer.write(path)


def peak_mib() -> float:
    """Return the largest resident memory so far; Linux tells it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--blur", type=float, default=3.5, help="pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.pdf"
        writing = multiprocessing.Process(target=write_scan, args=(path, options.pages, options.blur))
        writing.start()
        writing.join()
        before, start = peak_mib(), time.process_time()
        (document,) = read_file(Source(path, path.name, "pdf"), ReadOptions(pictures=True))
        seconds = time.process_time() - start
        pictures = sum(page.picture is not None for page in document.pages)
        poor = sum(page.note is not None for page in document.pages)
        size = path.stat().st_size / 2**20
        print(f"{len(document.pages)} pages of {size:.0f} MiB, {poor} read poorly, {pictures} pictures kept")
        print(f"peak {peak_mib():.0f} MiB ({before:.0f} before it was read), {seconds:.0f} s of CPU time")


if __name__ == "__main__":
    main()
