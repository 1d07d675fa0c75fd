"""Runs inside this process, so that what they leave unclosed is a warning and so an error."""

from __future__ import annotations

from pathlib import Path

from slmbatch.readers import ReadOptions
from slmbatch.run.config import load_config
from slmbatch.run.execute import execute
from slmbatch.run.loop import Counts
from slmbatch.run.plan import Choices, make_plan
from slmbatch.store.folder import RunFolder
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.labels import load_labels
from slmbatch.tasks.schema import compile_schema
from tests.harness import LABELS


def classify(
    source: Path,
    out: Path,
    model: str,
    *,
    labels: str = ",".join(LABELS),
    reading: ReadOptions | None = None,
    config: Path | None = None,
    **choices: object,
) -> Counts:
    """Classify `source` into `out`, or go on with it; `choices` are those of slmbatch.run.plan.Choices."""
    chosen = Choices(inputs=(str(source),), out=out, model=model, prices=_unpaid(model, choices), **choices)  # type: ignore[arg-type]
    task = ClassifyTask(load_labels(labels))
    with RunFolder(out).claimed() as folder:
        return execute(make_plan(task, chosen, load_config(config), reading or ReadOptions(workers=1)), folder)


def extract(
    source: Path, out: Path, model: str, schema: dict[str, object], *, config: Path | None = None, **choices: object
) -> Counts:
    """Extract the fields of `schema` from `source` into `out`."""
    chosen = Choices(inputs=(str(source),), out=out, model=model, prices=_unpaid(model, choices), **choices)  # type: ignore[arg-type]
    task = ExtractTask(compile_schema(schema, name="made", where="made"))
    with RunFolder(out).claimed() as folder:
        return execute(make_plan(task, chosen, load_config(config), ReadOptions(workers=1)), folder)


def _unpaid(model: str, choices: dict[str, object]) -> tuple[str, ...]:
    """Say that the scripted servers named cost nothing."""
    higher = choices.get("escalate", ())
    assert isinstance(higher, tuple)
    return tuple(f"{tier}=0" for tier in (model, *higher))
