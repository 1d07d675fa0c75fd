"""Files with documents in them: a mail and what is attached to it, an archive in a mail or another one, a long scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from slmbatch.readers.archive import members, read_member, safe_name, unique_names
from slmbatch.readers.contents import READ_ALONE, read_content
from slmbatch.readers.mail import MAX_DEPTH, TOO_DEEP, open_mail, read_alone, read_attachment, read_mail
from slmbatch.readers.message import Attachment, Mail
from slmbatch.readers.sources import MAILS, MAX_CHARS, TABLES, Content, Reading, ReadOptions, Unreadable

if TYPE_CHECKING:
    from slmbatch.heads.fields.pages import PageSplitter
    from slmbatch.tasks.schema import Schema

MAX_ARCHIVES = 2  # an archive in an archive, and no deeper: bombs are
MAX_DOCUMENTS = 10_000  # in one mail or inner archive, which is read at once by one process and held in memory
MAX_FILE_CHARS = 20 * MAX_CHARS
PAGED = frozenset({"pdf", "image"})  # what a scanner makes of a pile of paper

_TABLE = "a table inside an archive or a mail, whose rows aren't read there; unpack it and give it as input"
_TOO_MUCH = f"one mail or inner archive gives no more than {MAX_DOCUMENTS} documents and {MAX_FILE_CHARS} characters"


@dataclass(frozen=True, slots=True)
class Piece:
    """A document of a file. `name` is its way from there, "" for the file itself; `parent` that of its mail.

    One that is some pages of a file has that file for its parent, and these pages as its `span`.
    """

    name: str
    parent: str | None
    reading: Reading
    span: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a content lies: the piece's name, its mail, how many mails and archives are around it."""

    archives: int
    mails: int = 0
    name: str = ""
    parent: str | None = None

    def inside(self, name: str) -> str:
        return f"{self.name}/{name}" if self.name else name


def unpack(content: Content, kind: str, options: ReadOptions, *, archives: int = 0) -> Iterator[Piece]:
    """Yield the documents of a file, at least one; whatever is wrong with one is its problem. Raises OSError.

    `archives` is how many archives the file lies in.
    """
    room = MAX_FILE_CHARS
    for number, piece in enumerate(_pieces(content, kind, options, _Place(archives))):
        room -= sum(len(page.text) for page in piece.reading.pages)
        if number and (room < 0 or number >= MAX_DOCUMENTS):
            yield Piece(piece.name, piece.parent, Reading(problem=f"{_TOO_MUCH}; unpack it and give the rest as input"))
            return
        yield piece


def content_of(content: Content | Mail, kind: str | None, name: str) -> Content:
    """Return the content of the piece that `unpack` gives this name. Raises Unreadable where there's none, OSError."""
    if not name and not isinstance(content, Mail):
        return content
    inner: Iterable[tuple[str, str | None, Callable[[], Content | Mail | str]]] = ()
    if kind == "zip" and not isinstance(content, Mail):
        inner = [(one.name, one.kind, partial(read_member, content, one.position)) for one in members(content)]
    elif kind in MAILS:
        mail = content if isinstance(content, Mail) else open_mail(content, kind)
        inner = [(own, one.kind, partial(getattr, one, "content")) for own, one in _apart(mail)]
    for own, own_kind, opened in inner:
        if name == own or name.startswith(f"{own}/"):
            found = opened()
            if not isinstance(found, str):
                return content_of(found, own_kind, name[len(own) + 1 :])
    raise Unreadable("it isn't in the file any more")


def _pieces(content: Content | Mail, kind: str | None, options: ReadOptions, place: _Place) -> Iterator[Piece]:
    alone = partial(Piece, place.name, place.parent)
    try:
        if isinstance(content, Mail):
            yield from _of_mail(content, options, place)
        elif kind in MAILS and options.attachments == "apart":
            yield from _of_mail(open_mail(content, kind), options, place)
        elif kind in MAILS:
            yield alone(read_mail(content, kind))
        elif kind == "zip":
            yield from _of_archive(content, options, place)
        elif kind in TABLES:
            raise Unreadable(_TABLE)
        elif kind in READ_ALONE:
            reading = read_content(content, kind, options.encoding, pictures=options.most_pictures)
            yield from _of_pages(reading, kind, options, place)
        else:
            raise Unreadable("files of this type can't be read")
    except Unreadable as error:
        yield alone(Reading(problem=str(error)))


def _of_mail(mail: Mail, options: ReadOptions, place: _Place) -> Iterator[Piece]:
    """Yield the mail, then its attachments of known kinds, each followed by its own."""
    if place.mails >= MAX_DEPTH:
        raise Unreadable(TOO_DEEP)
    passed_over = [one for one in mail.attachments if not _is_apart(one)]
    yield Piece(place.name, place.parent, read_alone(mail, passed_over))
    for name, one in _apart(mail):
        inner = _Place(place.archives, place.mails + 1, place.inside(name), parent=place.name)
        if isinstance(one.content, str):
            yield Piece(inner.name, inner.parent, read_attachment(one))
        else:
            yield from _pieces(one.content, one.kind, options, inner)


def _is_apart(attachment: Attachment) -> bool:
    return attachment.kind is not None and attachment.problem is None


def _apart(mail: Mail) -> list[tuple[str, Attachment]]:
    """Name the attachments that documents are made of."""
    apart = [one for one in mail.attachments if _is_apart(one)]
    names = unique_names([safe_name(one.name).replace("/", "_") for one in apart])
    return list(zip(names, apart, strict=True))


def _of_archive(content: Content, options: ReadOptions, place: _Place) -> Iterator[Piece]:
    """Yield the files of an archive that lies in a mail or an archive, or why there are none."""
    if place.archives >= MAX_ARCHIVES:
        raise Unreadable("archives in archives are not read any deeper; unpack it and give its files as input")
    files = members(content)
    if not files:
        raise Unreadable("the archive is empty")
    for file in files:
        inner = _Place(place.archives + 1, place.mails, place.inside(file.name), place.parent)
        try:
            yield from _pieces(read_member(content, file.position), file.kind, options, inner)
        except Unreadable as error:
            yield Piece(inner.name, inner.parent, Reading(problem=str(error)))


def _of_pages(reading: Reading, kind: str, options: ReadOptions, place: _Place) -> Iterator[Piece]:
    """Yield the documents that a file's pages are; an e-invoice is one, whatever its pages say."""
    splits = kind in PAGED and options.types and reading.problem is None and reading.xml is None
    documents = _splitter(options.types).split(reading.pages) if splits and len(reading.pages) > 1 else []
    if len(documents) < 2:
        yield Piece(place.name, place.parent, reading)
        return
    for pages in documents:
        first, last = pages[0].number, pages[-1].number
        span = str(first) if first == last else f"{first}-{last}"
        some = replace(reading, pages=pages, cut=reading.cut and pages is documents[-1])
        yield Piece(place.inside(span), place.name, some, span)


@lru_cache(1)
def _splitter(types: tuple[tuple[str, Schema], ...]) -> PageSplitter:
    from slmbatch.heads.fields.pages import PageSplitter

    return PageSplitter(dict(types))
