"""`train` and `label`: fit a head and say how good it is; pick what to label next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

from slmbatch.run.label import Labelling, write_rows_to_label
from slmbatch.run.train import Training, train_labels

SHOWN = 20


def train_verb(training: Training, *, json_: bool, quiet: bool) -> None:
    """Train and print the card: as JSON, or as text on standard error and the folder on standard output."""
    card = train_labels(training)
    if json_:
        typer.echo(json.dumps(card, indent=2, ensure_ascii=False))
        return
    if not quiet:
        typer.echo(card_text(card), err=True)
    typer.echo(training.out)


def label_verb(labelling: Labelling, *, quiet: bool) -> None:
    """Write the rows to label, and say what to do with them."""
    rows = write_rows_to_label(labelling)
    if not quiet:
        typer.echo(f"{rows} rows: fill in the column `label`, then slmbatch train {labelling.out} -o HEAD", err=True)
    typer.echo(labelling.out)


def card_text(card: Mapping[str, Any]) -> str:
    """Return a card as lines for a terminal; the weakest labels first."""
    told = card["cross_validated"]
    lines = [
        f"{card['rows']} rows of {card['source']}; of {told['rows']} that the answering classifier hadn't seen:",
        f"  accuracy {told['accuracy']:.3f}, macro-F1 {told['macro_f1']:.3f}, "
        f"calibration error {told['calibration_error']:.3f}",
    ]
    weakest = sorted(told["by_label"], key=lambda one: one["recall"])
    for one in weakest[:SHOWN]:
        precision = "  -  " if one["precision"] is None else f"{one['precision']:.3f}"
        lines.append(f"  {one['label']:<32} {one['rows']:>6} rows  precision {precision}  recall {one['recall']:.3f}")
    if len(weakest) > SHOWN:
        lines.append(f"  and {len(weakest) - SHOWN} labels with a better recall")
    return "\n".join(lines)
