"""The least and the largest number of every map, seen on calibration images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hwnas.export.tflite.file import tflite_bytes
from hwnas.export.tflite.interpreter import interpreter, runs
from hwnas.export.tflite.values import TfliteModel

Range = tuple[float, float]


def ranges(model: TfliteModel, inputs: Sequence[Tensor]) -> dict[str, Range]:
    """Name of a value -> (least, largest) over all batches of images; 0 lies within, since padding
    needs it.

    The float32 file is run, so a number here is what the operator gave.
    """
    ready = interpreter(tflite_bytes(model), "builtin", keep=True)
    ready.allocate_tensors()
    places = {one["name"]: one["index"] for one in ready.get_tensor_details()}
    wanted = {
        name: place
        for name, place in places.items()
        if name in model.values and model.values[name].data is None
    }
    found: dict[str, Range] = dict.fromkeys(wanted, (0.0, 0.0))
    for _ in runs(ready, inputs):
        for name, place in wanted.items():
            numbers = ready.get_tensor(place)
            low, high = found[name]
            found[name] = (min(low, float(numbers.min())), max(high, float(numbers.max())))
    return found
