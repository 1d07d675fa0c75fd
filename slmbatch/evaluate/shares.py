"""Measures that are one sum over documents divided by another: accuracy, precision, recall, F1, dollars per answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from slmbatch.evaluate.scores import Doubles, Scored

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
Name: TypeAlias = tuple[str, str | None]  # measure, and the label, field or threshold that it is for; None: all of them


@dataclass(frozen=True, slots=True)
class Shares:
    """Of each measure what stands above and below the line, by document: sparse matrices (documents, names)."""

    names: tuple[Name, ...]
    top: Any
    bottom: Any

    def values(self, weights: Doubles) -> Doubles:
        """Return the measures, (sets, names), for weights of (sets, documents); NaN where there is nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ self.top) / (weights @ self.bottom))

    def support(self) -> list[int]:
        """How many documents each measure rests on."""
        counted: list[int] = (self.bottom > 0).sum(axis=0).A1.tolist()
        return counted

    def only(self, names: Sequence[Name]) -> Shares:
        """Return some of the measures."""
        places = [self.names.index(name) for name in names]
        return Shares(tuple(names), self.top[:, places], self.bottom[:, places])

    def beside(self, other: Shares) -> Shares:
        """Return the same measures over the documents of both."""
        assert self.names == other.names
        return Shares(
            self.names, sparse.vstack([self.top, other.top]).tocsr(), sparse.vstack([self.bottom, other.bottom]).tocsr()
        )


@dataclass(slots=True)
class Columns:
    """Gathers the columns of Shares."""

    documents: int
    _names: list[Name] = field(default_factory=list)
    _top: list[Any] = field(default_factory=list)
    _bottom: list[Any] = field(default_factory=list)

    def add(self, name: Name, top: Any, bottom: Any) -> None:
        """Add a measure: two arrays with a number for each document."""
        self.add_all([name], _column(top), _column(bottom))

    def add_all(self, names: Sequence[Name], top: Any, bottom: Any) -> None:
        """Add several measures: two sparse matrices (documents, names)."""
        self._names += names
        self._top.append(top)
        self._bottom.append(bottom)

    def of_documents(self, metric: str, right: Any, accepted: Any) -> None:
        """Add what whole documents come to: how many are right, how many accepted, how many right of the accepted."""
        every = np.ones(self.documents)
        self.add((metric, None), right, every)
        self.add(("accepted", None), accepted, every)
        self.add(("accepted_accuracy", None), right & accepted, accepted)

    def precision_recall_f1(self, prefix: str, names: Sequence[str | None], counts: tuple[Any, Any, Any]) -> None:
        """Add three measures for each name, from what was right, found and wanted: sparse (documents, names)."""
        right, found, wanted = counts
        for measure, top, bottom in (
            ("precision", right, found),
            ("recall", right, wanted),
            ("f1", 2 * right, found + wanted),
        ):
            self.add_all([(f"{prefix}{measure}", name) for name in names], top, bottom)

    def from_score_on(self, one: Scored) -> None:
        """Add, for each threshold, the accuracy of the answers from this score on, and their share of all."""
        for at in THRESHOLDS:
            here = one.score >= at
            right, answers = (np.asarray(many[:, here].sum(axis=1)).ravel() for many in (one.right, one.answers))
            self.add((f"{one.prefix}accuracy_from", f"{at:g}"), right, answers)
            self.add((f"{one.prefix}share_from", f"{at:g}"), answers, one.asked)

    def shares(self) -> Shares:
        """Return what was gathered."""
        return Shares(tuple(self._names), sparse.hstack(self._top).tocsr(), sparse.hstack(self._bottom).tocsr())


def _column(numbers: Any) -> Any:
    """Return an array as a sparse column."""
    return sparse.csr_matrix(np.asarray(numbers, dtype=np.float64)[:, None])
