"""A mail as a record, whatever file it came in. Knows no format and reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from slmbatch.readers.sources import KINDS

HEADERS = ("From", "To", "Cc", "Date", "Subject")
TEXTS = frozenset({"html", "text", "csv", "jsonl"})
"""Kinds of attachments that are decoded, and HTML made text, where the mail is read: only it knows their charset."""

_KINDS_BY_TYPE = {"application/pdf": "pdf", "text/html": "html", "message/rfc822": "mail"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """What came with a mail. `kind` is one of KINDS' or None, `type` what the mail calls it; texts are decoded already.

    `problem` says why there is no content.
    """

    name: str
    kind: str | None
    type: str
    content: bytes | str | Mail = b""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail: those of HEADERS that it has, in that order, its body as plain text, and what came with it.

    `note` says why there is no body, where there should be one.
    """

    headers: Mapping[str, str]
    body: str
    attachments: tuple[Attachment, ...]
    note: str | None = None

    @property
    def text(self) -> str:
        """Headers, an empty line, the body."""
        return "\n".join([*(f"{name}: {value}" for name, value in self.headers.items()), "", self.body]).strip()


def kind_of(name: str, mime: str, *, shown: bool) -> str | None:
    """Tell an attachment's kind by its type, or by its name where the sender's program knew no better.

    An image that is `shown` in the mail's body is none: the logo below a signature.
    """
    if mime in _KINDS_BY_TYPE:
        return _KINDS_BY_TYPE[mime]
    kind = KINDS.get(PurePosixPath(name).suffix.lower()) or ("text" if mime.startswith("text/") else None)
    return None if kind == "image" and shown else kind
