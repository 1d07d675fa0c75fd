"""The words of slmbatch: the records that pass from room to room. No behaviour beyond what follows from the fields."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import TypeAlias

from slmbatch.chat import NO_USAGE, Picture, Usage
from slmbatch.places import Box, Layout

Scalar: TypeAlias = str | int | Decimal | dt.date | bool
PAGE_BREAK = "\n\n"


def printable(text: str) -> str:
    """Write bytes that aren't Unicode (of file names, mostly) as escapes, since JSON and Parquet hold Unicode only."""
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of text. `note` says why it has none or a doubtful one; `number` counts from 1.

    `layout` is None where the source has no places: texts, tables, mails. `picture` is the page as the OCR saw it, if
    that is mostly unsure of its text and some tier sees.
    """

    number: int
    text: str
    note: str | None = None
    layout: Layout | None = None
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One unit of input.

    `source` is the file as the user can find it, `row` the row number in a table (from 0). `problem` is set when
    nothing of the document could be read; `cut` when the reader kept only the beginning of a very long text. `parent`
    is the id of the mail that it was attached to, or of the file that it is some pages of: these are its `span`, "1-2".
    `xml` is the e-invoice that came in the document or beside it.
    """

    id: str
    source: str
    row: int | None
    pages: tuple[Page, ...]
    problem: str | None = None
    cut: bool = False
    parent: str | None = None
    xml: bytes | None = None
    span: str | None = None

    @property
    def text(self) -> str:
        """All pages, joined with PAGE_BREAK: what a model is shown."""
        if len(self.pages) == 1:
            return self.pages[0].text
        return PAGE_BREAK.join(page.text for page in self.pages)

    def notes(self) -> tuple[str, ...]:
        """What couldn't be read: the note of each page that has one."""
        return tuple(f"page {page.number}: {page.note}" for page in self.pages if page.note)

    def content_hash(self) -> bytes:
        """16 bytes that change when anything a model is shown changes, where it stands, or what couldn't be shown."""
        digest = blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=16)
        for note in (self.problem, *self.notes()):
            if note is not None:
                digest.update(b"\0note\0" + note.encode("utf-8", "surrogatepass"))
        for page in self.pages:
            if page.layout is not None:
                digest.update(b"\0layout\0" + page.layout.places + page.layout.scores)
            if page.picture is not None:
                digest.update(b"\0picture\0" + page.picture.jpeg)
        if self.xml is not None:
            digest.update(b"\0xml\0" + self.xml)
        if self.span is not None:  # else an equal text on other pages would be told to stand on these
            digest.update(b"\0span\0" + self.span.encode())
        return digest.digest()


class Status(StrEnum):
    """How a document ended. See docs/results.md for what a user does with each."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    FAILED = "failed"
    UNREADABLE = "unreadable"


class Kind(StrEnum):
    """What a leaf holds, and so how its text becomes a typed value."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    BOOLEAN = "boolean"
    ENUM = "enum"
    CURRENCY = "currency"


class Grounded(StrEnum):
    """Whether a value stands in the document: as written, in another spelling of the same value, or not at all.

    FUZZY: something much like it does, which isn't the same. XML: it was read from the document's XML, wherever else it
    stands.
    """

    EXACT = "exact"
    NORMALISED = "normalised"
    FUZZY = "fuzzy"
    XML = "xml"
    NONE = "none"

    @property
    def stands(self) -> bool:
        """Whether the very value stands in the document."""
        return self not in {Grounded.FUZZY, Grounded.NONE}


@dataclass(frozen=True, slots=True)
class Grounding:
    """Where a value was found. `page` counts from 1; `start` and `end` are characters within that page's text.

    `box` is around the words it stands in, None where the source has no layout; `ocr` the OCR's score of the least sure
    of them (no probability), None where the text isn't OCR's.
    `distance` counts the letters and digits (added, left out, changed) in which the place differs from a value that is
    FUZZY; None for others. `xml_path` leads to the element of the XML that it was read from, by names without
    namespaces.
    """

    found: Grounded
    page: int | None = None
    start: int | None = None
    end: int | None = None
    box: Box | None = None
    ocr: float | None = None
    xml_path: str | None = None
    distance: int | None = None

    @property
    def stands(self) -> bool:
        """Whether the very value stands in the document."""
        return self.found.stands


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field of one document as one tier answered it.

    `path` is dotted with list positions, as in `line_items[0].amount`. `score` is exp(mean logprob) of the value's own
    tokens: a score, not a probability; `confidence` a calibrated probability of being right, None where nothing was
    calibrated. `forced_logprob` is the pre-grammar logprob of the token that decided the value, None where the engine
    doesn't give it. `problems` names the checks that failed. `repaired`: taken from the document, since what `raw` says
    broke a sum; `agreed`: two tiers found the value independently, and it stands in the document; `tier`: the one that
    found it, None where that is the answer's.
    """

    path: str
    value: Scalar | None
    raw: str | None
    score: float | None = None
    confidence: float | None = None
    logprob_mean: float | None = None
    logprob_min: float | None = None
    forced_logprob: float | None = None
    grounding: Grounding = Grounding(Grounded.NONE)
    problems: tuple[str, ...] = ()
    required: bool = False
    repaired: bool = False
    agreed: bool = False
    tier: str | None = None

    @property
    def told_twice(self) -> bool:
        """Whether two independent sources tell the value: two tiers, or a label and a sum."""
        return self.agreed or self.repaired


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed and checked completion. `label` for classify, `leaves` for extract.

    `score` is the row's score, None where the engine gave no logprobs; `confidence` the calibrated probability that it
    is right, None where nothing has been calibrated; `scores` the score of every label that the engine told about;
    `mass` the raw probability that the first token starts any label; `problems` the failed checks of the whole row,
    which keep it from being accepted; `warnings` those that don't. `calibrated`: the threshold is for the confidence.
    """

    label: str | None = None
    scores: tuple[tuple[str, float], ...] = ()
    mass: float | None = None
    leaves: tuple[Leaf, ...] = ()
    score: float | None = None
    confidence: float | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One tier's try at one document: an answer, or the error's kind and message.

    `asked` are the fields and lists that the tier was asked for, empty for all; the answer has the others as an earlier
    tier found them. `spared` are the tokens that asking for all would have taken besides, an estimate.
    """

    tier: str
    answer: Answer | None
    usage: Usage = NO_USAGE
    usd: Decimal = Decimal(0)
    seconds: float = 0.0
    requests: int = 0
    truncated: bool = False
    error_kind: str | None = None
    error: str | None = None
    asked: tuple[str, ...] = ()
    spared: Usage = NO_USAGE


@dataclass(frozen=True, slots=True)
class Result:
    """The settled outcome of one content: status and the attempts that led there, in order.

    `key` is the content's hash; `shown` the position of the attempt whose answer is the result's, None without one;
    `notes` what of the document couldn't be read; `characters` how long its text is.
    """

    key: bytes
    status: Status
    attempts: tuple[Attempt, ...]
    shown: int | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    characters: int = 0
