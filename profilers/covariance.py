"""How alike two networks' latencies are taken to be: a sum of parts, each with an amplitude.

A part sees networks as rows of features, and is linear in them or falls off with their distance.
The amplitudes say how much of the differences between latencies each part explains; they are
learned from devices that are known (``profilers.prior``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Features of n networks, (n, d), scaled so that the mean squared norm of a row is 1.

    ``length``: how far the likeness reaches, None where the part is linear in the features.
    """

    name: str
    points: Array
    length: float | None = None


def part(name: str, features: Array, length: float | None = None) -> Part | None:
    """A part of raw features (n, d); None where no feature differs between the networks."""
    spread = features.std(axis=0)
    differs = spread > 1e-9 * np.maximum(1.0, np.abs(features).max(axis=0))
    if not differs.any():
        return None
    points = (features[:, differs] - features[:, differs].mean(axis=0)) / spread[differs]
    return Part(name=name, points=points / np.sqrt(points.shape[1]), length=length)


def covariance(parts: Sequence[Part], amplitudes: Array, rows: Rows, others: Rows) -> Array:
    """The covariance between some networks and others, (rows, others). ``amplitudes``: (parts,)."""
    total = np.zeros((len(rows), len(others)))
    linear = [
        np.sqrt(amplitude) * each.points
        for each, amplitude in zip(parts, amplitudes, strict=True)
        if each.length is None
    ]
    if linear:
        joined = np.concatenate(linear, axis=1)
        total += joined[rows] @ joined[others].T
    for each, amplitude in zip(parts, amplitudes, strict=True):
        if each.length is not None:
            total += amplitude * alone(each, rows, others)
    return total


def alone(each: Part, rows: Rows, others: Rows) -> Array:
    """The covariance of one part with the amplitude 1, (rows, others)."""
    a, b = each.points[rows], each.points[others]
    if each.length is None:
        return np.asarray(a @ b.T)
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(squares, 0.0) / (2 * each.length**2)))


def variance(parts: Sequence[Part], amplitudes: Array, rows: Rows) -> Array:
    """The diagonal of ``covariance``, (rows,)."""
    total = np.zeros(len(rows))
    for each, amplitude in zip(parts, amplitudes, strict=True):
        total += amplitude * (
            (each.points[rows] ** 2).sum(axis=1) if each.length is None else np.ones(len(rows))
        )
    return total
