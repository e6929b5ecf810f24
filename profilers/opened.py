"""What a runtime's session hands to the measuring process, and how its outputs are compared.

It needs numpy only: this file travels to remote hosts together with `worker.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Opened(NamedTuple):
    """A model that a runtime has loaded.

    `run` runs it once on inputs that are made up; `infer` takes arrays in the order of the model's
    inputs and gives its outputs in their order. `inputs`: those made up. `nodes`: how many nodes
    each provider of ONNX Runtime took, on a GPU.
    """

    run: Callable[[], object]
    infer: Callable[[Sequence[Any]], list[Any]]
    inputs: list[Any]
    nodes: dict[str, int] = {}  # noqa: RUF012


def random_inputs(seed: int, shapes: Sequence[Sequence[int]], dtypes: Sequence[Any]) -> list[Any]:
    """Fixed random arrays: normal for floating types, zeros and ones (valid as any index) for the
    others."""
    rng = np.random.default_rng(seed)
    return [random_input(rng, list(shape), dtypes[i]) for i, shape in enumerate(shapes)]


def random_input(rng: np.random.Generator, shape: list[int], dtype: Any) -> Any:
    """One of them."""
    kind = np.dtype(dtype)
    values = rng.standard_normal(shape) if kind.kind == "f" else rng.integers(0, 2, shape)
    return values.astype(kind)


def difference(opened: Opened, path: str) -> dict[str, float]:
    """How far the model's outputs are from those in the file `path`, over all inputs in it.

    The file (npz) holds input0, input1 ... of shape (feeds, *shape) and output0 ...; see
    `parity.py`. Gives `rms`, `max` and the `largest` of the expected outputs. Raises ValueError
    where an output has another number of elements.
    """
    with np.load(path, allow_pickle=False) as file:
        given = [file[f"input{i}"] for i in range(_count(file.files, "input"))]
        expected = [file[f"output{i}"] for i in range(_count(file.files, "output"))]
    errors = []
    for feed in range(len(given[0])):
        outputs = opened.infer([array[feed] for array in given])
        if len(outputs) != len(expected):
            raise ValueError(f"{len(outputs)} outputs, not {len(expected)}")
        for i, wanted in enumerate(expected):
            got = np.asarray(outputs[i], dtype=np.float64).ravel()
            if got.size != wanted[feed].size:
                raise ValueError(f"an output of {got.size} numbers, not {wanted[feed].size}")
            errors.append(np.abs(got - wanted[feed].ravel()))
    every = np.concatenate(errors)
    return {
        "rms": float(np.sqrt(np.mean(every**2))),
        "max": float(every.max()),
        "largest": float(max(np.abs(wanted).max() for wanted in expected)),
    }


def write_pairs(path: str, ready: Sequence[Opened]) -> None:
    """Write the inputs that each was opened with, and their outputs, as `difference` reads them."""
    outputs = [one.infer(one.inputs) for one in ready]
    inputs = range(len(ready[0].inputs))
    arrays = {f"input{i}": np.stack([one.inputs[i] for one in ready]) for i in inputs}
    for i in range(len(outputs[0])):
        arrays[f"output{i}"] = np.stack([np.asarray(row[i], dtype=np.float64) for row in outputs])
    with open(path, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _count(names: Sequence[str], word: str) -> int:
    return sum(name.startswith(word) for name in names)
