"""Where each key's result lies among the parts, and fetching results for batches of keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from slmbatch.store.records import PART

OPEN_PARTS = 6  # results lie in about the order of the rows, so few parts are needed at a time


class LocatedParts:
    """All results of a run, by key. A key that was settled again (a retried failure) gives its latest result."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._open: OrderedDict[int, pa.Table] = OrderedDict()
        keys, parts, places = [np.empty(0, "S16")], [np.empty(0, np.int32)], [np.empty(0, np.int32)]
        for number, path in enumerate(self._paths):
            column = pq.read_table(path, columns=["key"])["key"]
            keys.append(np.array(column.to_pylist(), dtype="S16"))
            parts.append(np.full(len(column), number, np.int32))
            places.append(np.arange(len(column), dtype=np.int32))
        all_keys = np.concatenate(keys)
        order = np.argsort(all_keys, kind="stable")  # equal keys stay oldest first
        self._keys = all_keys[order]
        self._parts = np.concatenate(parts)[order]
        self._places = np.concatenate(places)[order]

    def find(self, keys: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """Return the position of each key's latest result, or -1 where there is none."""
        wanted = np.array(keys, dtype="S16")
        if not len(self._keys):
            return np.full(len(wanted), -1)
        positions = np.searchsorted(self._keys, wanted, side="right") - 1
        return np.where(self._keys[positions] == wanted, positions, -1)

    def take(self, positions: npt.NDArray[np.int64]) -> pa.Table:
        """Return the results at these positions (from `find`, none of them -1), in this order."""
        if not len(positions):
            return PART.empty_table()
        parts, places = self._parts[positions], self._places[positions]
        pieces, order = [], []
        for number in np.unique(parts):
            chosen = np.flatnonzero(parts == number)
            pieces.append(self._table(int(number)).take(pa.array(places[chosen])))
            order.append(chosen)
        back = np.argsort(np.concatenate(order), kind="stable")
        return pa.concat_tables(pieces).take(pa.array(back))

    def _table(self, number: int) -> pa.Table:
        if number not in self._open:
            self._open[number] = pq.read_table(self._paths[number])
            if len(self._open) > OPEN_PARTS:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]
