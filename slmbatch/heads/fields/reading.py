"""One document as the leaves of one schema see it: candidates, their features and the words around them, per leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slmbatch.heads.fields.addresses import find_addresses
from slmbatch.heads.fields.candidates import (
    Candidate,
    Found,
    find_dates,
    find_ibans,
    find_identifiers,
    find_rests,
    find_vats,
)
from slmbatch.heads.fields.context import Surroundings, Where, words_around
from slmbatch.heads.fields.features import CLOSE, OWN, TRAITS, Matrix, Shared, Wanted, features
from slmbatch.heads.fields.labels import Label, Labels
from slmbatch.heads.fields.money import find_amounts, find_currencies
from slmbatch.heads.fields.parties import BESIDE, find_parties
from slmbatch.heads.fields.sheet import Sheet
from slmbatch.tasks.hints import Hint, HintKind
from slmbatch.tasks.schema import Field, Schema
from slmbatch.types import Document

_Key: TypeAlias = tuple[HintKind, int]
_MOST_LEAVES = 62  # bits of an int64
_FINDERS = {
    HintKind.AMOUNT: find_amounts,
    HintKind.ADDRESS: find_addresses,
    HintKind.CURRENCY: find_currencies,
}
_LABELLED = {HintKind.TEXT: find_rests, HintKind.PARTY: find_parties}


@dataclass(frozen=True, slots=True)
class Target:
    """A leaf that is looked for."""

    path: str
    field: Field
    hint: Hint


@dataclass(frozen=True, slots=True)
class View:
    """One leaf's candidates in one document. `rows` has one row for each, `none` that of none of them.

    `labelled` says of each whether one of the leaf's own labels is near, `close` whether that's beside or just above;
    equal numbers in `values` mean equal values.
    """

    candidates: Sequence[Candidate]
    rows: Matrix
    none: Matrix
    labelled: npt.NDArray[np.bool_]
    close: npt.NDArray[np.bool_]
    values: npt.NDArray[np.intp]
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

    def read(self, document: Document, *, own: bool = False) -> tuple[Sheet, dict[str, View]]:
        """Lay the document out and return each leaf's view, by path; leaves without a candidate have none.

        `own` adds the words around candidates and their order, which only scorers of one leaf know.
        """
        sheet = Sheet(document)
        printed = sheet.words
        labels = self._labels.find(sheet, printed)
        founds = self._found(_Finder(sheet, day_first=self.day_first), labels)
        where = Where.of([found.candidates for found in founds.values()], _headed(founds))
        inside = sheet.on_one_page(where.starts, where.ends)
        if not inside.all():
            founds = {key: found.where(inside[where.kinds == at]) for at, (key, found) in enumerate(founds.items())}
            where = where.kept(inside)
        context = Surroundings(sheet, labels).context(where)
        shared, around = {}, {}
        first = 0
        for key, found in founds.items():
            shared[key] = Shared.of(found, first, len(sheet.lines) if own else None)
            around[key] = [words_around(sheet, one, printed) if own else () for one in found.candidates]
            first += len(found.candidates)
        wanted = [
            Wanted(leaf, target.hint.pick, shared[_key(leaf, target)])
            for leaf, target in enumerate(self.targets)
            if shared[_key(leaf, target)].candidates
        ]
        views = {}
        for one, (rows, none) in zip(wanted, features(wanted, context), strict=True):
            target, common = self.targets[one.leaf], one.shared
            told = rows[:, len(TRAITS[target.hint.kind]) :]
            near, close = told[:, OWN] == 0, np.any(told[:, CLOSE], axis=1)
            words = around[_key(one.leaf, target)]
            views[target.path] = View(common.candidates, rows, none, near, close, common.values, words)
        return sheet, views

    def _found(self, finder: _Finder, labels: Sequence[Label]) -> dict[_Key, Found]:
        """Find the candidates of every kind once, those of texts for each leaf."""
        owners: dict[_Key, int] = {}
        for leaf, target in enumerate(self.targets):
            owners[_key(leaf, target)] = owners.get(_key(leaf, target), 0) | 1 << leaf
        founds: dict[_Key, Found] = {}
        for leaf, target in enumerate(self.targets):
            key = _key(leaf, target)
            if key not in founds:
                founds[key] = finder.find(target.hint.kind, labels, owners[key])
        return founds


def _headed(founds: Mapping[_Key, Found]) -> npt.NDArray[np.bool_]:
    """Say of each candidate whether the label beside it is its heading, as of names in a cell that a label begins."""
    return np.concatenate(
        [
            found.traits[:, BESIDE] > 0 if kind is HintKind.PARTY else np.zeros(len(found.candidates), bool)
            for (kind, _), found in founds.items()
        ]
        or [np.zeros(0, bool)]
    )


def _key(leaf: int, target: Target) -> _Key:
    """Return what leaves with the same candidates have in common."""
    return target.hint.kind, leaf if target.hint.kind is HintKind.TEXT else -1


class _Finder:
    """Finds the candidates of one sheet by kind; dates and IBANs also tell what other numbers are."""

    def __init__(self, sheet: Sheet, *, day_first: bool) -> None:
        self._sheet = sheet
        self._day_first = day_first

    @cached_property
    def days(self) -> Found:
        """All dates."""
        return find_dates(self._sheet, day_first=self._day_first)

    @cached_property
    def ibans(self) -> Found:
        """All IBANs."""
        return find_ibans(self._sheet)

    def find(self, kind: HintKind, labels: Sequence[Label], owners: int) -> Found:
        """Return the candidates of a kind, with what stands beside its labels where that makes some."""
        if kind in _LABELLED:
            return _LABELLED[kind](self._sheet, labels, owners)
        match kind:
            case HintKind.DATE:
                return self.days
            case HintKind.IDENTIFIER:
                return find_identifiers(self._sheet, self.days.candidates)
            case HintKind.IBAN:
                return self.ibans
            case HintKind.VAT:
                return find_vats(self._sheet, self.ibans.candidates)
            case _:
                return _FINDERS[kind](self._sheet)
