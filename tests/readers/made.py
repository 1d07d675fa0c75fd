"""Real files for the tests, small enough to write by hand."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path

import docx
from aspose.email_foss.msg import MapiMessage, PropertyId
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader, PdfWriter


def text_pdf(pages: Sequence[str]) -> bytes:
    """Write a PDF with one line of text on each page; an empty string makes a page without text."""
    return placed_pdf([[(72, 720, text)] if text else [] for text in pages])


def placed_pdf(pages: Sequence[Sequence[tuple[float, float, str]]]) -> bytes:
    """Write a PDF with texts at places: points from the left and from the bottom. They are 12 points high."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, texts in enumerate(pages):
        page = f"/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R {page} >>")
        drawing = "\n".join(f"BT /F1 12 Tf {left} {up} Td ({text}) Tj ET" for left, up, text in texts)
        objects.append(f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream")
    return objects_pdf([body.encode("latin-1") for body in objects])


def objects_pdf(objects: Sequence[bytes]) -> bytes:
    """Write a PDF of these objects, of which the first is the catalogue."""
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


def locked_pdf(password: str) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(text_pdf(["secret"])))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def scanned_pdf(count: int = 1, text: str = "Invoice 7") -> bytes:
    pages = [Image.new("L", (300, 400), 255) for _ in range(count)]
    for page in pages:
        ImageDraw.Draw(page).text((20, 20), text, fill=0, font=ImageFont.load_default(30))
    out = io.BytesIO()
    pages[0].save(out, format="PDF", save_all=True, append_images=pages[1:])
    return out.getvalue()


def picture() -> bytes:
    page, out = Image.new("L", (300, 100), 255), io.BytesIO()
    ImageDraw.Draw(page).text((20, 20), "Invoice 7", fill=0, font=ImageFont.load_default(30))
    page.save(out, format="PNG")
    return out.getvalue()


def stamped_pdf(stamp: str) -> bytes:
    """Write a scan with a text over it, such as scanners, archives and poor OCRs leave."""
    page = PdfWriter(clone_from=io.BytesIO(scanned_pdf()))
    page.pages[0].merge_page(PdfReader(io.BytesIO(placed_pdf([[(20, 100, stamp)]]))).pages[0])
    out = io.BytesIO()
    page.write(out)
    return out.getvalue()


def mail(body: str = "Hello Bob") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ann <ann@example.com>"
    message["To"] = "bob@example.com"
    message["Subject"] = "Grüße"
    message["Date"] = "Mon, 2 Mar 2026 10:00:00 +0100"
    message.set_content(body)
    return message


def write(folder: Path, **files: bytes) -> Path:
    """Write files named by keyword, a_b_txt meaning a/b.txt."""
    for name, data in files.items():
        *folders, stem, suffix = name.split("_")
        path = folder.joinpath(*folders, f"{stem}.{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def pdf_with(files: dict[str, bytes], pages: Sequence[str]) -> bytes:
    """Write a PDF as `text_pdf` does, with files attached."""
    writer = PdfWriter(clone_from=io.BytesIO(text_pdf(pages)))
    for name, content in files.items():
        writer.add_attachment(name, content)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def outlook(subject: str = "Grüße", body: str = "Hello Bob") -> MapiMessage:
    """Make an Outlook mail that never was on the internet, with the sender and recipient of `mail`."""
    message = MapiMessage.create(subject, body)
    message.set_property(PropertyId.SENDER_NAME, "Ann")
    message.set_property(PropertyId.SENDER_EMAIL_ADDRESS, "ann@example.com")
    message.set_property(PropertyId.MESSAGE_DELIVERY_TIME, dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC))
    message.add_recipient("bob@example.com")
    return message


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def word(*paragraphs: str) -> bytes:
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
