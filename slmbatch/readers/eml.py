"""Mails to text: the headers a reader looks at, the body, then the attachments that can be read themselves."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email import policy
from email.message import MIMEPart
from pathlib import Path, PurePosixPath

from slmbatch.readers.html import html_text
from slmbatch.readers.pdf import read_pdf
from slmbatch.readers.sources import KINDS, MAX_CHARS, Reading
from slmbatch.readers.texts import decode
from slmbatch.types import Page

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_KINDS_BY_TYPE = {"application/pdf": "pdf", "text/html": "html", "message/rfc822": "mail"}
_READABLE = frozenset({"pdf", "html", "mail", "text", "csv", "jsonl"})
_MAX_DEPTH = 5  # mails in mails; deeper ones are loops of bounces or made to do harm

# The parser accepts nearly any bytes and fails later, when a broken header, charset or structure is asked for. With
# what, the documentation leaves open. LookupError stands for unknown charsets too, ValueError for all of Unicode.
_MALFORMED = (LookupError, ValueError, TypeError, AttributeError, RecursionError, email.errors.MessageError)


def read_mail(path: Path) -> Reading:
    """Read a mail: one page of headers and body, then pages of attachments. Raises OSError."""
    with path.open("rb") as stream:
        try:
            message = email.message_from_binary_file(stream, policy=policy.default)
            return _gather(_pieces(message, depth=1))
        except _MALFORMED as error:
            return Reading(problem=f"the mail is malformed ({error})")


def _gather(pieces: Iterator[tuple[str, str | None]]) -> Reading:
    """Number the pages, up to MAX_CHARS."""
    pages: list[Page] = []
    room = MAX_CHARS
    for number, (text, note) in enumerate(pieces, 1):
        pages.append(Page(number, text[:room], note))
        if len(text) > room:
            return Reading(tuple(pages), cut=True)
        room -= len(text)
    if not any(page.text for page in pages):
        return Reading(tuple(pages), "the mail has no text that can be read")
    return Reading(tuple(pages))


def _pieces(message: MIMEPart, *, depth: int) -> Iterator[tuple[str, str | None]]:
    """Yield the text of each page to be, and a note where there is none."""
    body = _body(message)
    lines = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    yield "\n".join([*lines, "", _part_text(body) if body is not None else ""]).strip(), None
    for part, alternative in _leaves(message):
        if part is body or (alternative and not part.is_attachment()):
            continue
        yield from _attachment(part, depth=depth)


def _attachment(part: MIMEPart, *, depth: int) -> Iterator[tuple[str, str | None]]:
    kind = part.get_content_type()
    try:
        name = part.get_filename() or kind
        readings = list(_part_pieces(part, name, depth=depth))
    except _MALFORMED as error:
        yield "", f"attachment {kind}: can't be read ({error})"
        return
    first, note = readings[0]
    if note is None:
        readings[0] = f"[attachment: {name}]\n{first}", None
    yield from ((text, note and f"attachment {name}: {note}") for text, note in readings)


def _part_pieces(part: MIMEPart, name: str, *, depth: int) -> Iterator[tuple[str, str | None]]:
    kind = _kind(part, name)
    if kind not in _READABLE:
        yield "", f"{part.get_content_type()} can't be read"
    elif kind == "mail" and depth == _MAX_DEPTH:
        yield "", "mails in mails are not read any deeper"
    elif kind == "mail":
        yield from _pieces(_inner(part), depth=depth + 1)
    elif kind == "pdf":
        reading = read_pdf(_bytes(part))
        if reading.problem is not None:
            yield "", reading.problem
        else:
            yield from ((page.text, page.note) for page in reading.pages)
    else:
        text = _part_text(part, html=kind == "html")
        yield (text, None) if text else ("", "the text is empty")


def _kind(part: MIMEPart, name: str) -> str | None:
    """Tell an attachment's kind by its type, or by its name where the sender's program knew no better."""
    mime = part.get_content_type()
    if mime in _KINDS_BY_TYPE:
        return _KINDS_BY_TYPE[mime]
    return KINDS.get(PurePosixPath(name).suffix.lower()) or ("text" if mime.startswith("text/") else None)


def _inner(part: MIMEPart) -> MIMEPart:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0)
        if isinstance(inner, MIMEPart):
            return inner
    return email.message_from_bytes(_bytes(part), policy=policy.default)


def _leaves(part: MIMEPart, *, alternative: bool = False) -> Iterator[tuple[MIMEPart, bool]]:
    """Yield the parts that hold something, and whether each is one of several forms of the same."""
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        yield part, alternative
        return
    alternative = alternative or part.get_content_subtype() == "alternative"
    for inner in part.iter_parts():
        yield from _leaves(inner, alternative=alternative)


def _body(message: MIMEPart) -> MIMEPart | None:
    """Find the plain body, or the HTML body where there is no plain one or an empty one."""
    try:
        plain = message.get_body(("plain",))
        html = message.get_body(("html",))
    except _MALFORMED:
        plain, html = None, None
    return plain if plain is not None and (html is None or _part_text(plain)) else html


def _part_text(part: MIMEPart, *, html: bool | None = None) -> str:
    try:
        content = part.get_content()
        text = content if isinstance(content, str) else decode(_bytes(part), "utf-8")
    except _MALFORMED:  # an unknown charset, or none and not UTF-8: Latin letters are the likeliest
        text = _bytes(part).decode("cp1252", "replace")
    if html or (html is None and part.get_content_type() == "text/html"):
        return html_text(text)
    return text.replace("\0", "").replace("\r\n", "\n").strip()


def _bytes(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _header(message: MIMEPart, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except _MALFORMED:
        raw = (value for key, value in message.raw_items() if key.lower() == name.lower())
        return " ".join(str(next(raw, "")).encode("utf-8", "replace").decode().split())
