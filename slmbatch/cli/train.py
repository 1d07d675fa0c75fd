"""`train` and `label`: fit a head and say how good it is; pick what to label next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from slmbatch.errors import UsageError
from slmbatch.readers import ReadOptions
from slmbatch.run.label import Labelling, write_rows_to_label
from slmbatch.run.train import Training, train_labels
from slmbatch.run.train_fields import FieldTraining, train_fields
from slmbatch.tasks.labels import load_labels
from slmbatch.tasks.schema_files import load_schema

SHOWN = 20


def train_on_labels(training: Training, labels: str | None) -> dict[str, Any]:
    """Fit a classifier on labelled rows; return its card."""
    return train_labels(replace(training, labels=load_labels(labels) if labels else None))


def train_on_fields(
    sources: tuple[str, ...], out: Path, schema: str, gold: Path | None, reading: ReadOptions, *, overwrite: bool
) -> dict[str, Any]:
    """Fit what finds a schema's fields on documents with expected values; return its card."""
    if gold is None:
        raise UsageError("--gold is missing.", "Fields are learned from documents, a --schema and a --gold file.")
    return train_fields(FieldTraining(sources, gold, out, load_schema(schema), reading, overwrite))


def show_card(card: Mapping[str, Any], out: Path, *, json_: bool, quiet: bool) -> None:
    """Print a card: as JSON, or as text on standard error and the folder on standard output."""
    if json_:
        typer.echo(json.dumps(card, indent=2, ensure_ascii=False))
        return
    if not quiet:
        lines = _of_labels(card) if isinstance(card["cross_validated"], Mapping) else _of_fields(card)
        typer.echo("\n".join(lines), err=True)
    typer.echo(out)


def _of_labels(card: Mapping[str, Any]) -> Iterator[str]:
    """A classifier's card; the labels that are missed most come first."""
    told = card["cross_validated"]
    yield f"{card['rows']} rows of {card['source']}; of {told['rows']} that the answering classifier hadn't seen:"
    yield (
        f"  accuracy {told['accuracy']:.3f}, macro-F1 {told['macro_f1']:.3f}, "
        f"calibration error {told['calibration_error']:.3f}"
    )
    weakest = sorted(told["by_label"], key=lambda one: one["recall"])
    for one in weakest[:SHOWN]:
        precision = "  -  " if one["precision"] is None else f"{one['precision']:.3f}"
        yield f"  {one['label']:<32} {one['rows']:>6} rows  precision {precision}  recall {one['recall']:.3f}"
    if len(weakest) > SHOWN:
        yield f"  and {len(weakest) - SHOWN} labels with a better recall"


def _of_fields(card: Mapping[str, Any]) -> Iterator[str]:
    yield f"{card['documents']} documents of {card['source']}; in those that weren't learned from, by vendor:"
    for one in card["cross_validated"]:
        learned = "" if one["path"] in card["learned"] else "  (too few values: the shipped weights)"
        yield (
            f"  {one['path']:<24} {one['right']:>5} of {one['values']:>5} right; "
            f"at confidence 0.9 {one['sure_right']} of {one['sure']}{learned}"
        )


def label_verb(labelling: Labelling, *, quiet: bool) -> None:
    """Write the rows to label, and say what to do with them."""
    rows = write_rows_to_label(labelling)
    if not quiet:
        typer.echo(f"{rows} rows: fill in the column `label`, then slmbatch train {labelling.out} -o HEAD", err=True)
    typer.echo(labelling.out)
