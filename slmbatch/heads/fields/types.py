"""Which schema a document is for: the one whose fields are found in it, by rules, beside their labels above all.

A sentence model that compares texts with the schemas' titles and descriptions was tried instead: it knows English only,
and knew one receipt in five (benchmarks/README.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from slmbatch.heads.fields.field_head import Sighted
from slmbatch.heads.fields.labels import words
from slmbatch.heads.fields.sheet import MAX_CHARS
from slmbatch.heads.fields.shipped import rules_head
from slmbatch.tasks.hints import says_labels
from slmbatch.tasks.schema import Schema
from slmbatch.tasks.triage import OTHER
from slmbatch.types import Answer, Document

BATCH = 64
SHORT = 5  # words: a sign stands in a line of no more, as headings and the rows of a till do
UNSIGNED = 0.5  # what remains of a type's score where none of its signs is printed, but less than FITS
DIGITS = 6  # of a score
# Chosen on the documents of benchmarks/triage.py.
FITS, APART, NOTHING = 0.4, 0.1, 0.3
"""The least score of a document's type, how far it must be before the next, and what any type must have for doubt."""


class TypesHead:
    """Tells each document's type. The score of a type is the mean over its fields, lists aside: no probability."""

    batch = BATCH
    characters = MAX_CHARS

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._heads = {name: rules_head(schema) for name, schema in schemas.items()}
        self._signs = {name: frozenset(words(sign) for sign in schema.signs) for name, schema in schemas.items()}
        self._silent = [name for name, schema in schemas.items() if not _says_labels(schema)]
        self._stated = [name for name, schema in schemas.items() if schema.terms]
        known = [(name, head.fingerprint, schemas[name].signs) for name, head in self._heads.items()]
        self.fingerprint = sha256(json.dumps([known, self._stated]).encode()).hexdigest()

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        """Return each document's type as a label: OTHER where nothing fits, None and a problem where it's in doubt."""
        return [self._answer(document) for document in documents]

    def _answer(self, document: Document) -> Answer:
        if document.xml is not None and len(self._stated) == 1:  # an e-invoice: there's nothing to find out
            return Answer(label=self._stated[0], scores=((self._stated[0], 1.0),))
        return self.look(document)[0]

    def look(self, document: Document) -> tuple[Answer, dict[str, dict[str, Sighted]]]:
        """Decide by the text alone; return what is found of each type's fields, too, by type and path."""
        sighted = {name: head.sight(document) for name, head in self._heads.items()}
        lines = _short_lines(document.text[:MAX_CHARS]) if any(self._signs.values()) else []
        scores = {name: self._score(name, one, lines) for name, one in sighted.items()}
        return _decided(scores, self._silent), sighted

    def _score(self, name: str, sighted: Mapping[str, Sighted], lines: Sequence[Sequence[str]]) -> float:
        """Return how much of a type's fields is found: 1 is all of them, surely, and each beside a label of its own."""
        found = sum((one.probability + one.labelled) / 2 for one in sighted.values())
        score = found / max(self._heads[name].sought, 1)
        if self._signs[name] and not any(_holds(line, self._signs[name]) for line in lines):
            score = min(score * UNSIGNED, FITS - 0.01)
        return round(score, DIGITS)


def _short_lines(text: str) -> list[tuple[str, ...]]:
    """Return the lines of few words, as folded words."""
    lines = (words(line) for line in text.split("\n"))
    return [line for line in lines if len(line) <= SHORT]


def _holds(line: Sequence[str], signs: frozenset[tuple[str, ...]]) -> bool:
    """Say whether a sign is among the words of a line."""
    ends = range(1, len(line) + 1)
    return any(tuple(line[start:end]) in signs for end in ends for start in range(end))


def _says_labels(schema: Schema) -> bool:
    """Say whether a schema names labels, so that a document in which nothing is found is hardly of its type."""
    known = [(path.rpartition(".")[2], field) for path, field in schema.fields()]
    return any(one.hint and says_labels(one.hint, name, one.kind, one.description) for name, one in known)


def _decided(scores: Mapping[str, float], silent: Sequence[str]) -> Answer:
    """Decide on a type by the scores of all; `silent` are those which may be even where the score is low."""
    ranked = tuple(sorted(scores.items(), key=lambda one: -one[1]))
    (name, best), (_, second) = ranked[0], ranked[1] if len(ranked) > 1 else ("", 0.0)
    if best < NOTHING and silent:
        named = ", ".join(silent)
        return Answer(scores=ranked, problems=(f"of unsure type: it may be {named}, for which no labels are given",))
    if best < NOTHING:
        return Answer(label=OTHER, scores=ranked)
    if best < FITS or best - second < APART:
        near = " or ".join(f"{one} ({score:.2f})" for one, score in ranked if score > best - APART)
        return Answer(scores=ranked, problems=(f"of unsure type, {near}",))
    return Answer(label=name, scores=ranked)
