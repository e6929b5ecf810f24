"""Every way to measure, by name; other packages add theirs through the entry-point group
`hwnas.profilers`.

A back end is a function (subject, device, options) -> list of outcomes. docs/profilers.md shows how
to write one.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from profilers.answered import checked
from profilers.count_backends import counts, thop, torch_counter
from profilers.device import Device
from profilers.energy_backend import energy
from profilers.errors import InputError, nearest
from profilers.measurement import Outcome
from profilers.parity import compared_module
from profilers.runtime_backends import runtime_backend
from profilers.runtimes import RUNTIMES
from profilers.subject import Backend as Backend
from profilers.subject import Options as Options
from profilers.subject import Subject as Subject
from profilers.subject import cuda_index as cuda_index
from profilers.subject import needs_module as needs_module
from profilers.subject import needs_onnx as needs_onnx

GROUP = "hwnas.profilers"


def torch_backend(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    """latency of the module in eager torch; on CUDA its memory too.

    Raises InputError for another machine.
    """
    if options.run is not None:
        raise InputError("back end 'torch' measures on this machine only, not through Options.run")
    from profilers.memory import cuda_memory
    from profilers.torch_latency import TorchOptions, measure_torch

    if options.dtype == "int8":
        raise InputError("back end 'torch' has no precision 'int8' (choices: fp32, fp16, bf16)")
    how = TorchOptions(
        place=options.place,
        dtype=options.dtype,
        channels_last=options.channels_last,
        cuda_graph=options.cuda_graph,
        flush_l2=options.flush_l2,
        threads=options.threads,
        protocol=options.protocol,
    )
    module = needs_module(subject)
    outcomes = measure_torch([module], subject.shape, how, device=device.name)
    if options.place == "cpu":
        outcomes = [compared_module(one, module, options.dtype) for one in outcomes]
    else:
        outcomes.append(cuda_memory(module, subject.shape, how, device=device.name))
    return outcomes


BACKENDS: dict[str, Backend] = {
    "counts": counts,
    "torch-counter": torch_counter,
    "thop": thop,
    "torch": torch_backend,
    "energy": energy,
    **{name: runtime_backend(name) for name in RUNTIMES},
}


def plugins() -> dict[str, EntryPoint]:
    """Back ends that other installed packages announce, by name; none is imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


def backend(name: str) -> Backend:
    """A back end by name; ours win over a plug-in of the same name.

    Raises InputError for an unknown one; a plug-in that gives no outcomes raises FaultyPlugin.
    """
    if name in BACKENDS:
        return BACKENDS[name]
    others = plugins()
    if name not in others:
        raise InputError(f"unknown back end '{name}'{nearest(name, [*BACKENDS, *others])}")
    try:
        found: Backend = others[name].load()
    except Exception as error:
        raise InputError(
            f"back end '{name}' ({others[name].value}): {type(error).__name__}: {error}"
        ) from None
    if not callable(found):
        raise InputError(f"back end '{name}' ({others[name].value}) is not a function")
    return checked(f"back end '{name}' ({GROUP})", found)
