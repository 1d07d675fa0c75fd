"""Why expected answers have nothing in common with a run, and what to change in their file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from slmbatch.errors import InputError
from slmbatch.evaluate.fields import field_names


def nothing_judged(
    out: Path, gold: Path, ids: Collection[str], missing: Sequence[str], not_asked: Sequence[str]
) -> InputError:
    """Return the error for a file of expected answers to `ids`: without a result (`missing`), or of unknown fields."""
    if not_asked and not missing:
        return _unknown_fields(out, gold, not_asked)
    first = f"; without a result is {missing[0]}" if missing else ""
    return InputError(
        f"{gold}: none of its {len(ids)} ids has an expected answer and a result in this run{first}.",
        _split(out, missing)
        or f"Ids are those of the column id of {out / 'results.parquet'}{_example(out)}; those of a table's rows come "
        "from the column that --id-column named, else they are PATH#ROW.",
    )


def _unknown_fields(out: Path, gold: Path, not_asked: Sequence[str]) -> InputError:
    known = sorted(field_names(out))
    typed = [(name, path) for name in not_asked for path in known if path.partition(".")[2] == name]
    if typed:
        name, path = typed[0]
        type_ = path.partition(".")[0]
        remedy = f'Paths begin with the type in a run of several: {path}, written {{"{type_}": {{"{name}": …}}}}.'
        return InputError(f"{gold}: {name} is no field of this run.", remedy)
    return InputError(f"{gold}: {not_asked[0]} is no field of this run.", f"Its fields are: {', '.join(known)}.")


def _split(out: Path, missing: Sequence[str]) -> str | None:
    """Say how the documents are called that a missing file was split into."""
    rows = pl.read_parquet(out / "results.parquet", columns=["id", "parent"])
    parts = rows.filter(pl.col("parent").is_in(list(missing)))
    if parts.is_empty():
        return None
    name, parent = parts.row(0)
    return f"{parent} holds several documents, with an id each: the first is {name}."


def _example(out: Path) -> str:
    ids = pl.scan_parquet(out / "results.parquet").select("id").head(1).collect()["id"].to_list()
    return f", such as {ids[0]}" if ids else ""
