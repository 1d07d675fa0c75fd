"""Files made to do harm, read as a run reads them: each costs its own row at most."""

import struct
import sys
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from slmbatch.readers import ReadOptions, find, read
from slmbatch.readers.pool import Pool
from slmbatch.readers.read import LOST, lost, read_file
from slmbatch.readers.sources import MAX_PAGES, Source
from slmbatch.types import Document

from .made import objects_pdf, picture, text_pdf

CATALOG, PAGES = b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
DRAWN = b"/MediaBox [0 0 595 842] /Resources << /XObject << /X 4 0 R >> >> /Contents 5 0 R"
PAGE = b"<< /Type /Page /Parent 2 0 R %b >>" % DRAWN
ITSELF = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 4 0 R >> >>"
PACKED = b"/Filter [/FlateDecode /FlateDecode]"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]><x>&c;</x>'


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), entries, data)


def blanks(mebibytes: int) -> bytes:
    """Pack blanks twice, at once: all blocks of the inner stream but the first are the same."""
    packer = zlib.compressobj(9)
    first, block = (packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return zlib.compress(first + block * (mebibytes - 1))


def sheaf(levels: int) -> bytes:
    """Write a page tree whose nodes have one kid ten times: a page becomes 10 ** levels."""
    nodes = [
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b"%d 0 R " % (level + 3) * 10, 10 ** (levels - level))
        for level in range(levels)
    ]
    return objects_pdf([CATALOG, *nodes, b"<< /Type /Page /MediaBox [0 0 595 842] >>"])


def huge_picture() -> bytes:
    """Say in a small picture's header that it has 60,000 by 60,000 pixels."""
    data = bytearray(picture())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def forwarded(times: int) -> bytes:
    """Write a mail that was forwarded as an attachment again and again."""
    data = b"Subject: first\n\nbottom"
    for number in range(times):
        head = b'Subject: on\nContent-Type: multipart/mixed; boundary="b%d"\n\n' % number
        data = b"%b--b%d\nContent-Type: message/rfc822\n\n%b\n--b%d--\n" % (head, number, data, number)
    return data


# By name: what is in the file, and a part of the problem that its row has; None where it is read.
HARMFUL: dict[str, tuple[bytes, str | None]] = {
    "bomb.pdf": (objects_pdf([CATALOG, PAGES, PAGE, b"null", stream(blanks(1500), PACKED)]), ""),
    "contents.pdf": (objects_pdf([CATALOG, PAGES, PAGE, b"4 0 R", b"[5 0 R 5 0 R]"]), "nothing is on it"),
    "nested.pdf": (objects_pdf([CATALOG, PAGES, b"[" * 50_000 + b"]" * 50_000]), "can't be read"),
    "pages.pdf": (objects_pdf([CATALOG, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 999999 >>"]), "can't be read"),
    "sheaf.pdf": (sheaf(7), "is damaged"),
    "laughs.xml": (LAUGHS, "document type isn't accepted"),
    "pixels.png": (huge_picture(), "more than 100 million pixels"),
    "parts.eml": (b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 2000, None),
    "forwarded.eml": (forwarded(200), None),
    "long.pdf": (text_pdf([f"page {number}" for number in range(2000)]), None),
    "plain.pdf": (text_pdf(["hello"]), None),
}  # fmt: skip


def documents(folder: Path) -> Sequence[Document]:
    options = ReadOptions(workers=2, attachments="inside")
    return [document for batch in read(find([str(folder)]), options) for document in batch]


def test_each_file_made_to_do_harm_is_one_row_that_says_so(tmp_path: Path) -> None:
    for name, (data, _) in HARMFUL.items():
        (tmp_path / name).write_bytes(data)
    found = {document.id: document for document in documents(tmp_path)}
    assert sorted(found) == sorted(HARMFUL)
    for name, (_, problem) in HARMFUL.items():
        assert (problem or "") in (found[name].problem or ""), name
        assert (found[name].problem is None) == (problem is None), name
    assert len(found["long.pdf"].pages) == 2000
    assert len(found["pages.pdf"].pages) == MAX_PAGES
    assert found["plain.pdf"].text == "hello"
    assert "not read any deeper" in found["forwarded.eml"].notes()[0]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to a limit of memory")
def test_a_drawing_that_contains_itself_is_lost_when_it_has_filled_its_memory(tmp_path: Path) -> None:
    twice = b"/X Do /X Do"
    endless = tmp_path / "endless.pdf"
    endless.write_bytes(objects_pdf([CATALOG, PAGES, PAGE, stream(twice, ITSELF), stream(twice)]))
    plain = tmp_path / "plain.pdf"
    plain.write_bytes(text_pdf(["hello"]))
    pool = Pool(partial(read_file, options=ReadOptions()), lost, workers=1, memory=2**28)
    sources = [Source(path, path.name, "pdf") for path in (endless, plain)]
    (first,), (second,) = pool.map(sources, here=lambda _: False)
    pool.close()
    assert LOST in (first.problem or "")
    assert second.text == "hello"
