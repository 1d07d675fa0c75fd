"""The clock of a run: what its sessions took, and how many rows each settled when."""

from __future__ import annotations

from pathlib import Path

from slmbatch.store.sessions import FINEST_S, MOST_INTERVALS, Pace, Session, spent


def test_a_pace_counts_rows_where_they_were_settled() -> None:
    pace = Pace()
    for at_s, rows in ((0.0, 1), (0.2, 2), (0.25, 4), (1.0, 8)):
        pace.add(at_s, rows)
    assert (pace.interval_s, pace.rows) == (0.25, [3, 4, 0, 0, 8])


def test_a_long_session_keeps_every_row_in_few_intervals() -> None:
    pace, second = Pace(), 7
    for at_s in range(0, 100_000, second):
        pace.add(float(at_s), 3)
    assert sum(pace.rows) == 3 * len(range(0, 100_000, second))
    assert len(pace.rows) <= MOST_INTERVALS
    assert pace.interval_s == 512  # 0.25 x 2^11: the first with which 100,000 s fit into 240 intervals
    middle = pace.rows[1:-1]
    assert max(middle) - min(middle) <= 3  # an even pace stays even


def test_a_pause_longer_than_all_intervals_merges_until_it_fits() -> None:
    pace = Pace()
    pace.add(0.3, 5)
    pace.add(FINEST_S * MOST_INTERVALS * 4, 7)
    assert (pace.rows[0], pace.rows[-1], sum(pace.rows)) == (5, 7, 12)


def test_the_sessions_of_a_run_add_up_and_keep_their_own_pace(tmp_path: Path) -> None:
    for rows in (3, 4):
        session = Session(tmp_path)
        session.count(rows)
        session.save({"head": 1.5}, now=True)
    (tmp_path / "session-0002.json").write_text('{"wall')  # half written when the power went
    found = spent(tmp_path)
    assert found.busy_s == {"head": 3.0}
    assert [sum(pace.rows) for pace in found.paces] == [3, 4]
    assert all(pace.started_at.endswith("+00:00") for pace in found.paces)
