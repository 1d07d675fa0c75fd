"""Plain text files, and the one place where bytes become characters."""

from __future__ import annotations

import codecs
from pathlib import Path

from slmbatch.errors import InputError
from slmbatch.readers.sources import MAX_CHARS, Content, Reading, clip

# The longer marks first: UTF-32's little-endian mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAX_BYTES = 4 * (MAX_CHARS + 1)  # no Unicode encoding needs more than 4 bytes for a character


def read_text(content: Content, encoding: str) -> Reading:
    """Read a text file, no further than MAX_CHARS can reach. Raises OSError."""
    data, whole = read_start(content, _MAX_BYTES)
    try:
        text = decode(data, encoding, whole=whole)
    except UnicodeDecodeError as error:
        return Reading(problem=not_valid(data, encoding, error))
    if text.count("\0") * 10 > len(text):
        return Reading(
            problem="the file is full of NUL characters: it is binary, or UTF-16 without a byte order mark; "
            "convert the file or pass --encoding (e.g. utf-16-le)"
        )
    return clip(text.replace("\0", ""))


def read_start(content: Content, size: int) -> tuple[bytes, bool]:
    """Read at most `size` bytes and tell whether that was the whole file."""
    if isinstance(content, Path):
        with content.open("rb") as stream:
            data = stream.read(size + 1)
    else:
        data = content
    return data[:size], len(data) <= size


def decode(data: bytes, encoding: str, *, whole: bool = True) -> str:
    r"""Decode by the byte order mark, or else by `encoding`; line ends become \n.

    Unless it is the `whole` text, a character that is cut off at the end is left out. Raises UnicodeDecodeError.
    """
    decoder = codecs.getincrementaldecoder(marked(data) or encoding)()
    text = decoder.decode(data, final=whole).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def lenient(data: bytes) -> str:
    """Decode what tells no encoding, or a wrong one: as UTF-8, or as Latin letters, the likeliest others."""
    try:
        return decode(data, "utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def marked(data: bytes) -> str | None:
    """Name the encoding that a byte order mark at the start announces."""
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)


def not_valid(data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    """Say where decoding failed and what to do."""
    mark = marked(data)
    if mark is not None:
        return f"not valid {mark.upper()} at byte {error.start}, although its first bytes say so; convert the file"
    return f"not valid {encoding.upper()} at byte {error.start}; convert the file or pass --encoding (e.g. cp1252)"


def check_encoding(encoding: str) -> None:
    """Raise InputError unless `encoding` names a text encoding."""
    try:
        "a".encode(encoding)
    except LookupError as error:
        raise InputError(
            f"--encoding {encoding}: no such text encoding", "use for example utf-8, cp1252 or utf-16"
        ) from error
