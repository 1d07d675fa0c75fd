"""Outlook's mails (msg) to records: MAPI properties in the streams of a compound file, as [MS-OXMSG] lays them out.

The text is that of the same mail as eml: its internet headers are taken where Outlook kept them.
"""

from __future__ import annotations

import codecs
import datetime as dt
import struct
from email import policy
from email.parser import HeaderParser
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from slmbatch.readers.eml import headers
from slmbatch.readers.html import html_text
from slmbatch.readers.message import HEADERS, TEXTS, Attachment, Mail, kind_of
from slmbatch.readers.sources import Content, Unreadable
from slmbatch.readers.texts import lenient

if TYPE_CHECKING:
    from olefile import OleFileIO

# [MS-OXPROPS]: the properties' numbers
_SUBJECT, _BODY, _HTML, _RTF, _TRANSPORT_HEADERS = 0x0037, 0x1000, 0x1013, 0x1009, 0x007D
_SENDER_NAME, _SENDER_ADDRESS, _SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
_SENT, _DELIVERED, _CODEPAGE, _INTERNET_CODEPAGE = 0x0039, 0x0E06, 0x3FFD, 0x3FDE
_NAME, _ADDRESS, _SMTP, _RECIPIENT_TYPE = 0x3001, 0x3003, 0x39FE, 0x0C15
_LONG_FILENAME, _FILENAME, _DATA, _MIME, _METHOD = 0x3707, 0x3704, 0x3701, 0x370E, 0x3705
_HIDDEN = 0x7FFE  # from the list of attachments: shown in the body
_TO, _CC, _EMBEDDED = 1, 2, 5  # types of recipients; the method of attaching a whole mail
_EPOCH = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
_ROOT_HEADER, _MAIL_HEADER, _OTHER_HEADER = 32, 24, 8  # bytes before a storage's list of properties
_ENTRY_BYTES = 16
_RTF_ONLY = "the mail's body is Outlook's rich text (RTF) only, which isn't read; save the mail as HTML or eml"
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, struct.error)


def read_msg(content: Content) -> Mail:
    """Read a mail and the mails attached to it. Raises OSError, and Unreadable for what isn't one."""
    import olefile

    data = content.read_bytes() if isinstance(content, Path) else content
    if not data.startswith(olefile.MAGIC):
        raise Unreadable("not an Outlook mail, although its name ends in .msg")
    try:
        with olefile.OleFileIO(data) as ole:
            return _mail(_Storage(ole, "", _ROOT_HEADER))
    except _DAMAGED as error:  # olefile's own errors are OSErrors
        raise Unreadable(f"the Outlook mail is damaged ({error})") from error


class _Storage:
    """A folder of a compound file with the properties of one thing: a mail, a recipient, an attachment."""

    def __init__(self, ole: OleFileIO, path: str, header: int, *, codepage: str = "cp1252") -> None:
        self._ole = ole
        self._path = path
        listed = self._stream("__properties_version1.0")
        if header == _MAIL_HEADER and len(listed) % _ENTRY_BYTES == 0:  # some programs write a whole file's there
            header = _ROOT_HEADER
        listed = listed[header:]
        whole = len(listed) - len(listed) % _ENTRY_BYTES  # Outlook itself leaves ends that are no whole entry
        self._inline = {number: value for _, number, _, value in struct.iter_unpack("<HHI8s", listed[:whole])}
        number = self.integer(_CODEPAGE)
        self.codepage = _codec(number) if number else codepage

    def text(self, *numbers: int) -> str:
        """Return the first of these properties that is there and has a text."""
        for number in numbers:
            if data := self._value(number, 0x001F):
                return data.decode("utf-16-le", "replace").rstrip("\0")
            if data := self._value(number, 0x001E):
                return data.decode(self.codepage, "replace").rstrip("\0")
        return ""

    def binary(self, number: int) -> bytes:
        return self._value(number, 0x0102)

    def integer(self, number: int) -> int:
        """Return a property that stands in the list itself, 0 without it."""
        return int.from_bytes(self._inline.get(number, b"")[:4], "little")

    def time(self, *numbers: int) -> dt.datetime | None:
        """Return the first of these times that is there."""
        for number in numbers:
            if value := int.from_bytes(self._inline.get(number, b""), "little"):
                return _EPOCH + dt.timedelta(microseconds=value // 10)
        return None

    def mail_inside(self) -> _Storage:
        return _Storage(self._ole, f"{self._path}__substg1.0_3701000D/", _MAIL_HEADER, codepage=self.codepage)

    def each(self, kind: str) -> list[_Storage]:
        """Return the recipients (`recip`) or attachments (`attach`), in their order."""
        depth = self._path.count("/")
        inside = (path for path in self._ole.listdir(streams=False, storages=True) if len(path) == depth + 1)
        here = ("/".join(path) for path in inside if "/".join(path[:depth]) == self._path.rstrip("/"))
        wanted = sorted(path for path in here if path[len(self._path) :].startswith(f"__{kind}_version1.0_#"))
        return [_Storage(self._ole, f"{path}/", _OTHER_HEADER, codepage=self.codepage) for path in wanted]

    def _value(self, number: int, type_: int) -> bytes:
        return self._stream(f"__substg1.0_{number:04X}{type_:04X}")

    def _stream(self, name: str) -> bytes:
        path = f"{self._path}{name}"
        if not self._ole.exists(path):
            return b""
        data: bytes = self._ole.openstream(path).read()
        return data


def _mail(storage: _Storage) -> Mail:
    kept = headers(HeaderParser(policy=policy.default).parsestr(storage.text(_TRANSPORT_HEADERS)))
    told = kept if "From" in kept else _told(storage) | kept
    body = storage.text(_BODY).replace("\r\n", "\n").strip() or html_text(_html(storage))
    note = _RTF_ONLY if not body and storage.binary(_RTF) else None
    attachments = tuple(_attachment(one, number) for number, one in enumerate(storage.each("attach"), 1))
    return Mail({name: told[name] for name in HEADERS if told.get(name)}, body, attachments, note)


def _told(storage: _Storage) -> dict[str, str]:
    """Make headers of properties, for mails that never were on the internet."""
    sent = storage.time(_SENT, _DELIVERED)
    recipients = storage.each("recip")
    return {
        "From": _person(storage.text(_SENDER_NAME), storage.text(_SENDER_SMTP, _SENDER_ADDRESS)),
        "To": ", ".join(_recipient(one) for one in recipients if one.integer(_RECIPIENT_TYPE) == _TO),
        "Cc": ", ".join(_recipient(one) for one in recipients if one.integer(_RECIPIENT_TYPE) == _CC),
        "Date": format_datetime(sent) if sent else "",
        "Subject": " ".join(storage.text(_SUBJECT).split()),
    }


def _recipient(storage: _Storage) -> str:
    return _person(storage.text(_NAME), storage.text(_SMTP, _ADDRESS))


def _person(name: str, address: str) -> str:
    """Write a name and a mail address; an Exchange server's own kind of address says nothing to a reader."""
    if "@" not in address:
        return name or address
    return f"{name} <{address}>" if name and name != address else address


def _html(storage: _Storage) -> str:
    data = storage.binary(_HTML)
    return data.decode(_codec(storage.integer(_INTERNET_CODEPAGE)), "replace") if data else storage.text(_HTML)


def _attachment(storage: _Storage, number: int) -> Attachment:
    mime = storage.text(_MIME) or "application/octet-stream"
    if storage.integer(_METHOD) == _EMBEDDED:
        mail = _mail(storage.mail_inside())
        return Attachment(storage.text(_LONG_FILENAME, _NAME, _FILENAME) or f"mail {number}", "mail", mime, mail)
    name = storage.text(_LONG_FILENAME, _FILENAME, _NAME) or f"attachment {number}"
    kind, data = kind_of(name, mime, shown=bool(storage.integer(_HIDDEN))), storage.binary(_DATA)
    problem = None if data else "nothing of it is in the mail"
    if kind not in TEXTS:
        return Attachment(name, kind, mime, data, problem)
    text = lenient(data)
    return Attachment(name, kind, mime, html_text(text) if kind == "html" else text, problem)


def _codec(codepage: int) -> str:
    """Name the codec of a Windows code page, UTF-8 where it says none."""
    named = {0: "utf-8", 65001: "utf-8", 20127: "ascii", 1200: "utf-16-le", 28591: "latin-1", 20866: "koi8-r"}
    name = named.get(codepage) or (f"iso8859-{codepage - 28590}" if 28590 < codepage < 28607 else f"cp{codepage}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"
