"""Holds lists of amounts against an independent count of the document's rows: none is accepted that leaves one out."""

from __future__ import annotations

from collections.abc import Sequence

from slmbatch.checks.rows import count_rows
from slmbatch.run.checked import list_lengths
from slmbatch.tasks.extract import ExtractTask
from slmbatch.types import Document, Kind, Leaf


class RowCount:
    """Counts rows for the one list of a schema whose items have an amount.

    Where there are several such lists, or none, it isn't known whose the rows are, and nothing is said.
    """

    def __init__(self, task: ExtractTask) -> None:
        fields = task.schema.fields()
        lists = {path.partition("[]")[0] for path, field in fields if "[]" in path and field.kind is Kind.DECIMAL}
        self._path = lists.pop() if len(lists) == 1 else None

    def missing(self, leaves: Sequence[Leaf], document: Document) -> dict[str, str]:
        """Return what is wrong with a list that has fewer items than the document has rows, by its path."""
        if self._path is None:
            return {}
        items = list_lengths(leaf.path for leaf in leaves).get(self._path, 0)
        rows = count_rows(document.text)
        return {self._path: f"{items} items, and the document has at least {rows} rows"} if items < rows else {}
