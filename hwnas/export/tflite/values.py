"""A network in TFLite's operators, as plain values: what a file holds before it is bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """real = scale x (stored - zero). `scale` (n,) float32 and `zero` (n,) have one number, or one
    for each channel along `axis`."""

    scale: NDArray[np.float32]
    zero: NDArray[np.int64]
    axis: int = 0

    def stored(self, real: NDArray[Any], kind: str) -> NDArray[Any]:
        """Real numbers as stored ones of the type `kind`, rounded and kept in its range."""
        shape = [1] * real.ndim
        if len(self.scale) > 1:
            shape[self.axis] = len(self.scale)
        scale, zero = self.scale.astype(np.float64).reshape(shape), self.zero.reshape(shape)
        ends = np.iinfo(np.dtype(kind))
        # Weights and biases are symmetric: their least number has no counterpart.
        least = ends.min if self.zero.any() else -ends.max
        return np.clip(np.rint(real / scale) + zero, least, ends.max).astype(kind)

    def real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Stored numbers as real ones; one scale only."""
        found: NDArray[np.float32] = ((stored.astype(np.float64) - self.zero) * self.scale).astype(
            np.float32
        )
        return found


@dataclass(frozen=True, kw_only=True)
class Value:
    """A tensor: a map (1, height, width, channels), a vector (1, channels), or a constant with its
    `data`.

    `dtype`: as numpy calls it. A map's first dimension is the batch, which a runtime may change.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    data: NDArray[Any] | None = None
    quantisation: Quantisation | None = None


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator, by TFLite's name, that writes the value `output`.

    `options`: as the schema calls them.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TfliteModel:
    """Operators in an order in which they can be run, the values by name, and which of them go in
    and come out."""

    values: Mapping[str, Value]
    operators: tuple[Operator, ...]
    input: str
    output: str
