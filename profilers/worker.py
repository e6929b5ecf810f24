"""The process that runs a model under a runtime: one JSON request on stdin, JSON lines on stdout.

It needs that runtime and numpy and nothing else, because this file travels to remote hosts.
Whatever happens to it (a crash, a hang, no memory) happens to it alone; `isolate.py` watches over
it.

Request: `runtime` (a key of SESSIONS), `precision`, `models` [{`path`, `weights`, `expected`,
`outputs`, `shapes` {input: sizes}}], `measure` latency | memory | operations | outputs |
parity, `feeds`,
`threads`, `provider` cpu | cuda | tensorrt, `index` of the CUDA device, `graph_level`,
`io_binding`,
`reference` (a model or null), `nominal_s`, `protocol` {...}, `memory_limit_mib`, `seed`. Answer:
one line per model {`model`: index, ...} and one with the versions.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TextIO

import numpy as np

from profilers.host import available_mib, host, process_memory_mib
from profilers.opened import Opened, difference, write_pairs
from profilers.timing import Clock, Protocol, Samples, sample_interleaved, timed

Run = Callable[[], object]

SESSIONS = {
    "onnxruntime": "profilers.session",
    "openvino": "profilers.session_openvino",
    "ncnn": "profilers.session_ncnn",
    "litert": "profilers.session_litert",
}
"""The module that opens models in a runtime: `opened(model, request)` and `versions()`."""


class NotFinite(Exception):
    """The model's outputs hold NaN or infinity."""


def main() -> None:
    """Answer the one request on stdin."""
    answers = private_stdout()
    request = json.load(sys.stdin)
    limit_memory(request.get("memory_limit_mib"), request.get("provider", "cpu"))
    say(answers, {"versions": versions(request), "host": host().fingerprint})
    works = {
        "latency": measure_latency,
        "memory": measure_memory,
        "operations": measure_operations,
        "outputs": write_outputs,
        "parity": measure_parity,
    }
    work = works[request.get("measure", "latency")]
    for answer in work(request):
        say(answers, answer)


def measure_latency(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Time all models of the request in turn, with the reference beside them if there is one."""
    answers: dict[int, dict[str, Any]] = {}
    runs: dict[str, Run] = {}
    beside: dict[str, dict[str, Any]] = {}
    for index, model in enumerate(request["models"]):
        try:
            began = time.perf_counter()
            ready = open_model(model, request)
            said: dict[str, Any] = {"load_s": round(time.perf_counter() - began, 6)}
            runs[str(index)], beside[str(index)] = ready.run, said
            if ready.nodes:
                said["nodes"] = ready.nodes
            if model.get("expected"):
                said["parity"] = finite(difference(ready, model["expected"]))
        except Exception as error:
            runs.pop(str(index), None)
            answers[index] = failure(index, error)
    if not runs:
        return [answers[index] for index in sorted(answers)]
    reference = open_reference(request)
    own = own_clock(list(runs.values()), request)
    taken = sample_interleaved(
        {name: timed(run, own=own) for name, run in runs.items()},
        Protocol(**request.get("protocol", {})),
        reference=timed(reference, own=own) if reference else None,
        nominal_s=request.get("nominal_s"),
    )
    for name, samples in taken.items():
        answers[int(name)] = {"model": int(name), **plain(samples), **beside[name]}
    return [answers[index] for index in sorted(answers)]


def measure_memory(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Peak resident memory that loading and running the one model of the request added to this
    process."""
    model = request["models"][0]
    try:
        before = process_memory_mib(peak=False)
        run = open_model(model, request).run
        for _ in range(5):
            run()
        peak = process_memory_mib(peak=True)
        if before is None or peak is None:
            raise OSError("this system does not tell a process's memory")
        return [{"model": 0, "memory_mib": max(0.0, peak - before), "before_mib": before}]
    except Exception as error:
        return [failure(0, error)]


def measure_operations(request: dict[str, Any]) -> list[dict[str, Any]]:
    """What each node of the one model takes: median seconds of 50 runs, by ONNX Runtime's own
    profiler."""
    try:
        from profilers.session import load, made_up

        with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
            model = request["models"][0]
            session = load(model["path"], {**request, "profile": os.path.join(folder, "ort")})
            feeds = made_up(session, model, request)
            for _ in range(50):
                session.run(None, feeds)
            with open(session.end_profiling(), encoding="utf-8") as file:
                events = json.load(file)
    except Exception as error:
        return [failure(0, error)]
    durations: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            kind = event["args"].get("op_name", "")
            if (
                request.get("provider", "cpu") != "cpu"
                and event["args"].get("provider") == "CPUExecutionProvider"
            ):
                kind += " (on the CPU)"
            node = (event["name"][: -len("_kernel_time")], kind)
            durations.setdefault(node, []).append(event["dur"] / 1e6)
    nodes = [[*node, float(np.median(values))] for node, values in durations.items()]
    return [{"model": 0, "operations": nodes}]


def write_outputs(request: dict[str, Any]) -> list[dict[str, Any]]:
    """What the one model gives for `feeds` random inputs, written to the file `outputs` that it
    names (see `opened.difference`)."""
    model = request["models"][0]
    try:
        session = session_of(request)
        ready = [
            session.opened(model, {**request, "seed": feed}) for feed in range(request["feeds"])
        ]
        write_pairs(model["outputs"], ready)
    except Exception as error:
        return [failure(0, error)]
    return [{"model": 0}]


def measure_parity(request: dict[str, Any]) -> list[dict[str, Any]]:
    """How far the one model's outputs are from those that it names as `expected`."""
    model = request["models"][0]
    try:
        return [
            {
                "model": 0,
                "parity": finite(difference(open_model(model, request), model["expected"])),
            }
        ]
    except Exception as error:
        return [failure(0, error)]


def own_clock(runs: Sequence[Run], request: dict[str, Any]) -> Clock:
    """The device's own time, one clock for all: this thread's CPU time where it does all of the
    work. Of many runs one may be looked at while a library starts up: that is over at the second
    look."""
    alone = request.get("provider", "cpu") == "cpu" and request.get("threads", 1) == 1
    shared = any(works_in_other_threads(run) and works_in_other_threads(run) for run in runs)
    return time.thread_time if alone and not shared else time.perf_counter


def works_in_other_threads(run: Run, least_s: float = 0.005) -> bool:
    """Whether other threads of this process spend CPU time during runs."""
    thread, process = time.thread_time(), time.process_time()
    while time.process_time() - process < least_s:
        run()
    thread, process = time.thread_time() - thread, time.process_time() - process
    return process > 1.1 * thread


def session_of(request: dict[str, Any]) -> Any:
    """The module that opens models in the requested runtime."""
    return importlib.import_module(SESSIONS[request.get("runtime", "onnxruntime")])


def open_model(model: dict[str, Any], request: dict[str, Any]) -> Opened:
    """Load one model and check that its outputs are finite."""
    ready: Opened = session_of(request).opened(model, request)
    for output in ready.infer(ready.inputs):
        if np.asarray(output).dtype.kind == "f" and not np.isfinite(output).all():
            raise NotFinite("the outputs are not finite")
    return ready


def open_reference(request: dict[str, Any]) -> Run | None:
    """What runs the reference; None where there is none, or its runtime is not installed here.

    A runtime that can't read the reference has it run in another, which the model names.
    """
    model = request.get("reference")
    other = {"runtime": model["runtime"]} if model and "runtime" in model else {}
    with suppress(ImportError):
        return open_model(model, {**request, **other}).run if model else None
    return None


def finite(errors: dict[str, float]) -> dict[str, float]:
    """The same errors. Raises NotFinite where the outputs that they are of are not finite."""
    if not np.isfinite(list(errors.values())).all():
        raise NotFinite("the outputs are not finite")
    return errors


def plain(samples: Samples) -> dict[str, Any]:
    """JSON form of samples: seconds, rounded to the nanosecond that clocks have."""
    return {
        "own": [round(value, 9) for value in samples.own],
        "wall": [round(value, 9) for value in samples.wall],
        "reference": [round(value, 9) for value in samples.reference],
        "cycles": list(samples.cycles),
        "warmup_runs": len(samples.warmup),
        "summary": vars(samples.summary),
        "wall_summary": vars(samples.wall_summary),
    }


def failure(index: int, error: Exception) -> dict[str, Any]:
    """What went wrong with one model, in one word and one line."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    memory = isinstance(error, MemoryError) or any(
        word in text.lower()
        for word in ("bad_alloc", "failed to allocate", "out of memory", "available memory")
    )
    reason = (
        "out of memory" if memory else "not finite" if isinstance(error, NotFinite) else "refused"
    )
    return {"model": index, "failure": reason, "detail": text}


def versions(request: dict[str, Any]) -> dict[str, str]:
    """Versions of what was used."""
    used: dict[str, str] = session_of(request).versions()
    other = (request.get("reference") or {}).get("runtime")
    with suppress(ImportError):  # then there is no reference
        used = {**(session_of({"runtime": other}).versions() if other else {}), **used}
    return {
        **used,
        "numpy": np.__version__,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
    }


def limit_memory(limit_mib: float | None, provider: str = "cpu") -> None:
    """Cap the memory of this process, so that a greedy model fails here and the host is not brought
    down.

    Without a limit of its own a model on the CPU gets four fifths of what is free; CUDA's drivers
    reserve addresses by the hundred gigabytes and get what they ask for.
    """
    try:
        import resource
    except ImportError:
        return
    if limit_mib is not None:
        limit = int(limit_mib * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    elif provider == "cpu" and sys.platform == "linux" and available_mib():
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = int(0.8 * available_mib() * 2**20)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def private_stdout() -> TextIO:
    """A stream to the real stdout; anything that a library writes to fd 1 from now on goes to
    stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8")


def say(answers: TextIO, message: dict[str, Any]) -> None:
    """Send one line at once, so that it survives a later crash."""
    answers.write(json.dumps(message) + "\n")
    answers.flush()
