"""eval.html: the evaluation for people, in one file that needs no network. It names labels and fields, no texts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element

from slmbatch import __version__
from slmbatch.evaluate.evaluation import Evaluation
from slmbatch.evaluate.judged import Measure, Mistake
from slmbatch.evaluate.scores import Scored
from slmbatch.evaluate.tables import Shown, tables
from slmbatch.evaluate.words import figure, interval, meaning, notes
from slmbatch.report.markup import document, element, table
from slmbatch.report.svg import steps
from slmbatch.store.folder import EVALUATION_PAGE, write_durably

TILES = ("accuracy", "macro_f1", "field_f1", "item_f1", "document_accuracy", "accepted", "accepted_accuracy")
MOST_LABELS = 15  # of a confusion matrix: a larger one isn't read any more
MOST_STEPS = 300
CURVES = {"": "rows", "field_": "fields", "document_": "documents"}


def write_page(root: Path, evaluation: Evaluation) -> Path:
    """Write eval.html and return its path."""
    write_durably(root / EVALUATION_PAGE, page(evaluation).encode())
    return root / EVALUATION_PAGE


def page(evaluation: Evaluation) -> str:
    """Return the page."""
    judged = evaluation.judged
    title = f"{evaluation.task}: {len(judged.ids):,} documents against expected answers"
    style = files("slmbatch.report").joinpath("page.css").read_text(encoding="utf-8")
    told = notes(judged.missing, judged.unjudged, judged.repeated, judged.not_asked)
    return document(
        f"slmbatch: {title}",
        style,
        element("h1", title),
        *(element("p", f"{note}.", class_="soft") for note in told),
        _tiles(evaluation.measures),
        *(part for one in tables(evaluation) for part in _shown(one)),
        *_matrix(judged.confusion),
        *(part for one in judged.scored for part in _curve(one)),
        *(element("p", str(one)) for one in evaluation.replaced),
        element("p", f"Cost rests on: {evaluation.cost_basis}.", class_="soft"),
        element("footer", f"slmbatch {__version__}. It names labels and fields and holds no text of documents."),
    )


def _tiles(measures: Sequence[Measure]) -> Element:
    found = {one.metric: one for one in measures if one.name is None}
    tiles = [(found[metric], metric.replace("_", " ")) for metric in TILES if metric in found]
    return element(
        "div",
        *(
            element(
                "div",
                element("span", name),
                element("b", figure(one)),
                element("small", f"{interval(one)}; {meaning(one.metric)}"),
                class_="tile",
            )
            for one, name in tiles
        ),
        class_="tiles",
    )


def _shown(one: Shown) -> list[Element]:
    return [element("h2", one.title), table(one.head, one.rows, id_=one.title.split(",")[0].lower().replace(" ", "-"))]


def _matrix(confusion: Sequence[Mistake]) -> list[Element]:
    """Rows by expected label, columns by what was told; left out where it has too many columns to be read."""
    names = sorted({one.expected for one in confusion} | {one.told for one in confusion if one.told is not None})
    if not names or len(names) > MOST_LABELS:
        return []
    counts = {(one.expected, one.told): one.rows for one in confusion}
    told: list[str | None] = [*names, *([None] if any(one.told is None for one in confusion) else [])]
    expected = [name for name in names if any(one.expected == name for one in confusion)]
    rows = [[name, *(str(counts.get((name, other), 0)) for other in told)] for name in expected]
    head = ["Expected", *(other or "(no answer)" for other in told)]
    return [element("h2", "Expected and told"), table(head, rows, id_="confusion")]


def _curve(one: Scored) -> list[Element]:
    curve = one.curve()
    if not curve:
        return []
    kept = curve[:: 1 + len(curve) // MOST_STEPS]
    kept = kept if kept[-1] == curve[-1] else [*kept, curve[-1]]
    begins = [0.0, *(share for share, _ in kept)]
    run = [(100 * begin, 100 * end, 100 * risk) for begin, (end, risk) in zip(begins, kept, strict=False)]
    title = f"Wrong {CURVES[one.prefix]} among the surest"
    told = f"Of the surest {run[0][1]:.0f} % {run[0][2]:.1f} % are wrong, of all that have a score {run[-1][2]:.1f} %."
    return [
        element("h2", title),
        element("p", "Across: percent that are taken, surest first. Upwards: percent of wrong ones.", class_="soft"),
        element("figure", steps(title, told, [run], unit="%")),
    ]
