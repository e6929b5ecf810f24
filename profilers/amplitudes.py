"""Learn the amplitudes of a covariance from devices that are known, by marginal likelihood.

Each known device is a sample from one and the same Gaussian process, with a noise of its own:

    -log p(y | a, v) = y' C^-1 y / 2 + log|C| / 2,   C = sum_g a_g K_g + v I + 1

The last 1 leaves the device's mean open. Both kinds of unknown have a wide log-normal prior, so
that few devices, or none, still give an answer (Rasmussen & Williams 2006, chapter 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize

from profilers.covariance import Array

USUAL_LOG_NOISE = -3.0
"""Of values whose spread is 1: the part of a latency that no feature explains."""
_LOG_NOISE_SPREAD = 1.5
_LOG_AMPLITUDE_SPREAD = 2.0
_STEPS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """A known device: the covariance of its networks by part, (parts, m, m), and its values (m,),
    of mean 0 and spread 1."""

    covariances: Array
    values: Array


def learn(devices: Sequence[Known], usual: Array) -> tuple[Array, Array]:
    """Amplitudes (parts,) that all devices share, and each device's noise variance (devices,).

    ``usual``: (parts,) logarithms of the amplitudes that are expected before any device is seen.
    """
    parts = len(usual)
    if not devices:
        return np.exp(usual), np.exp(np.full(1, USUAL_LOG_NOISE))
    start = np.concatenate([usual, np.full(len(devices), USUAL_LOG_NOISE)])
    expected = start.copy()
    spread = np.where(np.arange(len(start)) < parts, _LOG_AMPLITUDE_SPREAD, _LOG_NOISE_SPREAD)

    def loss(unknown: Array) -> tuple[float, Array]:
        off = (unknown - expected) / spread
        total, slope = 0.5 * float(off @ off), off / spread
        amplitudes = np.exp(unknown[:parts])
        for number, device in enumerate(devices):
            noise = float(np.exp(unknown[parts + number]))
            found = _surprise(device, amplitudes, noise)
            if found is None:
                return 1e10, np.zeros_like(unknown)
            value, by_amplitude, by_noise = found
            total += value
            slope[:parts] += by_amplitude
            slope[parts + number] += by_noise
        return total, slope

    bounds = [(-9.0, 3.0)] * parts + [(-7.0, 1.0)] * len(devices)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}
    )
    return np.exp(found.x[:parts]), np.exp(found.x[parts:])


def _surprise(device: Known, amplitudes: Array, noise: float) -> tuple[float, Array, float] | None:
    """-log p of a device's values, and its slopes in the logarithms of amplitudes and noise.

    None where the covariance has no Cholesky factor.
    """
    count = len(device.values)
    total = np.tensordot(amplitudes, device.covariances, 1) + noise * np.eye(count) + 1.0
    try:
        factor = cho_factor(total, lower=True, check_finite=False)
    except LinAlgError:
        return None
    inverse = cho_solve(factor, np.eye(count), check_finite=False)
    weights = inverse @ device.values
    value = 0.5 * float(device.values @ weights) + float(np.log(np.diag(factor[0])).sum())
    slope = inverse - np.outer(weights, weights)
    flat = device.covariances.reshape(len(amplitudes), -1) @ slope.ravel()
    return value, 0.5 * amplitudes * flat, 0.5 * noise * float(np.trace(slope))
