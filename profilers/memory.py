"""Peak memory of one forward pass: a process's resident set for ONNX Runtime, torch's allocator
for CUDA."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profilers.answers import read_answers
from profilers.isolate import measure
from profilers.measurement import MEMORY, NOT_MEASURED, Failure, Measurement, Outcome
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.onnx_latency import (
    Measure,
    OnnxOptions,
    failed,
    latency_request,
    make_receipt,
    utc_now,
)
from profilers.prepared import prepare_models

if TYPE_CHECKING:
    from torch import nn

    from profilers.torch_latency import TorchOptions

MIB = 2**20


def onnx_memory(
    model: OnnxModel | Path | str,
    options: OnnxOptions | None = None,
    *,
    device: str = "",
    now: Callable[[], str] = utc_now,
    run: Measure = measure,
) -> Outcome:
    """Memory in MiB that loading and running one model adds to a fresh process at the peak
    (resident set)."""
    options = options or OnnxOptions()
    checked = model if isinstance(model, OnnxModel) else check_onnx(model)
    if options.provider != "cpu":
        why = (
            "on CUDA the resident set is the host's memory, not the GPU's: torch tells it, on the"
            " GPU's own machine (--backend torch)"
        )
        return Failure(
            metric=MEMORY,
            reason=NOT_MEASURED,
            detail=why,
            receipt=make_receipt(checked, {}, options, device, now()),
        )
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        (prepared,) = prepare_models(
            [checked], [None], options.runtime, options.precision, Path(folder)
        )
        if prepared.model is None:
            receipt = make_receipt(checked, {}, options, device, now())
            return failed(MEMORY, prepared.failure, receipt)
        request = {**latency_request([prepared.model], options, None), "measure": "memory"}
        facts, answers = read_answers(*run(request, options.limit_s), 1, "memory")
    receipt = make_receipt(checked, facts, options, device, now(), statistic="peak resident set")
    if "memory_mib" not in answers[0]:
        return failed(MEMORY, answers[0], receipt)
    value = float(answers[0]["memory_mib"])
    return Measurement(
        metric=MEMORY,
        value=value,
        low=value,
        high=value,
        samples=(value,),
        origin="measured",
        receipt=receipt,
    )


def cuda_memory(
    module: nn.Module,
    input_shape: Sequence[int],
    options: TorchOptions,
    *,
    device: str = "",
    now: Callable[[], str] = utc_now,
) -> Outcome:
    """Memory in MiB that torch's CUDA allocator holds at the peak of one forward pass, weights
    included.

    A copy is measured; the module is left as found. The context and the kernels' code, which CUDA
    keeps outside the allocator, are not part of it.
    """
    import copy

    import torch

    from profilers.preserve import example_input, left_as_found
    from profilers.torch_latency import DTYPES
    from profilers.torch_latency import make_receipt as torch_receipt

    shape = tuple(int(size) for size in input_shape)
    receipt = torch_receipt(options, shape, device, now())
    place, dtype = torch.device(options.place), DTYPES[options.dtype]
    try:
        torch.cuda.synchronize(place)
        before = torch.cuda.memory_allocated(place)
        torch.cuda.reset_peak_memory_stats(place)
        with left_as_found(module), torch.inference_mode():
            duplicate = copy.deepcopy(module).to(device=place, dtype=dtype)
            duplicate(example_input(module, shape).to(device=place, dtype=dtype))
        torch.cuda.synchronize(place)
        value = (torch.cuda.max_memory_allocated(place) - before) / MIB
    except (RuntimeError, AssertionError) as error:
        # AssertionError is what a torch without CUDA raises.
        reason = "out of memory" if isinstance(error, torch.OutOfMemoryError) else "refused"
        return Failure(
            metric=MEMORY, reason=reason, detail=" ".join(str(error).split())[:300], receipt=receipt
        )
    return Measurement(
        metric=MEMORY,
        value=value,
        low=value,
        high=value,
        samples=(value,),
        origin="measured",
        receipt=receipt,
    )
