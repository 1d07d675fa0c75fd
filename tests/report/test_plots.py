"""What the plots show: every row once, and lengths in proportion to the counts."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

import polars as pl
import pytest

from slmbatch.report.plots import BINS, plots
from slmbatch.report.svg import LEFT, RIGHT, WIDTH, Bar, bars, histogram, steps


def rows(*told: tuple[str, str | None, float | None, float | None]) -> pl.LazyFrame:
    """Rows of (status, tier, score, confidence)."""
    schema = {"status": pl.String, "tier": pl.String, "score": pl.Float64, "confidence": pl.Float64}
    return pl.DataFrame(list(told), schema=schema, orient="row").lazy()


ROWS = rows(
    ("accepted", "head", 0.95, 0.95),
    ("accepted", "head", 1.0, 1.0),
    ("review", "head", 0.0, 0.0),
    ("accepted", "openai:m", 0.82, None),
    ("review", "openai:m", 0.05, None),
    ("review", "openai:m", None, None),
    ("unreadable", None, None, None),
)


def boxes(svg: Element, kind: str) -> list[tuple[float, float]]:
    """Width and height of each rectangle of a kind."""
    return [
        (float(one.get("width", 0)), float(one.get("height", 0)))
        for one in svg.iter("rect")
        if one.get("class") == kind
    ]


def test_rows_settle_at_the_tier_that_was_trusted_or_nowhere() -> None:
    found = {(one["status"], one["tier"]): one["rows"] for one in plots(ROWS, [])["settled"]}
    assert found == {
        ("accepted", "head"): 2,
        ("accepted", "openai:m"): 1,
        ("review", None): 3,
        ("unreadable", None): 1,
    }


def test_confidences_and_scores_are_counted_apart_with_both_ends() -> None:
    found = plots(ROWS, [])

    def places(counts: list[int]) -> dict[int, int]:
        assert len(counts) == BINS
        return {at: count for at, count in enumerate(counts) if count}

    assert places(found["confidence"]["accepted"]) == {19: 2}  # 0.95 and 1.0: the last of twenty
    assert places(found["confidence"]["not_accepted"]) == {0: 1}
    assert places(found["score"]["accepted"]) == {16: 1}
    assert places(found["score"]["not_accepted"]) == {1: 1}
    assert plots(rows(("unreadable", None, None, None)), [])["score"] is None


def test_bars_are_as_long_as_their_counts_and_small_ones_still_seen() -> None:
    drawn = bars(
        "t", "d", [Bar("a", [("accepted", 300.0), ("review", 100.0)], ""), Bar("b", [("accepted", 0.001)], "")]
    )
    assert boxes(drawn, "accepted") == [(540.0, 12.0), (2.0, 12.0)]
    assert boxes(drawn, "review") == [(180.0, 12.0)]
    assert bars("t", "d", [Bar("nothing", [("accepted", 0.0)], "")]).find("title") is not None


def test_columns_of_a_histogram_stand_on_each_other() -> None:
    drawn = histogram("t", "d", [("accepted", [0, 30]), ("review", [10, 10])], mark=0.8)
    # The axis ends at 40, which is 180 high.
    assert boxes(drawn, "accepted") == [(pytest.approx((WIDTH - LEFT - RIGHT) / 2 - 2), 135.0)]
    assert [height for _, height in boxes(drawn, "review")] == [45.0, 45.0]
    assert "threshold 0.8" in [one.text for one in drawn.iter("text")]


@pytest.mark.parametrize(
    ("most", "last"),
    [(0.004, "0.004"), (1.0, "1"), (7.0, "8"), (40.0, "40"), (4001.0, "6,000"), (2_500_000.0, "3,000,000"), (0.0, "1")],
)
def test_an_axis_ends_at_a_round_number_that_nothing_exceeds(most: float, last: str) -> None:
    drawn = steps("t", "d", [[(0.0, 1.0, most)]], unit="s")
    ticks = [str(one.text) for one in drawn.iter("text") if not str(one.text).endswith(" s")]
    assert ticks[-1] == last
    assert 1 <= len(ticks) <= 6


def test_a_resumed_run_is_one_line_of_steps_with_a_mark_between() -> None:
    runs: Any = [[(0.0, 1.0, 10.0), (1.0, 2.0, 20.0)], [], [(2.0, 4.0, 5.0)]]
    drawn = steps("t", "d", runs, unit="s")
    paths = [str(one.get("d")) for one in drawn.iter("path")]
    assert len(paths) == 2
    heights = [float(one) for one in re.findall(r"V([\d.]+)", paths[0])]
    assert heights == [112.0, 22.0, 202.0]  # 10 and 20 of 20, from 22 down to 202
    assert [one.text for one in drawn.iter("text")].count("resumed") == 1
