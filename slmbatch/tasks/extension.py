"""What the root of a schema says under `x-slmbatch`: rules between fields, what is unique, dates, signs of its type."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from slmbatch.errors import TaskError


class RuleSpec(BaseModel):
    """One cross-field rule as written in the schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    expr: str
    tolerance: Decimal = Decimal(0)
    level: Literal["error", "warning"] = "error"


class Extension(BaseModel):
    """What the root of a schema says to us: see docs/schemas.md."""

    model_config = ConfigDict(extra="forbid")
    rules: tuple[RuleSpec, ...] = ()
    unique: tuple[str, ...] = ()
    day_first: bool = True
    signs: tuple[str, ...] = ()


def read_extension(written: Any, *, where: str) -> Extension:
    """Read the root's `x-slmbatch`. `where` names the schema's file. Raises TaskError naming the key."""
    try:
        return Extension.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("x-slmbatch", *first["loc"]))
        remedy = "x-slmbatch has `rules`, `unique`, `day_first` and `signs`."
        raise TaskError(f"{where}: {place}: {first['msg'].lower()}.", remedy) from error


def check_unique(extension: Extension, paths: Sequence[str], *, where: str) -> None:
    """Raise TaskError unless what must be unique are leaves that a document has once, out of all `paths`."""
    single = [path for path in paths if "[]" not in path]
    for path in extension.unique:
        if path not in single:
            what = f"{where}: x-slmbatch.unique: {path!r} is no field of the schema, or one of a list."
            raise TaskError(what, f"Name some of: {', '.join(single)}.")
