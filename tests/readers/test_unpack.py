from email.message import EmailMessage
from pathlib import Path

import pytest

from slmbatch.readers import ReadOptions, count_rows, find, unpack
from slmbatch.readers.unpack import Piece

from .made import mail, outlook, text_pdf, word, zipped

APART = ReadOptions(attachments="apart")


def pieces(message: EmailMessage) -> list[Piece]:
    return list(unpack.unpack(message.as_bytes(), "mail", APART))


def attach(message: EmailMessage, name: str, data: bytes) -> None:
    message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)


def told(found: list[Piece]) -> list[tuple[str, str | None, str]]:
    return [
        (one.name, one.parent, one.reading.problem or "|".join(page.note or page.text for page in one.reading.pages))
        for one in found
    ]


def test_each_attachment_is_a_document_of_its_mail() -> None:
    inner = mail("inner")
    attach(inner, "bill.pdf", text_pdf(["two"]))
    message = mail()
    attach(message, "bill.pdf", text_pdf(["one", "more"]))
    attach(message, "../bill.pdf", text_pdf(["other"]))
    attach(message, "logo.xyz", b"?")
    message.add_attachment(inner, filename="inner.eml")
    attach(message, "old.msg", outlook(body="old").to_bytes())
    attach(message, "letter.docx", word("Dear Bob"))
    message.add_attachment("Grüße", filename="note.txt", charset="cp1252")
    found = told(pieces(message))
    head = found[0][2].split("Hello Bob")[0]
    assert found == [
        ("", None, f"{head}Hello Bob|attachment logo.xyz: application/octet-stream can't be read"),
        ("bill.pdf", "", "one|more"),
        ("bill~2.pdf", "", "other"),
        ("inner.eml", "", f"{head}inner"),
        ("inner.eml/bill.pdf", "inner.eml", "two"),
        ("old.msg", "", head.replace("10:00:00 +0100", "10:00:00 +0000") + "old"),
        ("letter.docx", "", "Dear Bob"),
        ("note.txt", "", "Grüße"),
    ]


def test_attachments_that_cannot_be_read_are_rows_that_say_why() -> None:
    message = mail()
    attach(message, "blank.pdf", text_pdf([""]))
    attach(message, "rows.parquet", b"PAR1")
    attach(message, "a.zip", zipped({"one.txt": b"one", "b.zip": zipped({"c.zip": zipped({"d.txt": b"d"})})}))
    attach(message, "broken.zip", b"hello")
    found = told(pieces(message))[1:]
    assert [name for name, _, _ in found] == [
        "blank.pdf",
        "rows.parquet",
        "a.zip/b.zip/c.zip",
        "a.zip/one.txt",
        "broken.zip",
    ]
    assert {parent for _, parent, _ in found} == {""}
    assert "nothing is on it" in found[0][2]
    assert "a table inside an archive or a mail" in found[1][2]
    assert "not read any deeper" in found[2][2]
    assert "not a zip archive" in found[4][2]


def test_mails_in_mails_end() -> None:
    message = mail("innermost")
    for _ in range(9):
        outer = mail("outer")
        outer.add_attachment(message, filename="inner.eml")
        message = outer
    found = pieces(message)
    assert len(found) == 6
    assert found[-1].reading.problem == "mails in mails are not read any deeper"


def test_too_many_documents_in_one_mail_end_in_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_DOCUMENTS", 3)
    message = mail()
    for number in range(9):
        attach(message, f"{number}.txt", b"x")
    found = pieces(message)
    assert [one.name for one in found] == ["", "0.txt", "1.txt", "2.txt"]
    assert "give the rest as input" in (found[-1].reading.problem or "")


def test_a_mail_alone_is_one_document_without_parent(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(mail().as_bytes())
    found = find([str(path)])
    assert count_rows(found, ReadOptions()) == 1
    assert count_rows(found, APART) is None
    (piece,) = unpack.unpack(path, "mail", APART)
    assert (piece.name, piece.parent) == ("", None)
    assert piece.reading.pages[0].text.endswith("Hello Bob")
