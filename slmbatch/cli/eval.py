"""What `slmbatch eval` does: measure a finished run against expected answers, show it, and hold it to bounds."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slmbatch.cli import options as o
from slmbatch.errors import FellShort

if TYPE_CHECKING:
    from slmbatch.evaluate.evaluation import Evaluation

FORMAT = 1
WIDTH = 120  # of what isn't a terminal


def eval_verb(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished run.")],
    gold: Annotated[Path, typer.Option("--gold", help="Expected answers: a table of labels, or JSONL of values.")],
    min_: Annotated[list[str] | None, typer.Option("--min", metavar="MEASURE=N,...", help="Fail below this.")] = None,
    max_: Annotated[list[str] | None, typer.Option("--max", metavar="MEASURE=N,...", help="Fail above this.")] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="An earlier run's folder: fail if this one is surely worse.")
    ] = None,
    json_: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Measure a run against expected answers; exit with 3 if it isn't good enough."""
    from slmbatch.evaluate.evaluation import evaluate, write_table
    from slmbatch.evaluate.gate import parse_bounds, shortfalls, told, worse
    from slmbatch.evaluate.page import write_page

    bounds = [*parse_bounds(min_ or [], least=True), *parse_bounds(max_ or [], least=False)]
    evaluation = evaluate(out, gold, baseline)
    failed = shortfalls(evaluation, bounds)
    if evaluation.against:
        failed += [f"{told(one)}, against {baseline}" for one in worse(evaluation.against.changes)]
    written = [write_table(out, evaluation), write_page(out, evaluation)]
    if json_:
        typer.echo(json.dumps(_as_json(evaluation, failed), indent=2, ensure_ascii=False))
    else:
        _show(evaluation)
        typer.echo("\n".join(map(str, written)), err=True)
    if failed:
        raise FellShort("; ".join(failed) + ".", f"What is wrong is in {out / 'results.parquet'}.")


def _as_json(evaluation: Evaluation, failed: Sequence[str]) -> dict[str, Any]:
    judged, against = evaluation.judged, evaluation.against
    return {
        "format": FORMAT,
        "task": evaluation.task,
        "documents": len(judged.ids),
        "missing": list(judged.missing),
        "unjudged": judged.unjudged,
        "repeated": judged.repeated,
        "not_asked": list(judged.not_asked),
        "cost_basis": evaluation.cost_basis,
        "measures": [asdict(one) for one in evaluation.measures],
        "confusion": [asdict(one) for one in judged.confusion],
        "replaced": [one.facts() for one in evaluation.replaced],
        "baseline": asdict(against) | {"baseline": str(against.baseline)} if against else None,
        "failed": list(failed),
    }


def _show(evaluation: Evaluation) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from slmbatch.evaluate.tables import tables
    from slmbatch.evaluate.words import notes

    judged = evaluation.judged
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(f"{evaluation.task}: {len(judged.ids)} documents against expected answers", markup=False)
    for note in notes(judged.missing, judged.unjudged, judged.repeated, judged.not_asked):
        console.print(f"  {note}", markup=False)
    for one in tables(evaluation):
        shown = Table(title=one.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in one.head:
            shown.add_column(name, overflow="fold")
        for row in one.rows:
            shown.add_row(*map(escape, row))
        console.print(shown)
    for said in evaluation.replaced:
        console.print(str(said), markup=False)
    console.print(f"cost rests on: {evaluation.cost_basis}", markup=False)
