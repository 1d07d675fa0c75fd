import numpy as np
import pytest

from slmbatch.certificates.counting import Target
from slmbatch.certificates.reuse import drift, reuse


def test_the_threshold_is_the_score_of_the_first_error_that_is_not_tolerated() -> None:
    scores = np.linspace(1, 0, 300)
    wrong = np.zeros(300, bool)
    wrong[100::10] = True
    found = reuse(scores, wrong, np.random.default_rng(0).random(1_000), Target(0.95, 0.1))
    assert found is not None
    assert found.threshold == scores[100 + 10 * found.tolerated]
    assert found.risk <= 0.1
    clean = reuse(scores, np.zeros(300, bool), scores, Target(0.95, 0.1))
    assert clean is not None
    assert clean.threshold == -np.inf


def test_as_many_errors_are_tolerated_as_other_work_found() -> None:
    """c for 300 labels: 20-22 at 0.90, 8-9 at 0.95, 2 at 0.98, over the next batch's size."""
    for agreement, wanted in ((0.9, {20, 21, 22}), (0.95, {8, 9}), (0.98, {2})):
        for rows in (500, 1_000, 100_000):
            found = reuse(np.ones(300), np.zeros(300, bool), np.ones(rows), Target(agreement, 0.1))
            assert found is not None
            assert found.tolerated in wanted


def test_too_few_labels_promise_nothing() -> None:
    assert reuse(np.ones(100), np.zeros(100, bool), np.ones(1_000), Target(0.98, 0.1)) is None


def test_drift_alarms_for_one_batch_in_a_hundred_that_did_not_drift() -> None:
    random = np.random.default_rng(3)
    alarms = [drift(random.random(200), random.random(150)).alarm for _ in range(4_000)]
    assert 0.003 < np.mean(alarms) < 0.016


def test_drift_is_seen_where_scores_moved() -> None:
    random = np.random.default_rng(4)
    found = drift(random.random(300), random.random(300) ** 2)
    assert found.alarm
    assert found.gap == pytest.approx(0.25, abs=0.09)
    with pytest.raises(ValueError, match="some of both"):
        drift(np.array([]), np.array([1.0]))
