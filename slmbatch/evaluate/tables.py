"""Which tables an evaluation is shown as, on a terminal and on a page: title, heads, rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmbatch.evaluate.evaluation import Evaluation
from slmbatch.evaluate.gate import told
from slmbatch.evaluate.judged import Measure, Mistake
from slmbatch.evaluate.words import by_name, figure, interval, meaning, overall, title

MOST_MISTAKES = 15
LABELS = ("precision", "recall", "f1")
FIELDS = ("field_accuracy", "field_precision", "field_recall", "field_f1", "presence_f1", "anls")
ITEMS = ("item_precision", "item_recall", "item_f1")
CELLS = ("cell_precision", "cell_recall", "cell_f1")


@dataclass(frozen=True, slots=True)
class Shown:
    """A table of text; the first column names the row."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(evaluation: Evaluation) -> list[Shown]:
    """Return the tables that have rows."""
    measures = evaluation.measures
    whole = [
        [title(one), figure(one), interval(one), str(one.documents), meaning(one.metric)] for one in overall(measures)
    ]
    shown = [
        Shown("All", ["Measure", "Value", "95 % interval", "Documents", "What it is"], whole),
        _by_name("Labels", measures, LABELS),
        _by_name("Fields", measures, FIELDS),
        _by_name("Lists", measures, ITEMS),
        _by_name("Values in lists", measures, CELLS),
        _by_name("Rows from a score on", measures, ("accuracy_from", "share_from")),
        _by_name("Fields from a score on", measures, ("field_accuracy_from", "field_share_from")),
        _by_name("Documents from a score on", measures, ("document_accuracy_from", "document_share_from")),
    ]
    mistakes = [one for one in evaluation.judged.confusion if one.expected != one.told]
    shown.append(Shown("Most frequent mistakes", ["Expected", "Told", "Rows"], _mistakes(mistakes)))
    if evaluation.against:
        changes = [[one.metric, told(one).removeprefix(f"{one.metric} ")] for one in evaluation.against.changes]
        name = f"Against the baseline, on {evaluation.against.documents} documents"
        shown.append(Shown(name, ["Measure", "Change"], changes))
    return [one for one in shown if one.rows]


def _by_name(title: str, measures: Sequence[Measure], metrics: Sequence[str]) -> Shown:
    """One row for each label, field or threshold; its documents are the most that one of its measures rests on."""
    rows = [
        [name, *map(figure, found), str(max(one.documents for one in found if one))]
        for name, found in by_name(measures, metrics).items()
    ]
    return Shown(title, ["", *metrics, "Documents"], rows)


def _mistakes(mistakes: Sequence[Mistake]) -> list[list[str]]:
    return [[one.expected, one.told or "(no answer)", str(one.rows)] for one in mistakes[:MOST_MISTAKES]]
