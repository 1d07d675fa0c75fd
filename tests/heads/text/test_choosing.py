"""Which rows are chosen for labelling."""

from __future__ import annotations

import numpy as np

from slmbatch.heads.text.choosing import ALIKE, choose

RNG = np.random.default_rng(3)


def on_a_circle(degrees: list[float]) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_first_half_covers_what_there_is() -> None:
    rows = on_a_circle([0, 3, 6, 9, 12, 15, 120, 240])
    first = choose(rows, np.ones(8), 6)[:3]
    assert {0 if at < 6 else at for at in first} == {0, 6, 7}


def test_the_second_half_is_what_is_doubted_most() -> None:
    rows = on_a_circle(list(np.linspace(0, 330, 12)))
    sure = np.linspace(1.0, 0.1, 12)
    chosen = choose(rows, sure, 8)
    doubted = [at for at in np.argsort(sure) if at not in chosen[:4]][:4]
    assert chosen[4:] == doubted


def test_near_duplicates_are_chosen_once() -> None:
    rows = on_a_circle([0, 0.1, 0.2, 90, 90.1, 180])
    chosen = choose(rows, np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.9]), 6)
    assert len(chosen) == 3
    assert (np.triu(rows[chosen] @ rows[chosen].T, 1) < ALIKE).all()


def test_no_rows_and_more_than_there_are() -> None:
    assert choose(np.zeros((0, 2), np.float32), np.zeros(0), 5) == []
    assert choose(on_a_circle([0]), np.ones(1), 5) == [0]
    many = RNG.normal(size=(40, 64)).astype(np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    assert sorted(choose(many, RNG.random(40), 100)) == list(range(40))
