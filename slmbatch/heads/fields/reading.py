"""One document as the leaves of one schema see it: candidates, their features and the words around them, per leaf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmbatch.heads.fields.addresses import find_addresses
from slmbatch.heads.fields.candidates import (
    Candidate,
    find_amounts,
    find_currencies,
    find_dates,
    find_ibans,
    find_identifiers,
    find_rests,
    find_vats,
)
from slmbatch.heads.fields.context import read_context, words_around
from slmbatch.heads.fields.features import OWN, TRAITS, Matrix, Shared, features
from slmbatch.heads.fields.labels import Labels
from slmbatch.heads.fields.parties import find_parties
from slmbatch.heads.fields.sheet import Sheet
from slmbatch.tasks.hints import Hint, HintKind
from slmbatch.tasks.schema import Field, Schema
from slmbatch.types import Document

_MOST_LEAVES = 62  # bits of an int64
_FINDERS = {
    HintKind.AMOUNT: find_amounts,
    HintKind.PARTY: find_parties,
    HintKind.ADDRESS: find_addresses,
    HintKind.CURRENCY: find_currencies,
    HintKind.IBAN: find_ibans,
    HintKind.VAT: find_vats,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A leaf that is looked for."""

    path: str
    field: Field
    hint: Hint


@dataclass(frozen=True, slots=True)
class View:
    """One leaf's candidates in one document. `rows` has one row for each, `none` that of none of them.

    `labelled` says of each whether one of the leaf's own labels is near.
    """

    candidates: Sequence[Candidate]
    rows: Matrix
    none: Matrix
    labelled: Sequence[bool]
    around: Sequence[Sequence[str]]


def targets(schema: Schema) -> tuple[Target, ...]:
    """Return the leaves that rules can look for: those that stand in the text, once."""
    kept = [Target(path, field, field.hint) for path, field in schema.fields() if field.hint and "[]" not in path]
    return tuple(kept[:_MOST_LEAVES])


class Reader:
    """Reads documents for one schema."""

    def __init__(self, schema: Schema) -> None:
        self.targets = targets(schema)
        self.day_first = schema.day_first
        self._labels = Labels([target.hint.labels for target in self.targets])

    def read(self, document: Document, *, words: bool = False) -> tuple[Sheet, dict[str, View]]:
        """Lay the document out and return each leaf's view, by path; leaves without a candidate have none.

        `words` are those around candidates, which only scorers that know words need.
        """
        sheet = Sheet(document)
        printed = sheet.words()
        labels = self._labels.find(sheet, printed)
        starts = [word.start for word in printed]
        views: dict[str, View] = {}
        shared: dict[HintKind, tuple[Shared, Sequence[Sequence[str]]]] = {}
        for position, target in enumerate(self.targets):
            kind = target.hint.kind
            if kind not in shared or kind is HintKind.TEXT:
                own = [one.end for one in labels if one.owners >> position & 1]
                found = [one for one in self._find(kind, sheet, own) if sheet.on_one_page(one.start, one.end)]
                around: Sequence[Sequence[str]] = [()] * len(found)
                if words:
                    around = [words_around(sheet, one, printed, starts) for one in found]
                shared[kind] = Shared.of(found, read_context(sheet, found, labels), len(sheet.lines)), around
            common, near_words = shared[kind]
            if common.candidates:
                rows, none = features(common, position, target.hint.pick)
                near = rows[:, len(TRAITS[kind]) + OWN] == 0
                views[target.path] = View(common.candidates, rows, none, near.tolist(), near_words)
        return sheet, views

    def _find(self, kind: HintKind, sheet: Sheet, own: Sequence[int]) -> list[Candidate]:
        if kind is HintKind.TEXT:
            return list(find_rests(sheet, own))
        if kind in {HintKind.DATE, HintKind.IDENTIFIER}:
            days = find_dates(sheet, day_first=self.day_first)
            return days if kind is HintKind.DATE else find_identifiers(sheet, days)
        return _FINDERS[kind](sheet)
