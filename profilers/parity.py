"""Whether a runtime's outputs are the network's: without that a latency is no measurement.

The same inputs go through the network in float64 and through the runtime. Where there is no torch
module, only an ONNX file, ONNX Runtime without optimisation stands for the network. A precision
below float32 is allowed twice the error that torch (ONNX Runtime, for int8) has in that precision.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from profilers.measurement import Measurement, Outcome, pairs

if TYPE_CHECKING:
    from torch import nn

    from profilers.onnx_check import OnnxModel

FACTOR = 2.0
"""A file may be so many times further from float64 than what it is held against is."""
LARGEST_SHARE = 0.005
"""In float32: its largest error at most this share of the largest output."""
FLOOR = 4 * 2.0**-23
"""Relative to the largest output: where what it is held against happens to be closer than a few
roundings, that is close enough."""
WRONG_SHARE = 0.5
"""In a lower precision, without a torch network to hold it against: only what is another network's
output is told from rounding."""
FEEDS = 4
"""How many random inputs of the measured shape are compared."""

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Inputs, (feeds, *shape) each, and the outputs that belong to them, in the model's order.

    `source`: where the outputs are from. `own_max`: the largest error that is usual in the
    precision, None where that is not known.
    """

    inputs: Arrays
    outputs: Arrays
    source: str
    own_max: float | None = None

    def write(self, path: Path) -> Path:
        """The npz file that `opened.py` reads."""
        arrays = {f"input{i}": array for i, array in enumerate(self.inputs)}
        arrays |= {f"output{i}": array for i, array in enumerate(self.outputs)}
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        return path


def of_module(
    module: nn.Module, shape: Sequence[int], precision: str = "fp32", seed: int = 0
) -> Expected:
    """What a torch module, left as found, gives in float64 for random inputs of `shape`."""
    import torch

    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((FEEDS, *shape)).astype(np.float32)
    with torch.inference_mode():
        exact = _run(copy.deepcopy(module).double(), torch.from_numpy(inputs).double())
    own_max = rounding_error(module, inputs, precision, exact)
    return Expected(inputs=(inputs,), outputs=exact, source="torch in float64", own_max=own_max)


def rounding_error(
    module: nn.Module, inputs: NDArray[Any], precision: str, exact: Arrays | None = None
) -> float | None:
    """torch's own largest error in fp16 or bf16, for inputs (feeds, *shape); None in other
    precisions, and where torch has no kernel for it here."""
    import torch

    low = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision)
    rounded = None if low is None else _run_as(module, torch.from_numpy(inputs), low)
    if rounded is None:
        return None
    if exact is None:
        exact = _run_as(module, torch.from_numpy(inputs), torch.float64)
    assert exact is not None  # float64 has every kernel
    return float(max(np.abs(a - b).max() for a, b in zip(exact, rounded, strict=True)))


def _run_as(module: nn.Module, inputs: Any, dtype: Any) -> Arrays | None:
    """A copy's outputs in a precision, None where torch has no kernel for it here."""
    import torch

    try:
        with torch.inference_mode():
            return _run(copy.deepcopy(module).to(dtype), inputs.to(dtype))
    except RuntimeError:
        return None


def _run(module: Any, inputs: Any) -> Arrays:
    """The outputs of a module in evaluation mode for each of the inputs, as float64."""
    module.eval()
    found = [module(one) for one in inputs]
    rows = [one if isinstance(one, (tuple, list)) else (one,) for one in found]
    return tuple(np.stack([row[i].double().numpy() for row in rows]) for i in range(len(rows[0])))


def of_onnx(model: OnnxModel, folder: Path, limit_s: float) -> Expected | None:
    """What ONNX Runtime gives for random inputs of an ONNX file, nothing optimised.

    In a process of its own, since a file may hang or crash; None where it does, or can't be run.
    """
    from profilers.isolate import ask

    target = folder / f"{model.path.stem}-outputs.npz"
    asked = {"path": str(model.path.resolve()), "shapes": model.shapes, "outputs": str(target)}
    request = {"measure": "outputs", "graph_level": "disabled", "feeds": FEEDS, "models": [asked]}
    ask(request, limit_s)
    if not target.is_file():
        return None
    with np.load(target, allow_pickle=False) as file:
        inputs, outputs = (
            tuple(file[name] for name in sorted(file.files, key=_number) if name.startswith(word))
            for word in ("input", "output")
        )
    return Expected(inputs=inputs, outputs=outputs, source="ONNX Runtime, not optimised")


def _number(name: str) -> int:
    return int("".join(letter for letter in name if letter.isdigit()))


def of_file(path: str, inputs: Arrays) -> Arrays:
    """The outputs, in float64, of an ONNX file under ONNX Runtime, nothing optimised."""
    from profilers.session import load

    session = load(path, {"graph_level": "disabled"})
    names = [one.name for one in session.get_inputs()]
    rows = [
        session.run(None, dict(zip(names, feed, strict=True))) for feed in zip(*inputs, strict=True)
    ]
    return tuple(
        np.stack([np.asarray(row[i], dtype=np.float64) for row in rows])
        for i in range(len(rows[0]))
    )


def compared_module(outcome: Outcome, module: nn.Module, precision: str) -> Outcome:
    """torch's own latency of a module with what its outputs are off by in the receipt.

    The precision is what torch rounds to, so that there is no limit to it.
    """
    import torch

    if not isinstance(outcome, Measurement):
        return outcome
    expected = of_module(module, outcome.receipt.shape)
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision, torch.float32)
    found = _run_as(module, torch.from_numpy(expected.inputs[0]), dtype)
    if found is None:
        return outcome
    errors = np.concatenate(
        [np.abs(a - b).ravel() for a, b in zip(found, expected.outputs, strict=True)]
    )
    said = settings(
        {
            "rms": float(np.sqrt(np.mean(errors**2))),
            "max": float(errors.max()),
            "largest": float(max(np.abs(one).max() for one in expected.outputs)),
        },
        expected,
    )
    receipt = outcome.receipt
    return replace(
        outcome, receipt=replace(receipt, settings=pairs({**dict(receipt.settings), **said}))
    )


def problem(found: Mapping[str, float], expected: Expected, precision: str) -> str:
    """Why these outputs are not the network's, empty where they are.

    `found`: `rms`, `max` and `largest`, as `opened.difference` gives them.
    """
    largest = max(found["largest"], 1e-12)
    if precision == "fp32":
        allowed = LARGEST_SHARE * largest
    elif expected.own_max is not None:
        allowed = max(FACTOR * expected.own_max, FLOOR * largest)
    else:
        allowed = WRONG_SHARE * largest
    if found["max"] <= allowed:
        return ""
    return (
        f"its outputs are off by {found['max']:.2g}, of at most {allowed:.2g} in {precision}"
        f" (largest output {largest:.2g}; compared with {expected.source})"
    )


def settings(found: Mapping[str, float], expected: Expected) -> dict[str, str]:
    """What a receipt says of the comparison."""
    return {
        "parity_rms": f"{found['rms']:.3g}",
        "parity_max": f"{found['max']:.3g}",
        "largest_output": f"{found['largest']:.3g}",
        "parity_with": expected.source,
    }
