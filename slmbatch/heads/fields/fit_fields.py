"""Learns the scorers of a schema's leaves from documents with expected values, and keeps and loads them.

Confidences are fitted on documents that the weights haven't seen, whole vendors held out together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from slmbatch.checks.letters import plain
from slmbatch.errors import TaskError
from slmbatch.heads.fields.agree import LIKENESS, Expected
from slmbatch.heads.fields.features import LABEL_FEATURES, NONE_FEATURES, TRAITS, feature_names
from slmbatch.heads.fields.field_head import Chosen, choose
from slmbatch.heads.fields.learned import keep
from slmbatch.heads.fields.reading import Reader, Target, View
from slmbatch.heads.fields.scorer import (
    Example,
    Matrix,
    Scorer,
    calibration_row,
    fit_calibration,
    fit_weights,
)
from slmbatch.heads.fields.shipped import kind_scorers
from slmbatch.heads.fields.sums import Equation, equations
from slmbatch.heads.folder import Stored
from slmbatch.tasks.hints import HintKind
from slmbatch.tasks.schema import Schema
from slmbatch.types import Document

FOLDS, SEED = 5, 1
RIDGE = 3.0  # a hundred documents determine about a hundred weights
RIDGE_TO_SHIPPED = 10.0  # names and addresses mean the same everywhere, and few vendors have few layouts
MOST_WORDS, WORD_DOCUMENTS = 150, 4  # words that a leaf's weights may know, and documents each must be in
SURE = 0.9  # the confidence that the card tells the precision at
FEWEST = 8  # documents with a leaf's value, below which the shipped weights stay
OWN_CURVE = 60  # judged values from which a leaf has its own curve; below, that of all leaves together
NO_CALIBRATION = np.array([0.0, 1.0, 0.0, 0.0])  # the model's own probability

Judgement: TypeAlias = tuple[Matrix, bool, float]  # a calibration row, whether it was right, its share


@dataclass(slots=True)
class Labelled:
    """The views of documents and which candidates are right: by document, then by leaf."""

    views: list[dict[str, View]] = field(default_factory=list)
    right: list[dict[str, Matrix]] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


def fit_fields(
    documents: Sequence[Document],
    gold: Sequence[Mapping[str, object]],
    schema: Schema,
    *,
    groups: Sequence[str] | None = None,
    shipped: Mapping[str, Scorer] | None = None,
) -> Stored:
    """Learn from documents and their values by path: a value that is None says that there is none.

    `groups` names each document's vendor; without it the first line of the text stands for it. `shipped` are the
    scorers to begin from, by path, where the package's own would know too much: those were fitted on the documents
    that it is measured on. Raises TaskError when there is nothing to learn from.
    """
    reader = Reader(schema)
    vendors = groups or [_first_line(document) for document in documents]
    labelled = read_labelled(reader, documents, gold, vendors)
    if not any(labelled.right):
        raise TaskError("no document has a value for a field of the schema.", "Check the names in the expected values.")
    shipped = shipped or kind_scorers(reader.targets)
    rows = _cross_validated(reader.targets, labelled, split(vendors), shipped, equations(schema))
    fitted = _fit(reader.targets, labelled, range(len(documents)), shipped)
    everything = [one for some in rows.values() for one in some]
    pooled = calibrate(everything, NO_CALIBRATION)
    scorers = {path: replace(one, calibration=_curve(rows[path], pooled)) for path, one in fitted.items()}
    final = {**shipped, **scorers}
    counted = Counter(path for right in labelled.right for path, marks in right.items() if not marks[-1])
    told = [_told(path, rows[path], counted[path], final[path]) for path in rows if counted[path]]
    card = {
        "documents": len(documents),
        "learned": sorted(fitted),
        "folds": FOLDS,
        "cross_validated": told,
    }
    return keep(scorers, schema, card)


def _cross_validated(
    targets: Sequence[Target],
    labelled: Labelled,
    folds: Sequence[int],
    shipped: Mapping[str, Scorer],
    sums: Sequence[Equation],
) -> dict[str, list[Judgement]]:
    """Judge each leaf of every document by scorers that haven't seen its fold."""
    rows: dict[str, list[Judgement]] = {target.path: [] for target in targets}
    for fold in range(FOLDS):
        train = [index for index, one in enumerate(folds) if one != fold]
        scorers = {**shipped, **_fit(targets, labelled, train, shipped)}
        for index in (index for index, one in enumerate(folds) if one == fold):
            chosen = choose(targets, labelled.views[index], scorers, sums)
            for path, right in labelled.right[index].items():
                if path in chosen:
                    rows[path].append(judged(chosen[path], right, labelled.shares[index]))
    return rows


def _told(path: str, judgements: Sequence[Judgement], values: int, scorer: Scorer) -> dict[str, Any]:
    """Say how well one leaf was found in documents that the weights hadn't seen, and how well where it was sure.

    The confidence's curve was fitted on these same judgements.
    """
    sure = [right for row, right, _ in judgements if scorer.sure(row) >= SURE]
    return {
        "path": path,
        "values": values,
        "found": len(judgements),
        "right": sum(right for _, right, _ in judgements),
        "sure": len(sure),
        "sure_right": sum(sure),
    }


def read_labelled(
    reader: Reader, documents: Sequence[Document], gold: Sequence[Mapping[str, object]], vendors: Sequence[str]
) -> Labelled:
    """Read documents and mark the right candidates: one entry per candidate, none's last."""
    sizes = Counter(vendors)
    labelled = Labelled(shares=[sizes[vendor] ** -0.5 for vendor in vendors])
    for document, values in zip(documents, gold, strict=True):
        _, views = reader.read(document, own=True)
        right = {}
        for target in reader.targets:
            if target.path in values and target.path in views:
                right[target.path] = _right(views[target.path], values[target.path], target.hint.kind, reader.day_first)
        labelled.views.append(views)
        labelled.right.append(right)
    return labelled


def _right(view: View, value: object, kind: HintKind, day_first: bool) -> Matrix:  # noqa: FBT001
    marks = np.zeros(len(view.candidates) + 1, bool)
    if value is not None:
        expected = Expected(value, kind, day_first=day_first)
        marks[:-1] = [expected.agrees(one.value) for one in view.candidates]
    marks[-1] = not marks.any()
    return marks


def split(groups: Sequence[str], folds: int = FOLDS) -> list[int]:
    """Give every group one fold, the largest groups first, each to the fold with the fewest documents."""
    sizes = Counter(groups)
    order = np.random.default_rng(SEED).permutation(sorted(sizes))
    room = [0] * folds
    fold_of = {}
    for group in sorted(order.tolist(), key=lambda one: -sizes[one]):
        fold_of[group] = room.index(min(room))
        room[fold_of[group]] += sizes[group]
    return [fold_of[group] for group in groups]


def _first_line(document: Document) -> str:
    return next((plain(line) for line in document.text.splitlines() if plain(line)), "")


def _fit(
    targets: Sequence[Target], labelled: Labelled, train: Iterable[int], shipped: Mapping[str, Scorer]
) -> dict[str, Scorer]:
    train = list(train)
    scorers = {}
    for target in targets:
        known = [index for index in train if target.path in labelled.right[index]]
        if sum(not labelled.right[index][target.path][-1] for index in known) >= FEWEST:
            views = [labelled.views[index][target.path] for index in known]
            right = [labelled.right[index][target.path] for index in known]
            shares = [labelled.shares[index] for index in known]
            words, keep = _allowed(target.hint.kind, views)
            prior = shipped[target.path] if target.hint.kind in LIKENESS else None
            fitted = fit_scorer(views, right, shares, words=words, keep=keep, prior=prior)
            scorers[target.path] = replace(fitted, own=True)
    return scorers


def _allowed(kind: HintKind, views: Sequence[View]) -> tuple[list[str], Matrix]:
    """Return the words and mask the features that a leaf of a kind may use.

    Names and addresses aren't told by the words around them nor by their order: those would be the vendors'.
    """
    return ([], general(kind)) if kind in LIKENESS else (_vocabulary(views), np.ones(len(feature_names(kind))))


def general(kind: HintKind) -> Matrix:
    """Mask the features that mean the same for every leaf of a kind."""
    return (np.arange(len(feature_names(kind))) < len(TRAITS[kind]) + len(LABEL_FEATURES)).astype(np.float64)


def _vocabulary(views: Sequence[View]) -> list[str]:
    counts = Counter(word for view in views for word in {word for words in view.around for word in words})
    return [word for word, count in counts.most_common(MOST_WORDS) if count >= WORD_DOCUMENTS]


def fit_scorer(
    views: Sequence[View],
    right: Sequence[Matrix],
    shares: Sequence[float],
    *,
    words: Sequence[str],
    keep: Matrix,
    prior: Scorer | None = None,
) -> Scorer:
    """Fit one scorer; `keep` masks the features that it may use, and few documents leave it near the prior."""
    place = {word: index for index, word in enumerate(words)}
    width = views[0].rows.shape[1]
    examples = []
    for view, marks, share in zip(views, right, shares, strict=True):
        count = len(view.candidates)
        rows = np.zeros((count + 1, width + len(words) + len(NONE_FEATURES)))
        rows[:count, :width] = view.rows * keep
        for index, around in enumerate(view.around):
            for word in around:
                if word in place:
                    rows[index, width + place[word]] = 1.0
        rows[count, width + len(words) :] = view.none
        examples.append(Example(rows, marks.astype(bool), share))
    towards = np.zeros(width + len(words) + len(NONE_FEATURES))
    if prior is not None:
        towards[:width], towards[width + len(words) :] = prior.weights * keep, prior.none
    weights = fit_weights(examples, ridge=RIDGE if prior is None else RIDGE_TO_SHIPPED, towards=towards)
    known = dict(zip(words, weights[width : width + len(words)].tolist(), strict=True))
    return Scorer(weights[:width], weights[width + len(words) :], known, NO_CALIBRATION)


def judged(chosen: Chosen, right: Matrix, share: float = 1.0) -> Judgement:
    """Return the calibration's row of one chosen candidate, whether it was right, and how much that counts."""
    row = calibration_row(chosen.probability, adds_up=chosen.adds_up, labelled=chosen.labelled)
    return row, bool(right[chosen.index]), share


def calibrate(judgements: Sequence[Judgement], prior: Matrix) -> Matrix:
    """Fit the confidence's curve; without judgements it is the prior."""
    if not judgements:
        return prior
    rows, right, shares = (np.array(column) for column in zip(*judgements, strict=True))
    return fit_calibration(rows, right, shares, prior=prior)


def _curve(judgements: Sequence[Judgement], pooled: Matrix) -> Matrix:
    return calibrate(judgements, pooled) if len(judgements) >= OWN_CURVE else pooled
