"""Which rows have the values that should be unique in common with an earlier row: an invoice that came twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from slmbatch.checks.letters import plain
from slmbatch.store.rows import GROUP_ROWS
from slmbatch.tasks.schema import Schema
from slmbatch.types import Kind

Digests: TypeAlias = npt.NDArray[np.bytes_]
Numbers: TypeAlias = npt.NDArray[np.int64]


class Repeats:
    """Fed with a run's rows in their order. Keeps 24 bytes for each row that has all of the values."""

    def __init__(self, schema: Schema, rows: Path) -> None:
        self._paths = schema.unique
        self._kinds = {path: field.kind for path, field in schema.fields()}
        self._rows = pq.ParquetFile(rows)
        self._id_group = lru_cache(2)(self._read_ids)
        self._number = 0
        self._runs: list[tuple[Digests, Numbers]] = []  # sorted; each digest in one of them, with its first row

    def warnings(self, batch: Sequence[Iterable[Mapping[str, Any]] | None]) -> list[list[str]]:
        """Take the leaves of the next rows, and return for each what there is to warn of: one text or none."""
        start, self._number = self._number, self._number + len(batch)
        told = [(start + place, self._digest(leaves)) for place, leaves in enumerate(batch)]
        whole = [(number, digest) for number, digest in told if digest is not None]
        first = dict(zip((number for number, _ in whole), self._first(whole), strict=True))
        return [self._warning(number, first.get(number, number)) for number in range(start, self._number)]

    def _digest(self, leaves: Iterable[Mapping[str, Any]] | None) -> bytes | None:
        values = {leaf["path"]: leaf["value"] for leaf in leaves or ()}
        plain = [self._plain(path, values.get(path)) for path in self._paths]
        return None if None in plain else blake2b(repr(plain).encode(), digest_size=16).digest()

    def _plain(self, path: str, value: str | None) -> str | None:
        """A value without what may differ from one reading to the next; None where there's none."""
        if value is None:
            return None
        if self._kinds[path] is Kind.DECIMAL:
            return str(Decimal(value).normalize())
        if self._kinds[path] is not Kind.TEXT:
            return value
        return plain(value) or None  # "4711-A" and "4711 a" are the same number

    def _first(self, rows: Sequence[tuple[int, bytes]]) -> list[int]:
        """Return the number of the first row with the same digest for each: its own, if it's new."""
        if not rows:
            return []
        numbers = np.array([number for number, _ in rows], dtype=np.int64)
        distinct, places, back = np.unique(
            np.array([digest for _, digest in rows], dtype="S16"), return_index=True, return_inverse=True
        )
        first = numbers[places]
        new = np.ones(len(distinct), dtype=bool)
        for keys, at in self._runs:
            where = np.minimum(np.searchsorted(keys, distinct), len(keys) - 1)
            known = keys[where] == distinct
            first[known] = at[where][known]
            new &= ~known
        self._add(distinct[new], first[new])
        earliest: list[int] = first[back].tolist()
        return earliest

    def _add(self, keys: Digests, at: Numbers) -> None:
        """Keep new digests; runs of similar size are merged, so that there are few of them."""
        while self._runs and len(self._runs[-1][0]) <= 2 * len(keys):
            more, more_at = self._runs.pop()
            keys, at = np.concatenate([more, keys]), np.concatenate([more_at, at])
            order = np.argsort(keys, kind="stable")
            keys, at = keys[order], at[order]
        if len(keys):
            self._runs.append((keys, at))

    def _warning(self, number: int, first: int) -> list[str]:
        if first == number:
            return []
        same = self._id_group(first // GROUP_ROWS)[first % GROUP_ROWS]
        return [f"the same {', '.join(self._paths)} as {same}"]

    def _read_ids(self, group: int) -> list[str]:
        """The ids of one row group: the rows are written GROUP_ROWS at a time."""
        ids: list[str] = self._rows.read_row_group(group, columns=["id"])["id"].to_pylist()
        return ids
