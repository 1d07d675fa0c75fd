"""The seam between the run and whatever answers in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from slmbatch.types import Answer, Document


class Head(Protocol):
    """Answers documents in batches. Pure computation: the same document always gets the same answer."""

    @property
    def fingerprint(self) -> str:
        """What the answers depend on: weights and settings, not the documents."""

    @property
    def batch(self) -> int:
        """How many documents at a time it works best with."""

    @property
    def characters(self) -> int:
        """How many characters of a document, from its beginning, it looks at."""

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        """Return one answer per document, in order."""
