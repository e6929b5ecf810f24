"""What a linear model of latency leaves over, as a Gaussian process on the counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


_LENGTHS = (0.5, 1.0, 2.0, 4.0)


_NOISES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


# A Gaussian process needs the square of its rows in memory and the cube in time; more rows add
# little here.
_MOST_ROWS_OF_PROCESS = 400


@dataclass(frozen=True, kw_only=True)
class Process:
    """A Gaussian process on relative residuals: kernel exp(-|a - b|^2 / (2 length^2 d)) on scaled
    features.

    points: (m, d) scaled training features, weights: (m,), scale: (d,) what features are divided
    by.
    """

    points: Array
    weights: Array
    scale: Array
    length: float
    noise: float


def fit_process(features: Array, residuals: Array) -> Process:
    """Length and noise by leave-one-out, whose errors a Gaussian process gives in closed form."""
    if len(features) > _MOST_ROWS_OF_PROCESS:
        step = np.linspace(0, len(features) - 1, _MOST_ROWS_OF_PROCESS).astype(int)
        features, residuals = features[step], residuals[step]
    scale = np.where(np.ptp(features, axis=0) > 0, features.std(axis=0), 1.0)
    points = features / scale
    best: tuple[float, Process] | None = None
    for length in _LENGTHS:
        kernel = covariance(points, points, length)
        for noise in _NOISES:
            inverse = np.linalg.inv(kernel + noise * np.eye(len(points)))
            weights = inverse @ residuals
            error = float(np.mean(np.abs(weights / np.diag(inverse))))
            if best is None or error < best[0]:
                best = (
                    error,
                    Process(
                        points=points, weights=weights, scale=scale, length=length, noise=noise
                    ),
                )
    assert best is not None
    return best[1]


def process_correction(process: Process, features: Array) -> Array:
    """The relative correction of each row of features, (n,)."""
    return covariance(features / process.scale, process.points, process.length) @ process.weights


def covariance(a: Array, b: Array, length: float) -> Array:
    """The kernel between two sets of scaled points, (n, m)."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(squares, 0) / (2 * length**2 * a.shape[1])))
