"""Draws the invoice of a made-up company as a flatbed scanner would show it: a little turned, grey, with noise.

    python sample_docs/make_scan.py

Everything on it is invented here. The same file comes out every time (as long as Pillow's font and JPEG writer do).
"""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

NAME = "scan-brook-and-fell-2024-joinery.jpg"
VALUES: dict[str, object] = {
    "invoice_id": "BF-2024-0371",
    "invoice_date": "2024-09-17",
    "due_date": "2024-10-17",
    "currency": "GBP",
    "supplier_name": "Brook & Fell Joinery Ltd",
    "supplier_tax_id": "GB 000 4711 42",
    "receiver_name": "Harbour Street Books",
    "net_amount": "1406.00",
    "total_tax_amount": "281.20",
    "total_amount": "1687.20",
    "amount_due": "1687.20",
    "line_items": [
        {"description": "Oak shelf, 2.4 m, oiled", "quantity": "6", "amount": "876.00"},
        {"description": "Counter top, ash", "quantity": "1", "amount": "350.00"},
        {"description": "Fitting, per hour", "quantity": "4", "amount": "180.00"},
    ],
}
DPI = 150
WIDTH, HEIGHT = 1240, 1754  # A4
TURN_DEGREES = 0.7
SEED = 20241
LEFT, QUANTITY, PRICE, AMOUNT = 110, 700, 900, 1110  # where columns begin, or end if they hold numbers
TITLE, TEXT, SMALL = 40, 24, 20  # pixels
TEXTS = [  # left, top, height, text
    (LEFT, 100, TITLE, "Brook & Fell Joinery Ltd"),
    (LEFT, 160, SMALL, "4 Tannery Lane, Otterby OT5 1ZZ"),
    (LEFT, 190, SMALL, "VAT No: GB 000 4711 42"),
    (LEFT, 320, TEXT, "Harbour Street Books"),
    (LEFT, 355, TEXT, "12 Harbour Street"),
    (LEFT, 390, TEXT, "Otterby OT1 9XX"),
    (LEFT, 500, TITLE, "INVOICE"),
    (LEFT, 580, TEXT, "Invoice number:"),
    (340, 580, TEXT, "BF-2024-0371"),
    (LEFT, 620, TEXT, "Invoice date:"),
    (340, 620, TEXT, "17 September 2024"),
    (LEFT, 660, TEXT, "Due date:"),
    (340, 660, TEXT, "17 October 2024"),
    (LEFT, 780, TEXT, "Description"),
    (LEFT, 1420, SMALL, "Please pay within 30 days, quoting the invoice number."),
    (LEFT, 1450, SMALL, "Thank you for your order."),
]
NUMBERS = [  # right, top, text
    (QUANTITY, 780, "Quantity"),
    (PRICE, 780, "Unit price"),
    (AMOUNT, 780, "Amount GBP"),
    (QUANTITY, 840, "6"),
    (PRICE, 840, "146.00"),
    (AMOUNT, 840, "876.00"),
    (QUANTITY, 885, "1"),
    (PRICE, 885, "350.00"),
    (AMOUNT, 885, "350.00"),
    (QUANTITY, 930, "4"),
    (PRICE, 930, "45.00"),
    (AMOUNT, 930, "180.00"),
    (PRICE, 1030, "Net total"),
    (AMOUNT, 1030, "1,406.00"),
    (PRICE, 1075, "VAT 20%"),
    (AMOUNT, 1075, "281.20"),
    (PRICE, 1120, "Total GBP"),
    (AMOUNT, 1120, "1,687.20"),
    (PRICE, 1165, "Amount due"),
    (AMOUNT, 1165, "1,687.20"),
]


def main() -> None:
    draw_scan(Path(__file__).parent / "invoices" / NAME)


def draw_scan(target: Path) -> None:
    page = Image.new("L", (WIDTH, HEIGHT), 250)
    pen = ImageDraw.Draw(page)
    fonts = {size: ImageFont.load_default(size) for size in (TITLE, TEXT, SMALL)}
    descriptions = [str(line["description"]) for line in VALUES["line_items"]]  # type: ignore[attr-defined]
    for left, top, size, text in [*TEXTS, *((LEFT, 840 + 45 * row, TEXT, one) for row, one in enumerate(descriptions))]:
        pen.text((left, top), text, fill=40, font=fonts[size])
    for right, top, text in NUMBERS:
        pen.text((right, top), text, fill=40, font=fonts[TEXT], anchor="ra")
    for top in (770, 820, 1010):
        pen.line((LEFT, top, AMOUNT, top), fill=90, width=2)
    turned = page.rotate(TURN_DEGREES, Image.Resampling.BICUBIC, fillcolor=235).filter(ImageFilter.GaussianBlur(0.7))
    noise = random.Random(SEED).randbytes(WIDTH * HEIGHT)  # noqa: S311
    grain = Image.frombytes("L", page.size, noise).filter(ImageFilter.GaussianBlur(0.6))
    Image.blend(turned, grain, 0.12).save(target, "JPEG", quality=55, dpi=(DPI, DPI))


if __name__ == "__main__":
    main()
