"""Full-integer INT8: int8 maps from the image to the logits, int8 weights with a scale for each
channel, int32 biases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from hwnas.export.tflite.ranges import Range, ranges
from hwnas.export.tflite.scales import (
    SAME,
    WEIGHTED,
    Chosen,
    axis_of,
    constant_scale,
    scales,
    symmetric,
)
from hwnas.export.tflite.values import Operator, Quantisation, TfliteModel, Value

GATE = Quantisation(scale=np.array([1 / 256], np.float32), zero=np.array([-128], np.int64))
"""What the kernels of sigmoid and softmax give, whatever the range is."""
PIXEL = Quantisation(scale=np.array([1.0], np.float32), zero=np.array([0], np.int64))
PIXELS: Range = (0.0, 255.0)


def quantised(model: TfliteModel, inputs: Sequence[Tensor]) -> TfliteModel:
    """A float32 model in INT8. `inputs`: batches of calibration images, as the model takes them;
    never the test images.

    Real images are stored with the scale and zero point that the file says of its input; uint8
    pixels go in as they are.
    """
    model = _gates_apart(model)
    seen = ranges(model, inputs)
    seen |= {step.output: PIXELS for step in model.operators if step.kind == "CAST"}
    chosen = scales(model, seen)
    values = {
        name: replace(value, dtype="int8", quantisation=chosen.maps[name])
        for name, value in model.values.items()
        if name in chosen.maps
    }
    if model.values[model.input].dtype == "uint8":
        values[model.input] = replace(model.values[model.input], quantisation=PIXEL)
    operators = []
    for step in model.operators:
        if step.kind in ("LOGISTIC", "SOFTMAX"):
            values[step.output] = replace(values[step.output], quantisation=GATE)
        values |= _constants(model, step, chosen, values)
        cast = step.kind == "CAST"
        operators.append(replace(step, kind="QUANTIZE", options={}) if cast else step)
    return replace(model, values=values, operators=tuple(operators))


def _gates_apart(model: TfliteModel) -> TfliteModel:
    """With a change of scale after each sigmoid whose result shares another map's scale."""
    shared = {name for step in model.operators if step.kind in SAME for name in step.inputs}
    values, operators = dict(model.values), list[Operator]()
    for step in model.operators:
        if step.kind == "LOGISTIC" and step.output in shared:
            own = f"{step.output}/gate"
            values[own] = replace(values[step.output], name=own)
            operators.append(replace(step, output=own))
            operators.append(Operator(kind="QUANTIZE", inputs=(own,), output=step.output))
        else:
            operators.append(step)
    return replace(model, values=values, operators=tuple(operators))


def _constants(
    model: TfliteModel, step: Operator, chosen: Chosen, values: dict[str, Value]
) -> dict[str, Value]:
    """A step's constants as they are stored."""
    found: dict[str, Value] = {}
    for name in step.inputs:
        value = model.values[name]
        if value.data is None:
            continue
        if value.dtype != "float32":  # axes and pads
            found[name] = value
            continue
        given = values[step.inputs[0]].quantisation
        assert given is not None
        kind, how = "int8", constant_scale(value.data)
        if step.kind == "PADV2":  # less than all: the least number that there is
            how = given
        elif step.kind in WEIGHTED:
            weight = chosen.weights[step.inputs[1]]
            how = replace(weight, axis=axis_of(step) or 0)
            if name == step.inputs[2]:
                product = given.scale.astype(np.float64) * weight.scale
                kind, how = "int32", symmetric(product)
        data = how.stored(value.data.astype(np.float64), kind)
        found[name] = replace(value, dtype=kind, data=data, quantisation=how)
    return found
