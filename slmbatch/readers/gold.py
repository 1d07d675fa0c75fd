"""Expected answers: a table of labels, or lines of field values."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from slmbatch.errors import InputError

ID_NAMES = ("doc_id", "document_id", "row_id", "document")
ANSWERS = ("label", "values")
REMEDY = "Give a CSV or Parquet file with the columns id and label, or JSONL with id and values."
BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)  # the last: nested without end
Told: TypeAlias = tuple[str, Any, Any]  # where it stands, the id, the expected answer


def read_gold(path: Path) -> dict[str, Any]:
    """Read expected answers by id: a label, or values by field. Raises InputError when they can't be read.

    The id is the column or key 'id', else the only one that is called like an id, else the only one besides the answer.
    A run's results.parquet can be given as well: what it accepted is taken for right.
    """
    try:
        return _by_id(_lines(path) if path.suffix == ".jsonl" else _rows(path), path)
    except (*BROKEN, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: can't be read as expected answers: {error}", REMEDY) from error


def read_types(path: Path) -> dict[str, str]:
    """Read the expected types of documents by id, of the lines that tell one. Raises InputError like read_gold."""
    if path.suffix != ".jsonl":
        return {}
    try:
        told = _by_id(_lines(path, ("type",)), path)
    except BROKEN as error:
        raise InputError(f"{path}: can't be read as expected answers: {error}", REMEDY) from error
    for name, type_ in told.items():
        if type_ is not None and not isinstance(type_, str):
            raise InputError(f"{path}: the type of {name} is not a text.", 'Give lines {"id": …, "type": "invoice"}.')
    return {name: type_ for name, type_ in told.items() if type_ is not None}


def _by_id(told: Iterable[Told], path: Path) -> dict[str, Any]:
    """Gather the answers. One that's told twice can't be relied on: nothing says which is right."""
    answers: dict[str, Any] = {}
    places: dict[str, str] = {}
    for place, key, answer in told:
        if key is None:
            raise InputError(f"{path}: {place} has no id.", "Say which document it is about, or leave it out.")
        name = str(key)
        if name in answers:
            remedy = "Keep one expected answer for each document."
            raise InputError(f"{path}: {place} has the id '{name}', as {places[name]} has.", remedy)
        answers[name], places[name] = answer, place
    return answers


def _lines(path: Path, answers: Sequence[str] = ANSWERS[::-1]) -> Iterator[Told]:
    """Yield each line with the first of these keys that it has."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            told = json.loads(line)
            yield (
                f"line {number}",
                told[_id_among(path, told)],
                next((told[one] for one in answers if one in told), None),
            )


def _rows(path: Path) -> Iterator[Told]:
    if path.suffix == ".parquet":
        table = pl.read_parquet(path, use_pyarrow=True)  # polars' own reader panics on some damaged files
    else:
        table = pl.read_csv(path, infer_schema=False)
    columns = [table[_id_among(path, table.columns)].cast(pl.String), table["label"]]
    kept = table["status"] == "accepted" if "status" in table.columns else [True] * len(table)
    for number, (key, label, one) in enumerate(zip(*columns, kept, strict=True), 1):
        if one:
            yield f"row {number}", key, label


def _id_among(path: Path, names: Collection[str]) -> str:
    for candidates in (
        [name for name in names if name.lower() == "id"],
        [name for name in names if name.lower() in ID_NAMES],
        [name for name in names if name not in ANSWERS],
    ):
        if len(candidates) == 1:
            return candidates[0]
    raise InputError(f"{path}: which column holds the id? There is no 'id' among: {', '.join(names)}", REMEDY)
