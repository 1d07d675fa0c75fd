"""Finding results by key over many parts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slmbatch.store.located import OPEN_PARTS, LocatedParts
from slmbatch.store.parts import PartStore, part_paths
from slmbatch.types import Status

from .made import key, settled


def test_results_come_in_the_order_asked_for_from_many_parts(tmp_path: Path) -> None:
    store = PartStore(tmp_path, part_rows=7)
    count = 7 * (OPEN_PARTS + 4) + 3
    for number in range(count):
        store.settle(settled(number, f"label {number}"))
    store.commit()
    located = LocatedParts(part_paths(tmp_path))
    wanted = [int(number) for number in np.random.default_rng(5).permutation(count)] * 2
    taken = located.take(located.find([key(number) for number in wanted]))
    assert taken["label"].to_pylist() == [f"label {number}" for number in wanted]


def test_keys_without_a_result_are_told(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    store.settle(settled(5))
    store.commit()
    located = LocatedParts(part_paths(tmp_path))
    assert (located.find([key(4), key(5), key(6), b"\xff" * 16, bytes(16)]) >= 0).tolist() == [
        False,
        True,
        *[False] * 3,
    ]
    assert LocatedParts([]).find([key(1)]).tolist() == [-1]
    assert LocatedParts([]).take(np.empty(0, np.int64)).num_rows == 0


def test_a_failure_that_was_retried_gives_its_latest_result(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    for number in range(4):
        store.settle(settled(number, status=Status.FAILED if number % 2 else Status.ACCEPTED))
    store.commit()
    store.settle(settled(3, "now answered"))
    store.commit()
    store.settle(settled(1, status=Status.FAILED))
    store.commit()
    store.settle(settled(1, "at last"))
    store.commit()
    located = LocatedParts(part_paths(tmp_path))
    taken = located.take(located.find([key(number) for number in range(4)]))
    assert taken["label"].to_pylist() == ["card", "at last", "card", "now answered"]
    assert taken["status"].to_pylist() == ["accepted"] * 4


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=8), max_size=6))
def test_the_last_result_of_a_key_wins_whatever_the_parts(parts: list[list[tuple[int, int]]]) -> None:
    with TemporaryDirectory() as folder:
        store = PartStore(Path(folder))
        latest: dict[int, str] = {}
        for part in parts:
            for number, label in part:
                store.settle(settled(number, f"label {label}"))
                latest[number] = f"label {label}"
            store.commit()
        located = LocatedParts(part_paths(Path(folder)))
        positions = located.find([key(number) for number in range(31)])
        assert (positions >= 0).tolist() == [number in latest for number in range(31)]
        taken = located.take(positions[positions >= 0])
        assert taken["label"].to_pylist() == [latest[number] for number in sorted(latest)]
