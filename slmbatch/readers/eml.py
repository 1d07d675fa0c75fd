"""Internet mails (eml) to records: whatever is wrong with one, as much is read as can be."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email import policy
from email.message import MIMEPart

from slmbatch.readers.html import html_text
from slmbatch.readers.message import HEADERS, TEXTS, Attachment, Mail, kind_of
from slmbatch.readers.sources import Content, Unreadable, stream_of
from slmbatch.readers.texts import decode

# The parser accepts nearly any bytes and fails later, when a broken header, charset or structure is asked for. With
# what, the documentation leaves open. LookupError stands for unknown charsets too, ValueError for all of Unicode.
_MALFORMED = (
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    email.errors.MessageError,
)


def read_eml(content: Content) -> Mail:
    """Read a mail and the mails attached to it. Raises OSError, and Unreadable for what has no structure at all."""
    with stream_of(content) as stream:
        try:
            return _mail(email.message_from_binary_file(stream, policy=policy.default))
        except _MALFORMED as error:
            raise Unreadable(f"the mail is malformed ({error})") from error


def headers(message: MIMEPart) -> dict[str, str]:
    """Read those of HEADERS that a mail has."""
    return {name: value for name in HEADERS if (value := _header(message, name))}


def _mail(message: MIMEPart) -> Mail:
    body = _body(message)
    attachments = tuple(
        _attachment(part)
        for part, alternative in _leaves(message)
        if part is not body and (part.is_attachment() or not alternative)
    )
    return Mail(headers(message), _part_text(body) if body is not None else "", attachments)


def _attachment(part: MIMEPart) -> Attachment:
    mime = part.get_content_type()
    try:
        name = part.get_filename() or mime
        kind = kind_of(name, mime, shown="Content-ID" in part and not part.is_attachment())
        if mime == "message/rfc822" and isinstance(inner := part.get_payload(0), MIMEPart):
            return Attachment(name, kind, mime, _mail(inner))
        if kind in TEXTS:
            return Attachment(name, kind, mime, _part_text(part, html=kind == "html"))
        return Attachment(name, kind, mime, _bytes(part))
    except _MALFORMED as error:
        return Attachment(mime, None, mime, problem=f"can't be read ({error})")


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
