"""The scale of every map and weight of an INT8 file, from the ranges that calibration saw.

Some operators give what comes in without another scale, so their maps share one. And scales are
bounded where an integer kernel needs it: a bias must fit in 32 bits, and a product of scales must
not be much larger than the scale that it becomes. A channel whose weights are all but zero beside
a large bias breaks the first rule, a map that was zero on all calibration images the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.export.tflite.ranges import Range
from hwnas.export.tflite.values import Operator, Quantisation, TfliteModel

SAME = ("AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D", "PAD", "PADV2", "STRIDED_SLICE")
"""Operators whose output has the scale of their inputs."""
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
LARGEST_BIAS = 2.0**30
LARGEST_RATIO = 2.0**7
"""A product of scales over the output's: XNNPACK takes less than 2^8."""
LEAST_RATIO = 2.0**-31
"""The same from below: XNNPACK takes 2^-32 or more."""
STEPS = 255
LEAST_SCALE = 1e-12

Scales = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """`maps`: by name. `weights`: by name, one number for each output channel, or one."""

    maps: Mapping[str, Quantisation]
    weights: Mapping[str, Quantisation]


def axis_of(step: Operator) -> int | None:
    """The axis of a weight's output channels; None where one scale is for all of it.

    The classifier has one: runtimes take more for it only since 2024.
    """
    return {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}.get(step.kind)


def scales(model: TfliteModel, seen: Mapping[str, Range]) -> Chosen:
    """A scale for every map and every weight of a float32 model."""
    groups = _groups(model)
    limits = _limits(model, seen, groups)
    scale = {root: max((high - low) / STEPS, LEAST_SCALE) for root, (low, high) in limits.items()}
    weights: dict[str, Scales] = {}
    # Raising one scale may ask for another: each round only raises, so few are needed.
    for _ in model.operators:
        before = dict(scale)
        for step in model.operators:
            _bound(model, step, groups, scale, weights)
        if scale == before:
            break
    return Chosen(
        maps={name: _asymmetric(limits[root], scale[root]) for name, root in groups.items()},
        weights={name: symmetric(found) for name, found in weights.items()},
    )


def symmetric(scale: Scales, axis: int = 0) -> Quantisation:
    """Around zero."""
    return Quantisation(
        scale=scale.astype(np.float32), zero=np.zeros(len(scale), np.int64), axis=axis
    )


def _asymmetric(limits: Range, scale: float) -> Quantisation:
    zero = int(np.clip(np.rint(-128 - limits[0] / scale), -128, 127))
    return Quantisation(scale=np.array([scale], np.float32), zero=np.array([zero], np.int64))


def _bound(
    model: TfliteModel,
    step: Operator,
    groups: Mapping[str, str],
    scale: dict[str, float],
    weights: dict[str, Scales],
) -> None:
    """Raise the scale of a step's output, and of its weight, to what its kernel needs."""
    given, taken = scale.get(groups.get(step.inputs[0], ""), 1.0), groups[step.output]
    if step.kind in WEIGHTED:
        weight, bias = (model.values[name].data for name in step.inputs[1:])
        assert weight is not None and bias is not None
        axis = axis_of(step)
        others = tuple(one for one in range(weight.ndim) if one != axis)
        largest = np.abs(weight).max(axis=others if axis is not None else None)
        for_bias = np.abs(bias.astype(np.float64)) / (given * LARGEST_BIAS)
        needed = np.maximum(largest / 127, for_bias if axis is not None else for_bias.max())
        needed = np.atleast_1d(np.maximum(needed, LEAST_SCALE))
        scale[taken] = max(scale[taken], given * float(needed.max()) / LARGEST_RATIO)
        weights[step.inputs[1]] = np.maximum(needed, scale[taken] * LEAST_RATIO / given)
    elif step.kind in ("ADD", "MUL"):
        both = [
            scale[groups[name]]
            if name in groups
            else float(constant_scale(_data(model, name)).scale[0])
            for name in step.inputs
        ]
        larger = max(both) if step.kind == "ADD" else both[0] * both[1]
        scale[taken] = max(scale[taken], larger / LARGEST_RATIO)


def constant_scale(numbers: NDArray[np.float32]) -> Quantisation:
    """For a constant that is added or multiplied: one in which each number is exact, if a small
    denominator gives one, else 1/127 of the largest."""
    largest = float(np.abs(numbers).max())
    if not largest:
        return symmetric(np.ones(1))
    for denominator in range(1, 128):
        steps = numbers.astype(np.float64) * denominator
        if largest * denominator <= 127 and np.abs(steps - np.rint(steps)).max() < 1e-5:
            return symmetric(np.array([1 / denominator]))
    return symmetric(np.array([largest / 127]))


def _data(model: TfliteModel, name: str) -> NDArray[np.float32]:
    found = model.values[name].data
    assert found is not None
    return found


def _groups(model: TfliteModel) -> dict[str, str]:
    """Every map -> the first of those that share its scale."""
    root = {name: name for name, value in model.values.items() if value.data is None}

    def first(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for step in model.operators:
        if step.kind in SAME:
            for name in step.inputs:
                if name in root:
                    root[first(step.output)] = first(name)
    return {name: first(name) for name in root}


def _limits(
    model: TfliteModel, seen: Mapping[str, Range], groups: Mapping[str, str]
) -> dict[str, Range]:
    """By group: the least and the largest number of what its members were made from."""
    derived = {step.output for step in model.operators if step.kind in SAME}
    found = {root: (0.0, 0.0) for root in groups.values()}
    for name, root in groups.items():
        if name not in derived:
            low, high = found[root]
            found[root] = (min(low, seen[name][0]), max(high, seen[name][1]))
    return found
