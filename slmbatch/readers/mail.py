"""Mails of either format as one text: headers and body, then the attachments that can be read, as further pages."""

from __future__ import annotations

from collections.abc import Iterator

from slmbatch.readers.contents import READ_ALONE, read_content
from slmbatch.readers.eml import read_eml
from slmbatch.readers.message import Attachment, Mail
from slmbatch.readers.msg import read_msg
from slmbatch.readers.sources import MAILS, Content, Reading, Unreadable, clip, gather, numbered

MAX_DEPTH = 5  # mails in mails; deeper ones are loops of bounces or made to do harm
TOO_DEEP = "mails in mails are not read any deeper"


def open_mail(content: Content, kind: str) -> Mail:
    """Read a mail of kind `mail` (eml) or `msg`. Raises Unreadable and OSError."""
    return read_msg(content) if kind == "msg" else read_eml(content)


def read_mail(content: Content, kind: str = "mail") -> Reading:
    """Read a mail: one page of headers and body, then pages of attachments. Raises OSError."""
    try:
        return gather(numbered(_texts(open_mail(content, kind), depth=1)), "the mail has no text that can be read")
    except Unreadable as error:
        return Reading(problem=str(error))


def read_alone(mail: Mail, passed_over: list[Attachment]) -> Reading:
    """Make a mail's own document, with a note for each of the attachments that no document is made of."""
    notes = [*([mail.note] if mail.note else []), *(_note(one) for one in passed_over)]
    return gather(numbered([(mail.text, None), *(("", note) for note in notes)]), "the mail is empty")


def read_attachment(attachment: Attachment) -> Reading:
    """Read what came with a mail, unless that is a mail or an archive. Raises OSError."""
    if attachment.problem is not None or attachment.kind not in READ_ALONE:
        return Reading(problem=attachment.problem or f"{attachment.type} can't be read")
    if isinstance(attachment.content, bytes):
        return read_content(attachment.content, attachment.kind, "utf-8")
    assert isinstance(attachment.content, str), "a mail is no content of its own"
    return clip(attachment.content)


def _texts(mail: Mail, *, depth: int) -> Iterator[tuple[str, str | None]]:
    """Yield the text of each page to be, and a note where there is none."""
    yield mail.text, None
    if mail.note:
        yield "", mail.note
    for attachment in mail.attachments:
        for number, (text, note) in enumerate(_attached(attachment, depth=depth)):
            title = f"[attachment: {attachment.name}]\n" if not number and note is None else ""
            yield title + text, note and f"attachment {attachment.name}: {note}"


def _attached(attachment: Attachment, *, depth: int) -> Iterator[tuple[str, str | None]]:
    if attachment.kind in MAILS and attachment.problem is None:
        if depth == MAX_DEPTH:
            yield "", TOO_DEEP
            return
        try:
            yield from _texts(opened(attachment), depth=depth + 1)
        except Unreadable as error:
            yield "", str(error)
        return
    if attachment.kind == "zip":
        yield "", "archives are read with --attachments apart only"
        return
    reading = read_attachment(attachment)
    if reading.problem is not None:
        yield "", reading.problem
    else:
        yield from ((page.text, page.note) for page in reading.pages)


def opened(attachment: Attachment) -> Mail:
    """Return the mail that was attached to another. Raises Unreadable."""
    if isinstance(attachment.content, Mail):
        return attachment.content
    assert attachment.kind is not None
    assert isinstance(attachment.content, bytes), "texts are no mails"
    return open_mail(attachment.content, attachment.kind)


def _note(attachment: Attachment) -> str:
    problem = attachment.problem or f"{attachment.type} can't be read"
    return f"attachment {attachment.name}: {problem}"
