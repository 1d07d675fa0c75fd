from pathlib import Path

import pytest
from aspose.email_foss.msg import CommonMessagePropertyId, MapiMessage, MsgWriter, PropertyId, PropertyTypeCode

from slmbatch.readers.mail import read_mail
from slmbatch.readers.message import Mail
from slmbatch.readers.msg import read_msg
from slmbatch.readers.sources import Unreadable

from .made import mail, outlook, text_pdf

HEAD = "From: Ann <ann@example.com>\nTo: bob@example.com\nDate: Mon, 02 Mar 2026 10:00:00 +0000\nSubject: Grüße\n\n"


def texts(message: MapiMessage) -> list[str]:
    return [page.note or page.text for page in read_mail(message.to_bytes(), "msg").pages]


def test_a_mail_is_read_as_the_same_mail_in_eml_is(tmp_path: Path) -> None:
    message = mail("Hello Bob")
    message.replace_header("Date", "Mon, 02 Mar 2026 09:00:00 +0000")
    message.add_attachment(text_pdf(["one", "two"]), maintype="application", subtype="pdf", filename="bill.pdf")
    path = tmp_path / "a.msg"
    path.write_bytes(MapiMessage.from_email_message(message).to_bytes())
    assert read_mail(path, "msg") == read_mail(message.as_bytes())


def test_headers_are_made_of_properties_where_outlook_kept_none() -> None:
    message = outlook(body="Hello\r\nBob")
    message.add_recipient("/o=Exchange/cn=Carl", display_name="Carl", recipient_type=2)
    assert texts(message) == [HEAD.replace("\nDate", "\nCc: Carl\nDate") + "Hello\nBob"]


def test_attachments_and_attached_mails_are_further_pages() -> None:
    message = outlook()
    message.add_attachment("note.txt", "Grüße".encode("cp1252"), mime_type="text/plain")
    message.add_attachment("page.html", b"<p>page</p>", mime_type="text/html")
    message.add_attachment("logo", b"?")
    inner = outlook(body="inner")
    inner.add_attachment("bill.pdf", text_pdf(["one"]))
    message.add_embedded_message_attachment(inner, filename="inner.msg")
    assert texts(message)[1:] == [
        "[attachment: note.txt]\nGrüße",
        "[attachment: page.html]\npage",
        "attachment logo: application/octet-stream can't be read",
        f"[attachment: inner.msg]\n{HEAD}Hello".replace("Hello", "inner"),
        "[attachment: bill.pdf]\none",
    ]


@pytest.mark.parametrize("header", [24, 32])
def test_an_attached_mail_is_read_as_specified_and_as_some_programs_write_it(header: int) -> None:
    message = outlook()
    message.add_embedded_message_attachment(outlook(body="inner"), filename="inner.msg")
    document = message.to_msg_document()
    attachment = document.root.find_storage("__attach_version1.0_#00000000")
    properties = attachment.find_storage("__substg1.0_3701000D").find_stream("__properties_version1.0")
    properties.data = properties.data[:header] + properties.data[32:]
    (attached,) = read_msg(MsgWriter.to_bytes(document)).attachments
    assert isinstance(attached.content, Mail)
    assert attached.content.text == HEAD + "inner"


def test_half_an_entry_at_the_end_of_the_properties_is_passed_over() -> None:
    document = outlook().to_msg_document()
    document.root.find_stream("__properties_version1.0").data += b"\0" * 4
    assert read_msg(MsgWriter.to_bytes(document)).text == HEAD + "Hello Bob"


def test_html_is_read_in_its_code_page_where_there_is_no_plain_body() -> None:
    message = outlook(body="")
    html = "<p>Привет</p>".encode("cp1251")
    message.set_property(CommonMessagePropertyId.BODY_HTML, PropertyTypeCode.PTYP_BINARY, html)
    message.set_property(0x3FDE, PropertyTypeCode.PTYP_INTEGER32, 1251)
    assert texts(message) == [HEAD + "Привет"]


def test_texts_of_before_unicode_are_read_in_their_code_page() -> None:
    message = MapiMessage.create("?", "?", unicode_strings=False)
    message.set_property(PropertyId.SUBJECT, PropertyTypeCode.PTYP_STRING8, "Привет".encode("cp1251"))
    message.set_property(0x3FFD, PropertyTypeCode.PTYP_INTEGER32, 1251)
    assert read_msg(message.to_bytes()).headers["Subject"] == "Привет"


def test_a_body_in_rich_text_only_is_noted() -> None:
    message = outlook(body="")
    message.set_property(0x1009, PropertyTypeCode.PTYP_BINARY, b"compressed")
    assert texts(message)[0] == HEAD.strip()
    assert "rich text (RTF) only" in texts(message)[1]


@pytest.mark.parametrize("end", [0, 4, 100, 600, 2000, 4000])
def test_damaged_files_do_not_crash(end: int) -> None:
    with pytest.raises(Unreadable):
        read_msg(outlook().to_bytes()[:end])
