"""Logistic regression, multinomial or one per label, fitted by L-BFGS. Answering with it is one matrix product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = Any  # a numpy array or a SciPy sparse matrix: both have `@` and `.T`
Evaluate: TypeAlias = Callable[[Floats], tuple[float, Floats]]

MEMORY = 6  # pairs of steps that L-BFGS remembers
ITERATIONS = 80
FEWEST = 5  # iterations: the first ones may gain little
TOLERANCE = 5e-4  # of the loss, between iterations: far below what changes an answer
HALVINGS = 20
ARMIJO = 1e-4


@dataclass(frozen=True, slots=True)
class Logistic:
    """Weights (columns, labels) and biases (labels,)."""

    weights: Floats
    biases: Floats


def softmax(logits: npt.NDArray[np.floating]) -> Doubles:
    """Return probabilities that sum to 1 in each row."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    shares: Doubles = raised / raised.sum(axis=1, keepdims=True)
    return shares


def sigmoid(logits: npt.NDArray[np.floating]) -> Doubles:
    """Return a probability for each entry by itself."""
    shares: Doubles = 1 / (1 + np.exp(-np.clip(logits, -40, 40), dtype=np.float64))
    return shares


def fit(
    columns: Matrix, targets: Floats, *, strength: float, multi: bool = False, start: Logistic | None = None
) -> Logistic:
    """Minimise the summed log loss + |weights|^2 / (2 strength); biases are free.

    `columns` is (rows, columns); `targets` (rows, labels) of 0 and 1, with exactly one 1 per row unless `multi`.
    A `start` near the end, such as the mean of fits on most of the rows, saves most of the work.
    """
    rows, labels = targets.shape
    size = columns.shape[1] * labels

    def evaluate(point: Floats) -> tuple[float, Floats]:
        logits = columns @ point[:size].reshape(-1, labels) + point[size:]
        loss, error = _log_loss(logits, targets, multi=multi)
        slope: Floats = np.concatenate([(columns.T @ error).ravel(), error.sum(axis=0)])
        slope /= np.float32(rows)
        slope[:size] += point[:size] / np.float32(strength * rows)
        penalty = float(point[:size] @ point[:size]) / (2 * strength)
        return float(loss + penalty) / rows, slope

    point = np.zeros(size + labels, np.float32)
    share = np.clip(targets.mean(axis=0), 1e-6, 1 - 1e-6)
    point[size:] = np.log(share / (1 - share)) if multi else np.log(share)
    if start is not None:
        point = np.concatenate([start.weights.ravel(), start.biases])
    point = _minimise(evaluate, point)
    return Logistic(point[:size].reshape(-1, labels), point[size:])


def _log_loss(logits: Floats, targets: Floats, *, multi: bool) -> tuple[float, Floats]:
    """Return the summed loss, and its derivative by the logits."""
    if multi:
        losses = np.logaddexp(0, logits) - targets * logits
        return float(losses.sum(dtype=np.float64)), (sigmoid(logits) - targets).astype(np.float32)
    top = logits.max(axis=1, keepdims=True)
    raised = np.exp(logits - top)
    sums = raised.sum(axis=1, keepdims=True)
    losses = np.log(sums[:, 0]) + top[:, 0] - (logits * targets).sum(axis=1)
    return float(losses.sum(dtype=np.float64)), raised / sums - targets


def _minimise(evaluate: Evaluate, point: Floats) -> Floats:
    """L-BFGS with backtracking (Nocedal and Wright, Numerical Optimization, algorithm 7.5).

    In single precision, as SciPy's isn't: the steps it remembers are most of the memory of a fit.
    """
    value, slope = evaluate(point)
    steps: list[tuple[Floats, Floats, float]] = []
    for iteration in range(ITERATIONS):
        direction = _direction(slope, steps)
        descent = float(slope @ direction)
        size = 1.0 if steps else 1.0 / max(float(np.linalg.norm(slope)), 1e-12)
        for _ in range(HALVINGS):
            moved = point + np.float32(size) * direction
            new_value, new_slope = evaluate(moved)
            if new_value <= value + ARMIJO * size * descent:
                break
            size /= 2
        else:
            return point
        del direction, steps[: 1 - MEMORY]  # before there are new ones: each is as large as all weights
        step, bend = moved - point, new_slope - slope
        curvature = float(step @ bend)
        if curvature > 1e-12:
            steps.append((step, bend, curvature))
        gained, point, value, slope = value - new_value, moved, new_value, new_slope
        if iteration >= FEWEST and gained < TOLERANCE * max(value, 1e-3):
            break
    return point


def _direction(slope: Floats, steps: list[tuple[Floats, Floats, float]]) -> Floats:
    """Multiply -slope by the inverse Hessian as the last steps tell it (two-loop recursion)."""
    direction = -slope
    shares = []
    for step, bend, curvature in reversed(steps):
        share = np.float32(float(step @ direction) / curvature)
        direction = direction - share * bend
        shares.append(share)
    if steps:
        _, bend, curvature = steps[-1]
        direction = direction * np.float32(curvature / float(bend @ bend))
    for (step, bend, curvature), share in zip(steps, reversed(shares), strict=True):
        direction = direction + step * (share - np.float32(float(bend @ direction) / curvature))
    return direction
