from email.message import EmailMessage
from pathlib import Path

import pytest

from slmbatch.readers.mail import read_mail
from slmbatch.readers.sources import Reading

from .made import mail, picture, scanned_pdf, text_pdf

HEAD = "From: Ann <ann@example.com>\nTo: bob@example.com\nDate: Mon, 02 Mar 2026 10:00:00 +0100\nSubject: Grüße\n\n"


def reading(tmp_path: Path, message: EmailMessage | bytes) -> Reading:
    path = tmp_path / "a.eml"
    path.write_bytes(message if isinstance(message, bytes) else message.as_bytes())
    return read_mail(path)


def texts(tmp_path: Path, message: EmailMessage | bytes) -> list[str]:
    return [page.note or page.text for page in reading(tmp_path, message).pages]


def test_headers_then_a_blank_line_then_the_body(tmp_path: Path) -> None:
    assert texts(tmp_path, mail("Hello\nBob")) == [HEAD + "Hello\nBob"]


def test_the_plain_body_is_preferred_and_its_html_form_left_out(tmp_path: Path) -> None:
    message = mail()
    message.add_alternative("<p>Hello <b>HTML</b></p>", subtype="html")
    assert texts(tmp_path, message) == [HEAD + "Hello Bob"]


@pytest.mark.parametrize("plain", [" \n", None])
def test_html_is_the_body_where_the_plain_one_is_empty_or_missing(tmp_path: Path, plain: str | None) -> None:
    message = mail(plain or "")
    if plain is None:
        message.set_content("<p>Hello</p><p>HTML</p>", subtype="html")
    else:
        message.add_alternative("<p>Hello</p><p>HTML</p>", subtype="html")
    assert texts(tmp_path, message) == [HEAD + "Hello\nHTML"]


def test_attachments_that_can_be_read_are_further_pages(tmp_path: Path) -> None:
    message = mail()
    message.add_attachment(text_pdf(["one", "two"]), maintype="application", subtype="pdf", filename="bill.pdf")
    message.add_attachment(text_pdf(["three"]), maintype="application", subtype="octet-stream", filename="more.PDF")
    message.add_attachment("a note", filename="note.txt")
    message.add_attachment("<p>page</p>", subtype="html", filename="page.html")
    message.add_attachment(mail("inner"), filename="inner.eml")
    pages = reading(tmp_path, message).pages
    assert [page.number for page in pages] == [1, 2, 3, 4, 5, 6, 7]
    assert [page.text for page in pages[1:]] == [
        "[attachment: bill.pdf]\none",
        "two",
        "[attachment: more.PDF]\nthree",
        "[attachment: note.txt]\na note",
        "[attachment: page.html]\npage",
        f"[attachment: inner.eml]\n{HEAD}inner",
    ]


def test_attachments_that_cannot_be_read_leave_a_note(tmp_path: Path) -> None:
    message = mail()
    message.add_attachment(b"PK", maintype="application", subtype="zip", filename="a.zip")
    message.add_attachment(b"no", maintype="application", subtype="pdf", filename="b.pdf")
    message.add_attachment(scanned_pdf(), maintype="application", subtype="pdf", filename="c.pdf")
    message.add_attachment(text_pdf([""]), maintype="application", subtype="pdf", filename="d.pdf")
    pages = reading(tmp_path, message).pages[1:]
    assert [page.text for page in pages] == ["", "", "[attachment: c.pdf]\nInvoice 7", ""]
    assert [page.note for page in pages] == [
        "attachment a.zip: archives are read with --attachments apart only",
        "attachment b.pdf: not a PDF: the file doesn't start as one",
        None,
        "attachment d.pdf: the only page: nothing is on it",
    ]


def test_an_image_is_read_unless_it_is_a_logo_in_the_body(tmp_path: Path) -> None:
    message = mail()
    for name, how in (("bill.png", {}), ("logo.png", {"disposition": "inline", "cid": "<logo>"})):
        message.add_attachment(picture(), maintype="image", subtype="png", filename=name, **how)
    pages = reading(tmp_path, message).pages[1:]
    assert [(page.text, page.note) for page in pages] == [
        ("[attachment: bill.png]\nInvoice 7", None),
        ("", "attachment logo.png: image/png can't be read"),
    ]


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-8", ""])
def test_broken_charsets_do_not_crash(tmp_path: Path, charset: str) -> None:
    head = f"Subject: =?{charset or 'x'}?q?Gr=FC=DFe?=\nContent-Type: text/plain; charset={charset}\n\n"
    reading_ = reading(tmp_path, head.encode() + "Grüße".encode("cp1252"))
    assert reading_.problem is None
    assert "Gr" in reading_.pages[0].text


@pytest.mark.parametrize(
    "data",
    [
        b"From: =?utf-8?b?////?=\nTo: <<<>>>,,\nDate: not a date\n\nbody",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=y\n\n--y",
        b"Content-Type: multipart/mixed\n\nno boundary",
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n!!!!",
        b"Content-Type: a/b/c; name*0*=x''%ff; charset*=y\n\nbody",
        b"\xff\xfe\x00\x01",
        b"Date: Mon, 02 Mar 2026 09:4294967296:00 +0000\n\nbody",
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(2000)) + b"\nend",
    ],
)
def test_malformed_mails_do_not_crash(tmp_path: Path, data: bytes) -> None:
    found = reading(tmp_path, data)
    assert found.pages or found.problem


def test_mails_in_mails_end(tmp_path: Path) -> None:
    message = mail("innermost")
    for _ in range(9):
        outer = mail("outer")
        outer.add_attachment(message, filename="inner.eml")
        message = outer
    found = reading(tmp_path, message)
    assert len(found.pages) == 6
    assert "not read any deeper" in (found.pages[-1].note or "")
