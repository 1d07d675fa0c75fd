from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from slmbatch.certificates.calibration import auroc, confidence_features
from slmbatch.certificates.learning import Learned, Taught, learn

ROWS = 600
TOPICS = ("billing", "login", "crash", "shipping")


def taught(*, seed: int = 5, rows: int = ROWS) -> Taught:
    """Rows whose margin says how probably they are right, and whose plain score says nothing."""
    random = np.random.default_rng(seed)
    best = random.uniform(0.5, 1, rows)
    second = random.uniform(0, 1 - best)
    wrong = random.random(rows) < 1 / (1 + np.exp(12 * (best - second - 0.4)))
    everywhere, own = np.ones(rows, bool), np.arange(rows)
    return Taught(confidence_features(best, second), np.full(rows, ""), wrong, random.random(rows), everywhere, own)


def test_a_ranking_is_learned_where_it_beats_the_score_on_rows_held_out() -> None:
    lesson = learn(taught(), seed=0)
    assert lesson.ranking is not None
    assert lesson.plain is not None
    assert lesson.learned is not None
    assert lesson.learned > 0.8 > lesson.plain + 0.2
    later = taught(seed=6)
    ranked = auroc(lesson.ranking.sureness(later.features, later.classes), later.wrong)
    assert ranked is not None
    assert ranked.value == pytest.approx(lesson.learned, abs=0.05)


def test_a_score_that_tells_all_there_is_stays() -> None:
    rows = taught()
    lesson = learn(replace(rows, scores=rows.features[:, 2]), seed=0)  # the margin
    assert lesson.ranking is None
    assert lesson.plain is not None
    assert lesson.plain > 0.8


def test_nothing_is_learned_from_few_rows_or_from_rows_that_are_all_right() -> None:
    rows = taught()
    assert learn(taught(rows=199), seed=0).ranking is None
    assert learn(replace(rows, wrong=np.zeros(ROWS, bool)), seed=0).ranking is None
    assert learn(replace(rows, drawn=np.arange(ROWS) < 199), seed=0).ranking is None
    assert learn(taught(rows=3), seed=0).ranking is None
    assert learn(taught(rows=0), seed=0).ranking is None


def test_rows_without_a_score_are_ranked_last_by_it() -> None:
    rows = taught()
    lesson = learn(replace(rows, scores=np.where(rows.wrong, np.nan, 0.1)), seed=0)
    assert (lesson.plain, lesson.ranking) == (1.0, None)


def test_a_class_that_is_often_wrong_is_ranked_low_and_labels_at_random_teach_nothing() -> None:
    random = np.random.default_rng(1)
    classes = np.array(TOPICS)[random.integers(0, 4, ROWS)]
    bad = random.random(ROWS) < np.where(classes == "crash", 0.8, 0.1)
    blank, own = np.zeros((ROWS, 1)), np.arange(ROWS)
    rows = Taught(blank, classes, bad, random.random(ROWS), np.ones(ROWS, bool), own)
    lesson = learn(rows, seed=0)
    assert lesson.ranking is not None
    told = lesson.ranking.sureness(np.zeros((5, 1)), np.array([*TOPICS, "never seen"]))
    assert told[2] < 0.4 < 0.6 < min(told[0], told[1], told[3], told[4])
    many = random.integers(0, 150, ROWS).astype(str)  # four rows a class: its rate is its rows' labels
    guessed = learn(replace(rows, classes=many, wrong=random.random(ROWS) < 0.3), seed=0)
    assert guessed.learned is not None
    assert abs(guessed.learned - 0.5) < 0.08


def test_copies_of_a_row_are_held_out_together() -> None:
    random = np.random.default_rng(2)
    wrong = random.random(150) < 0.3
    numbers = np.tile(np.arange(150), 2)
    features = np.eye(150)[numbers]  # which row it is: it tells all of a copy, and nothing of another row
    twice = Taught(features, np.full(300, ""), wrong[numbers], random.random(300), np.ones(300, bool), numbers)
    lesson, apart = learn(twice, seed=0), learn(replace(twice, contents=np.arange(300)), seed=0)
    assert lesson.learned is not None
    assert apart.learned is not None
    assert lesson.learned < 0.6 < 0.8 < apart.learned


def test_rows_chosen_by_their_score_teach_and_the_drawn_ones_judge() -> None:
    """The doubtful half was labelled entirely, of the others one row in five."""
    random, rows = np.random.default_rng(3), taught(rows=3_000)
    drawn = random.random(3_000) < 0.2
    margin = rows.features[:, 2]
    known = np.flatnonzero(drawn | (margin < np.median(margin)))
    features, wrong, scores = rows.features[known], rows.wrong[known], rows.scores[known]
    some = Taught(features, np.full(len(known), ""), wrong, scores, drawn[known], np.arange(len(known)))
    lesson = learn(some, seed=0)
    assert lesson.ranking is not None
    truth = 1 / (1 + np.exp(-12 * (margin - 0.4)))
    assert np.abs(lesson.ranking.sureness(rows.features, rows.classes) - truth).mean() < 0.03
    everywhere = learn(rows, seed=0)
    assert lesson.learned == pytest.approx(everywhere.learned, abs=0.03)


def test_a_ranking_is_the_same_after_a_way_through_json() -> None:
    rows = taught()
    ranking = learn(rows, seed=0).ranking
    assert ranking is not None
    assert msgspec.json.decode(msgspec.json.encode(ranking), type=Learned) == ranking
