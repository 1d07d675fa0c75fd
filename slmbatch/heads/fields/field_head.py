"""The head that finds fields by rules: candidates, scored by leaf, settled by the schema's sums. No model, no network.

Every value it gives stands in the document; a leaf whose likeliest candidate is none of them is absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from slmbatch.heads.fields.candidates import Candidate
from slmbatch.heads.fields.items import Cell, TableReader, tables
from slmbatch.heads.fields.money import find_amounts
from slmbatch.heads.fields.reading import Reader, Target, View
from slmbatch.heads.fields.scorer import Matrix, Scorer, probabilities
from slmbatch.heads.fields.sheet import MAX_CHARS, Sheet
from slmbatch.heads.fields.sums import Choices, Equation, equations, settle
from slmbatch.tasks.hints import HintKind
from slmbatch.tasks.schema import Schema
from slmbatch.types import Answer, Document, Kind, Leaf

BATCH = 64
# With one right and one wrong more than benchmarks/fields.py saw: numbers of 26 lists of 26, texts of 64 rows of 69.
NUMBERS_RIGHT, TEXTS_RIGHT = 0.96, 0.92
NO_ROWS = "no rows that make a printed sum were found"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The likeliest candidate of a leaf, how likely its value is, and what else is known of it."""

    index: int
    probability: float
    adds_up: bool
    labelled: bool


@dataclass(frozen=True, slots=True)
class Sighted:
    """A leaf's likeliest value, how likely it is, and whether it stands beside one of the leaf's labels."""

    value: object
    probability: float
    labelled: bool


class FieldHead:
    """Finds the leaves of one schema. See `rules_head` and `load_fields` for where the scorers come from."""

    def __init__(self, schema: Schema, scorers: Mapping[str, Scorer], *, fingerprint: str) -> None:
        """Take one scorer per leaf, by path; a leaf without one is never found."""
        self._reader = Reader(schema)
        self._equations = equations(schema)
        self._scorers = scorers
        self._own = any(scorer.own for scorer in scorers.values())
        self._fingerprint = fingerprint
        amounts = [target.hint for target in self._reader.targets if target.hint.kind is HintKind.AMOUNT]
        totals = [label for hint in amounts for label in hint.labels]
        self._tables = [TableReader(table, totals) for table in tables(schema)]

    @property
    def fingerprint(self) -> str:
        """What the answers depend on: weights and the schema's hints."""
        return self._fingerprint

    @property
    def batch(self) -> int:
        """Return how many documents at a time to give; nothing is shared between them."""
        return BATCH

    @property
    def characters(self) -> int:
        """Return how many characters of a document are looked at."""
        return MAX_CHARS

    def answer(self, documents: Sequence[Document]) -> list[Answer]:
        """Return one answer per document: the leaves that were found, and the lists that weren't as problems."""
        return [self._answer(document) for document in documents]

    @property
    def sought(self) -> int:
        """Return how many leaves are looked for, lists aside."""
        return len(self._reader.targets)

    def sight(self, document: Document) -> dict[str, Sighted]:
        """Return what is found of the leaves outside of lists, by path."""
        _, views = self._reader.read(document, own=self._own)
        chosen = choose(self._reader.targets, views, self._scorers, self._equations)
        return {
            path: Sighted(views[path].candidates[one.index].value, one.probability, one.labelled)
            for path, one in chosen.items()
        }

    def _answer(self, document: Document) -> Answer:
        sheet, views = self._reader.read(document, own=self._own)
        chosen = choose(self._reader.targets, views, self._scorers, self._equations)
        leaves = [
            _leaf(target, views[target.path], chosen[target.path], sheet, self._scorers[target.path])
            for target in self._reader.targets
            if target.path in chosen
        ]
        problems = []
        amounts = self._amounts(sheet, views) if self._tables else ()
        for table in self._tables:
            cells = table.read(sheet, amounts)
            leaves += [_cell(one, sheet) for one in cells]
            if not cells:
                problems.append(f"{table.path}: {NO_ROWS}")
        return Answer(leaves=tuple(leaves), problems=tuple(problems))

    def _amounts(self, sheet: Sheet, views: Mapping[str, View]) -> Sequence[Candidate]:
        """Return all numbers of a document, which a leaf has for candidates where one is an amount."""
        for target in self._reader.targets:
            if target.hint.kind is HintKind.AMOUNT and target.path in views:
                return views[target.path].candidates
        return find_amounts(sheet).candidates


def choose(
    targets: Sequence[Target], views: Mapping[str, View], scorers: Mapping[str, Scorer], sums: Sequence[Equation]
) -> dict[str, Chosen]:
    """Return the likeliest candidate of each leaf that has one, by path."""
    logits = {
        path: scorers[path].logits(view.rows, view.none, view.around) for path, view in views.items() if path in scorers
    }
    chances = {path: probabilities(one) for path, one in logits.items()}
    adding: dict[str, int] = {}
    for equation in sums:
        if all(path in logits for path in equation.paths):
            values = {path: [one.value for one in views[path].candidates] for path in equation.paths}
            after, found = settle(equation, {path: Choices(values[path], logits[path]) for path in equation.paths})
            chances |= after
            adding |= found or {}
    chosen = {}
    for target in targets:
        if target.path in chances:
            told = target.hint.pick is not None or scorers[target.path].own
            view, adds = views[target.path], adding.get(target.path)
            one = _likeliest(view, chances[target.path], adds)
            if one is not None and (told or one.labelled or one.adds_up):
                chosen[target.path] = one
            elif target.hint.kind is HintKind.PARTY and not told:  # others' names are no rivals of one beside its label
                beside = _likeliest(view, chances[target.path] * np.append(view.close, 1), adds)
                if beside is not None:
                    chosen[target.path] = beside
    return chosen


def _likeliest(view: View, chances: Matrix, adding: int | None) -> Chosen | None:
    """Sum the chances of each value over its places; its best place stands for it. None when none is likelier."""
    by_value = np.bincount(view.values, chances[:-1])
    value = by_value.argmax()
    if by_value[value] <= chances[-1]:
        return None
    places = np.flatnonzero(view.values == value)
    index = places[chances[places].argmax()]
    adds_up = adding is not None and view.values[adding] == value
    chance = min(float(by_value[value] / chances.sum()), 1.0)
    return Chosen(int(index), chance, bool(adds_up), bool(view.labelled[places].any()))


def _leaf(target: Target, view: View, chosen: Chosen, sheet: Sheet, scorer: Scorer) -> Leaf:
    candidate = view.candidates[chosen.index]
    value = candidate.value
    if target.field.kind is Kind.INTEGER and isinstance(value, Decimal):
        value = int(value)
    return Leaf(
        target.path,
        value,
        sheet.text[candidate.start : candidate.end],
        confidence=scorer.confidence(chosen.probability, adds_up=chosen.adds_up, labelled=chosen.labelled),
        grounding=sheet.grounding(candidate.start, candidate.end),
        required=target.field.required,
    )


def _cell(cell: Cell, sheet: Sheet) -> Leaf:
    """Return a row's value with the share of such values that was right on sample invoices."""
    return Leaf(
        cell.path,
        cell.value,
        sheet.text[cell.start : cell.end],
        confidence=TEXTS_RIGHT if cell.field.kind is Kind.TEXT else NUMBERS_RIGHT,
        grounding=sheet.grounding(cell.start, cell.end),
        required=cell.field.required,
    )
