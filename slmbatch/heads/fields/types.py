"""Which schema a document is for: the one whose fields are found in it, by rules, beside their labels above all.

A sentence model that compares texts with the schemas' titles and descriptions was tried instead: it knows English only,
and knew one receipt in five (benchmarks/README.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from slmbatch.heads.fields.field_head import Sighted
from slmbatch.heads.fields.labels import words
from slmbatch.heads.fields.sheet import MAX_CHARS, Sheet, searched_part
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
WHOLE, NEARLY = 0.83, 0.7
"""The score over required fields alone: from which on it tells the type of a short document, and which is doubt."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a document shows of one type: the `score` of all its fields, and that of the `required` ones.

    `ruled_out`: the type has signs, and none is printed.
    """

    score: float
    required: float = 0.0
    ruled_out: bool = False

    @property
    def possible(self) -> bool:
        """Whether too much of the type is there to say that the document is none."""
        return self.score >= NOTHING or (self.required >= NEARLY and not self.ruled_out)


class TypesHead:
    """Tells each document's type. The score of a type is the mean over its fields, lists aside: no probability."""

    batch = BATCH
    characters = MAX_CHARS

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._heads = {name: rules_head(schema) for name, schema in schemas.items()}
        self._signs = {name: frozenset(words(sign) for sign in schema.signs) for name, schema in schemas.items()}
        self._required = {name: required_paths(schema) for name, schema in schemas.items()}
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
        lines = _short_lines(Sheet(document).text) if any(self._signs.values()) else []
        seen = {name: self._seen(name, one, lines) for name, one in sighted.items()}
        answer = _decided(seen, self._silent)
        return (_searched(answer, document) if answer.label == OTHER else answer), sighted

    def _seen(self, name: str, sighted: Mapping[str, Sighted], lines: Sequence[Sequence[str]]) -> Seen:
        """Return how much of a type's fields is found: 1 is all of them, surely, and each beside a label of its own."""
        found = {path: (one.probability + one.labelled) / 2 for path, one in sighted.items()}
        score = sum(found.values()) / max(self._heads[name].sought, 1)
        paths = self._required[name]
        required = sum(found.get(path, 0.0) for path in paths) / len(paths) if len(paths) > 1 else 0.0
        ruled_out = bool(self._signs[name]) and not any(_holds(line, self._signs[name]) for line in lines)
        if ruled_out:
            score = min(score * UNSIGNED, FITS - 0.01)
        return Seen(round(score, DIGITS), round(required, DIGITS), ruled_out)


def required_paths(schema: Schema) -> frozenset[str]:
    """Return the required fields among those that rules look for."""
    return frozenset(path for path, one in schema.fields() if one.hint and one.required and "[]" not in path)


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


def _decided(seen: Mapping[str, Seen], silent: Sequence[str]) -> Answer:
    """Decide on a type by what is seen of all; `silent` are those which may be even where the score is low."""
    ranked = tuple(sorted(((name, one.score) for name, one in seen.items()), key=lambda one: -one[1]))
    rivals = [(name, score) for name, score in ranked if not seen[name].ruled_out]
    if rivals:
        (name, best), second = rivals[0], rivals[1][1] if len(rivals) > 1 else 0.0
        if best - second >= APART and (best >= FITS or seen[name].required >= WHOLE):
            return Answer(label=name, scores=ranked)
    if any(one.possible for one in seen.values()):
        return Answer(scores=ranked, problems=(f"of unsure type, {_near(seen, rivals)}",))
    if silent:
        named = ", ".join(silent)
        return Answer(scores=ranked, problems=(f"of unsure type: it may be {named}, for which no labels are given",))
    return Answer(label=OTHER, scores=ranked)


def _near(seen: Mapping[str, Seen], rivals: Sequence[tuple[str, float]]) -> str:
    """Name the types that a document may be of: those that are ruled out only where there is no other."""
    possible = [score for name, score in rivals if seen[name].possible]
    if not possible:
        score, name = max((one.score, name) for name, one in seen.items() if one.possible)
        return f"{name} ({score:.2f}), but none of its signs is printed"
    return " or ".join(f"{name} ({score:.2f})" for name, score in rivals if score > possible[0] - APART)


def _searched(answer: Answer, document: Document) -> Answer:
    """Leave in doubt what is no type in the parts that were searched, but wasn't searched as a whole."""
    if len(document.text) <= MAX_CHARS and not document.cut:
        return answer
    problem = f"of unsure type: only {searched_part(document)} were searched"
    return Answer(scores=answer.scores, problems=(problem,))
