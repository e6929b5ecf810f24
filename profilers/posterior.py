"""A device's latencies after a few of its networks were measured: Gaussian process regression.

How far the new device's latencies spread, and how noisy they are, is not known beforehand: the
posterior is the mean over a grid of both, and over how much is open still where the device's own
operations are known. Single measurements may be far off, so the noise is Student's t.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from profilers.covariance import Array, Rows
from profilers.prior import FASTEST, Prior

LIKELY = 0.9
"""The part of measurements that an interval is meant to hold."""
HALF_WIDTH = 1.6449
"""Of a normal's 90 % interval, in standard deviations."""
_FREEDOM = 4.0  # of Student's t
_OPEN = 25.0  # variance of the new device's mean
_SCALES = (-1.5, -0.75, 0.0, 0.75, 1.5)  # logarithms
_NOISES = (-2.0, -1.0, 0.0, 1.0, 2.0)
_BLOCK = 2000  # rows predicted at once


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedDevice:
    """Latencies in ms of some networks (rows,), with the ends of their 90 % intervals."""

    latency_ms: Array
    low_ms: Array
    high_ms: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class _Setting:
    """One overall scale and noise of the new device: how likely, and what it makes of the
    measured."""

    log_likely: float
    scale: float
    noise: float
    inverse: Array
    weights: Array


def _settings(among: Array, values: Array, noise: float) -> list[_Setting]:
    """Every setting of the grid that is not much less likely than the best."""
    found = [
        _setting(among, values, scale, noise, off)
        for scale, off in itertools.product(_SCALES, _NOISES)
    ]
    best = max(each.log_likely for each in found)
    return [each for each in found if each.log_likely > best - 7.0]


def _setting(among: Array, values: Array, log_scale: float, usual: float, off: float) -> _Setting:
    scale, noise = float(np.exp(log_scale)), float(usual * np.exp(off))
    # Student's t as a normal whose variance differs by network: expectation-maximisation.
    trust = np.ones(len(values))
    for _ in range(8):
        total = scale * among + np.diag(noise / trust) + _OPEN
        inverse = np.asarray(np.linalg.inv(total), dtype=np.float64)
        weights = inverse @ values
        residual = weights * noise / trust
        unsure = noise / trust - (noise / trust) ** 2 * np.diag(inverse)
        trust = (_FREEDOM + 1) / (_FREEDOM + (residual**2 + unsure) / noise)
    _, determinant = np.linalg.slogdet(total)
    likely = -0.5 * float(values @ weights) - 0.5 * float(determinant)
    likely += 0.5 * _FREEDOM * float((np.log(trust) - trust + 1).sum())
    likely -= 0.5 * (log_scale**2 + off**2)
    return _Setting(log_likely=likely, scale=scale, noise=noise, inverse=inverse, weights=weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class Likeness:
    """How alike networks are to those measured: ``across`` (rows, measured), ``among`` (measured,
    measured), and their own variance ``own`` (rows,)."""

    across: Array
    own: Array
    among: Array


def likenesses(of: Prior, rows: Rows, measured: Rows) -> list[Likeness]:
    """One for each part of the prior that may still be open."""
    return [
        Likeness(
            across=of.between(rows, measured, rest),
            own=of.variance(rows, rest),
            among=of.between(measured, measured, rest),
        )
        for rest in of.rests
    ]


def posterior(possible: Sequence[Likeness], values: Array, noise: float) -> tuple[Array, Array]:
    """Mean and variance of networks' values, (rows,) each; noise included.

    ``possible``: likenesses of the same networks, equally likely beforehand; ``values``:
    (measured,).
    """
    settings = [
        (alike, each) for alike in possible for each in _settings(alike.among, values, noise)
    ]
    likely = np.array([each.log_likely for _, each in settings])
    share = np.exp(likely - likely.max())
    share /= share.sum()
    mean, square = np.zeros(len(possible[0].own)), np.zeros(len(possible[0].own))
    for part_of, (alike, each) in zip(share, settings, strict=True):
        both = each.scale * alike.across + _OPEN
        middle = both @ each.weights
        explained = ((both @ each.inverse) * both).sum(axis=1)
        left = np.maximum(each.scale * alike.own + _OPEN - explained, 0.0) + each.noise
        mean += part_of * middle
        square += part_of * (middle**2 + left)
    return mean, np.asarray(np.maximum(square - mean**2, 1e-12))


def place(of: Prior, measured: Rows, latency_ms: Array, rows: Rows) -> PlacedDevice:
    """Latencies of the networks ``rows`` from those measured, ``latency_ms`` (measured,) > 0."""
    median = float(np.median(latency_ms))
    values = np.log(np.maximum(latency_ms / median, FASTEST))
    middle = float(values.mean())
    mean, spread = [], []
    for first in range(0, len(rows), _BLOCK):
        possible = likenesses(of, rows[first : first + _BLOCK], measured)
        one, square = posterior(possible, (values - middle) / of.spread, of.noise)
        mean.append(one)
        spread.append(np.sqrt(square))
    log_ms = np.log(median) + middle + of.spread * np.concatenate(mean)
    half = HALF_WIDTH * of.widened * of.spread * np.concatenate(spread)
    return PlacedDevice(
        latency_ms=np.exp(log_ms), low_ms=np.exp(log_ms - half), high_ms=np.exp(log_ms + half)
    )
