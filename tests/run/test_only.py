"""A pass over some contents of a batch alone: each is asked about once, and progress counts these and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slmbatch.cli.progress import line
from slmbatch.readers import ReadOptions
from slmbatch.run.config import ConfigFile
from slmbatch.run.execute import execute
from slmbatch.run.plan import Choices, make_plan
from slmbatch.store.folder import RunFolder
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.labels import load_labels
from tests.harness import LABELS, Loopback, key_of, row_text, write_rows


def test_progress_of_a_pass_over_some_texts_counts_these_alone(
    tmp_path: Path, loopback: Callable[..., Loopback]
) -> None:
    table, server = write_rows(tmp_path / "rows.parquet", [*range(100), *range(100)]), loopback()
    chosen = Choices((str(table),), tmp_path / "out", server.model, prices=(f"{server.model}=0",))
    plan = make_plan(ClassifyTask(load_labels(",".join(LABELS))), chosen, ConfigFile(), ReadOptions(workers=1))
    wanted = frozenset(key_of(row_text(row)) for row in (3, 50, 99))
    with RunFolder(chosen.out).claimed() as folder:
        counts = execute(plan, folder, only=wanted)
        assert (counts.total, counts.read, counts.done) == (3, 3, 3)
        assert line(counts).startswith("3/3 rows")
        again = execute(plan, folder, only=wanted | {key_of(row_text(4))})
    assert (again.total, again.done, again.resumed) == (4, 4, 3)
    assert server.asked().total() == 4
