"""Logistic regression against SciPy's own minimiser, on small problems with a known optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from slmbatch.heads.text.logistic import Logistic, fit, sigmoid, softmax

RNG = np.random.default_rng(5)
COLUMNS = RNG.normal(size=(200, 6)).astype(np.float32)
TRUTH = RNG.normal(size=(6, 3)).astype(np.float32)
CHOSEN = (COLUMNS @ TRUTH + RNG.gumbel(size=(200, 3))).argmax(axis=1)
ONE_HOT = np.eye(3, dtype=np.float32)[CHOSEN]


def loss(model: Logistic, targets: np.ndarray, *, strength: float, multi: bool) -> float:
    logits = (COLUMNS @ model.weights + model.biases).astype(np.float64)
    if multi:
        total = float((np.logaddexp(0, logits) - targets * logits).sum())
    else:
        total = float(-np.log(softmax(logits)[targets.astype(bool)]).sum())
    return total + float((model.weights.astype(np.float64) ** 2).sum()) / (2 * strength)


def least(targets: np.ndarray, *, strength: float, multi: bool) -> float:
    def at(point: np.ndarray) -> float:
        return loss(Logistic(point[:18].reshape(6, 3), point[18:]), targets, strength=strength, multi=multi)

    return float(minimize(at, np.zeros(21), method="L-BFGS-B", options={"maxiter": 500}).fun)


@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("multi", [False, True])
def test_the_loss_is_within_a_thousandth_of_the_least(strength: float, multi: bool) -> None:
    fitted = fit(COLUMNS, ONE_HOT, strength=strength, multi=multi)
    found = loss(fitted, ONE_HOT, strength=strength, multi=multi)
    assert found <= 1.001 * least(ONE_HOT, strength=strength, multi=multi)


def test_sparse_columns_fit_as_dense_ones_do() -> None:
    dense, sparse = (fit(one, ONE_HOT, strength=1.0) for one in (COLUMNS, csr_matrix(COLUMNS)))
    assert sparse.weights == pytest.approx(dense.weights, abs=1e-3)


def test_columns_that_tell_nothing_give_the_shares() -> None:
    fitted = fit(np.zeros((200, 1), np.float32), ONE_HOT, strength=1.0)
    assert softmax(fitted.biases[None, :])[0] == pytest.approx(ONE_HOT.mean(axis=0), abs=1e-3)


def test_probabilities_of_extreme_logits_stay_finite() -> None:
    extreme = np.array([[1e4, -1e4, 0.0]])
    assert softmax(extreme)[0].tolist() == [1.0, 0.0, 0.0]
    assert np.isfinite(sigmoid(extreme)).all()
