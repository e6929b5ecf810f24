"""What known devices say of a new one, before any of its networks is measured.

The known devices' latencies are features of a network, beside what is counted of it;
``profilers.amplitudes`` learns how much each of these explains, from every known device as if it
were the new one. Values are logarithms of latencies throughout, so errors are relative. Knows no
search space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from profilers.amplitudes import Known, learn
from profilers.covariance import Array, Part, Rows, alone, covariance, part, variance

FASTEST = 0.1
"""Of the median: what is faster than that counts as so fast.

A compiler folds a network that ignores its image to next to nothing, and the logarithm of that
would outweigh all other networks.
"""
_LEARNED_FROM = 150  # networks: the cube of it is what learning costs
_USUAL_OF_KNOWN = -1.0  # logarithms of amplitudes
_USUAL_OF_FEATURES = -4.0
_USUAL_SPREAD = 0.3  # of log latencies, where no device is known
_OWN = 1.0  # amplitude of a device's own operations, measured apart...
_LEFT_OUT = 0.1  # ... and of what they leave out
_RESTS = (1.0, 0.3, 0.1)
"""Parts of what strangers leave open that may still be open once a device's own operations are
known; the measured networks say which."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownDevice:
    """Latencies in ms of the networks (n,), NaN where not known. ``device``: one name for all batch
    sizes and runtimes of a device, which are no strangers to each other."""

    device: str
    latency_ms: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Apart:
    """What the new device itself says before a whole network is measured: parts made of the sums
    of each network's operations, and of what such a sum leaves out, with their amplitudes."""

    parts: tuple[Part, ...]
    amplitudes: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Prior:
    """What known devices say of a new one.

    ``spread``: of log latencies on a device, in the median; ``noise``: variance of what is not
    explained, where that spread is 1. ``widened``: factor of intervals, from the known devices as
    if each were new. ``apart``: the new device's own operations, where they were measured.
    """

    parts: tuple[Part, ...]
    amplitudes: Array
    noise: float
    spread: float
    widened: float = 1.0
    apart: Apart | None = None

    @property
    def rests(self) -> tuple[float, ...]:
        """How much of the parts may be left open; all of them where no operation was measured."""
        return (1.0,) if self.apart is None else _RESTS

    def between(self, rows: Rows, others: Rows, rest: float | None = None) -> Array:
        """The covariance of some networks with others, (rows, others). ``rest``: one of
        ``rests``, the middle one by default."""
        return covariance(*self._with(rest), rows, others)

    def variance(self, rows: Rows, rest: float | None = None) -> Array:
        """The diagonal of ``between``, (rows,)."""
        return variance(*self._with(rest), rows)

    def _with(self, rest: float | None) -> tuple[tuple[Part, ...], Array]:
        rest = self.rests[len(self.rests) // 2] if rest is None else rest
        if self.apart is None:
            return self.parts, rest * self.amplitudes
        amplitudes = np.concatenate([self.apart.amplitudes, rest * self.amplitudes])
        return (*self.apart.parts, *self.parts), amplitudes


def apart(sums_ms: Array, left_out: Sequence[Array], seen: Rows) -> Apart:
    """From the sums in ms of each network's operations (n,), measured apart, and amounts of what
    they leave out, (n,) each: a number of calls, say.

    What an amount takes is not known; how it shares in a latency is: by amount / sum.
    """
    logs = logarithms(np.maximum(sums_ms, 1e-9), seen)
    sums = part("operations apart", logs[:, None])
    left = [part("left out", (amount / np.exp(logs))[:, None]) for amount in left_out]
    found = [
        (each, amplitude)
        for each, amplitude in [(sums, _OWN), *((each, _LEFT_OUT) for each in left)]
        if each is not None
    ]
    return Apart(
        parts=tuple(each for each, _ in found),
        amplitudes=np.array([amplitude for _, amplitude in found]),
    )


def logarithms(latency_ms: Array, seen: Rows) -> Array:
    """log(latency / median of those seen), not below log(FASTEST)."""
    median = float(np.nanmedian(latency_ms[seen]))
    return np.asarray(np.log(np.maximum(latency_ms / median, FASTEST)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Pretended:
    """A known device as if it were new: what the others say of it, and its own values (n,)."""

    prior: Prior
    values: Array


def learn_prior(
    features: Sequence[Part], known: Sequence[KnownDevice], seen: Rows
) -> tuple[Prior, list[Pretended]]:
    """The prior of a new device, and that of every known one as if it were new.

    Of the known devices' networks, ``seen`` (m,) are all that is used. ``features``: parts of all
    n networks. What a known device takes for networks that are not among the seen, is predicted.
    """
    values = [logarithms(each.latency_ms, seen) for each in known]
    spreads = [max(float(np.nanstd(each[seen])), 1e-9) for each in values]
    standard = [
        (each - np.nanmean(each[seen])) / spread
        for each, spread in zip(values, spreads, strict=True)
    ]
    smooth = smoothed(features, standard, seen)
    parts = (*known_parts(smooth, range(len(known))), *features)
    theirs = [_strangers(smooth, known, number) for number in range(len(known))]
    tried = [number for number, own in enumerate(theirs) if own]
    pretended = []
    shared: dict[bytes, Array] = {}
    for number in tried:
        there = seen[np.isfinite(standard[number][seen])][:_LEARNED_FROM]
        if there.tobytes() not in shared:
            shared[there.tobytes()] = np.array([alone(each, there, there) for each in features])
        own = np.array([alone(each, there, there) for each in theirs[number]])
        covariances = np.concatenate([own, shared[there.tobytes()]])
        pretended.append(Known(covariances=covariances, values=standard[number][there]))
    usual = [_USUAL_OF_KNOWN] * (len(parts) - len(features)) + [_USUAL_OF_FEATURES] * len(features)
    amplitudes, noises = learn(pretended, np.array(usual))
    found = Prior(
        parts=parts,
        amplitudes=amplitudes,
        noise=float(np.median(noises)),
        spread=float(np.median(spreads)) if spreads else _USUAL_SPREAD,
    )
    return found, [
        Pretended(
            prior=replace(found, parts=(*theirs[number], *features), spread=1.0),
            values=standard[number],
        )
        for number in tried
    ]


def _strangers(smooth: Array, known: Sequence[KnownDevice], number: int) -> tuple[Part, ...]:
    """What the devices say that are not the one of this number."""
    device = known[number].device
    return known_parts(smooth, [at for at, other in enumerate(known) if other.device != device])


def known_parts(smooth: Array, which: Sequence[int]) -> tuple[Part, ...]:
    """The parts that some known devices' values, columns of (n, devices), make up."""
    if not len(which):
        return ()
    own = smooth[:, list(which)]
    found = part("known devices", own)
    return () if found is None else (found,)


def smoothed(features: Sequence[Part], values: Sequence[Array], seen: Rows) -> Array:
    """Each device's values (n,), NaN where not known, predicted from the networks seen:
    (n, devices)."""
    every = np.arange(len(features[0].points))
    if not values:
        return np.zeros((len(every), 0))
    sub = seen[:_LEARNED_FROM]
    covariances = np.array([alone(each, sub, sub) for each in features])
    devices = []
    for each in values:
        there = np.flatnonzero(np.isfinite(each[sub]))
        devices.append(
            Known(
                covariances=np.ascontiguousarray(covariances[:, there][:, :, there]),
                values=each[sub][there],
            )
        )
    amplitudes, noises = learn(devices, np.full(len(features), _USUAL_OF_KNOWN - 1.0))
    among = covariance(features, amplitudes, seen, seen)
    weights = np.zeros((len(seen), len(values)))
    for number, each in enumerate(values):
        there = np.flatnonzero(np.isfinite(each[seen]))
        total = among[np.ix_(there, there)] + noises[number] * np.eye(len(there))
        weights[there, number] = np.linalg.solve(total, each[seen][there])
    return np.concatenate(
        [
            covariance(features, amplitudes, every[first : first + 2000], seen) @ weights
            for first in range(0, len(every), 2000)
        ]
    )
