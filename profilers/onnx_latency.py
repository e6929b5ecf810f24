"""Latency of ONNX files under ONNX Runtime, or another runtime, in processes of their own.

One thread by default. Several files of one call share a process and are sampled in turn, with a
reference network beside them, so that what is compared was measured under the same conditions. What
fails is a `Failure` among the results, never an exception; only a file that could not be measured
anywhere (see `onnx_check`) raises InputError.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from profilers import parity
from profilers.answers import Answer, read_answers
from profilers.isolate import measure
from profilers.limits import check_numbers
from profilers.measurement import LATENCY, Failure, Measurement, Metric, Outcome, Receipt, pairs
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.parity import Expected
from profilers.prepared import prepare_models, prepare_reference
from profilers.providers import Provider, fell_back, took
from profilers.reference import NominalSpeed, default_store, nominal_speed
from profilers.runtimes import RUNTIMES
from profilers.timing import Protocol

MS = 1000.0
BUSY = "the host was busy: its wall clock moved more than 2 % between blocks"

GraphLevel = Literal["disabled", "basic", "extended", "all"]
# (request, seconds per model) -> the worker's facts, an answer per model; `isolate.measure` or a
# remote host.
Measure = Callable[[Answer, float], tuple[Answer, list[Answer]]]


Precision = Literal["fp32", "fp16", "bf16", "int8"]


@dataclass(frozen=True, kw_only=True)
class OnnxOptions:
    """How a runtime is run: `runtime` (a key of `runtimes.RUNTIMES`) in `precision`.

    `provider`, `index`, `graph_level` and `io_binding` are ONNX Runtime's own.

    `limit_s` is the time limit for one model, start-up and warm-up included.

    `index`: which CUDA device, as CUDA counts them. `reference`: sample a fixed network beside CPU
    measurements and report at its speed on a quiet host (see `reference.py`); `store` is the file
    where that speed is remembered (None: nowhere).
    """

    runtime: str = "onnxruntime"
    precision: Precision = "fp32"
    threads: int = 1
    provider: Provider = "cpu"
    index: int = 0
    graph_level: GraphLevel = "all"
    io_binding: bool = False
    limit_s: float = 60.0
    memory_limit_mib: float | None = None
    reference: bool = True
    store: Path | None = field(default_factory=default_store)
    protocol: Protocol = field(default_factory=Protocol)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers out of range (InputError)."""
        check_numbers(threads=self.threads, limit=self.limit_s, budget=self.protocol.budget_s)


def utc_now() -> str:
    """Now, ISO 8601 in UTC, for receipts."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def measure_latency(
    models: Sequence[OnnxModel | Path | str],
    options: OnnxOptions | None = None,
    *,
    device: str = "",
    now: Callable[[], str] = utc_now,
    run: Measure = measure,
    expected: Sequence[Expected | None] = (),
) -> list[Outcome]:
    """Latency in ms of each model, in the order given: one process for all, candidates in turn.

    `device` is the target's name for the receipt; `run` is where it happens (this host by default,
    see `remote.py`). `expected`: what each model's outputs are compared with, where that is known;
    one that gives others is a Failure. Raises InputError for a file that `check_onnx` refuses.
    """
    options = options or OnnxOptions()
    checked = [model if isinstance(model, OnnxModel) else check_onnx(model) for model in models]
    wanted = list(expected) or [None] * len(checked)
    with tempfile.TemporaryDirectory(prefix="hwnas-") as name:
        folder = Path(name)
        prepared = prepare_models(checked, wanted, options.runtime, options.precision, folder)
        reference = prepare_reference(options.runtime, folder) if uses_reference(options) else None
        request = latency_request([one.model for one in prepared if one.model], options, reference)
        facts, answers = (
            read_answers(*run(request, options.limit_s), len(request["models"]), "latency")
            if request["models"]
            else ({}, [])
        )
    level = reference_level(facts, answers, options, elsewhere=run is not measure)
    taken = iter(answers)
    return [
        latency_outcome(
            model,
            next(taken) if one.model else one.failure,
            facts=facts,
            options=options,
            level=level,
            device=device,
            time=now(),
            expected=one.expected,
            convert_s=one.seconds,
        )
        for model, one in zip(checked, prepared, strict=True)
    ]


def uses_reference(options: OnnxOptions) -> bool:
    """Whether the reference runs: on the CPU, where other work disturbs, with the automatic
    statistic."""
    return options.reference and options.provider == "cpu" and options.protocol.statistic == "auto"


def latency_request(
    models: Sequence[Answer], options: OnnxOptions, reference: Answer | None
) -> Answer:
    """The worker's request as JSON (see `worker.py`).

    The reference counts as 1: it is scaled afterwards.
    """
    return {
        "runtime": options.runtime,
        "packages": list(RUNTIMES[options.runtime].runs),
        "precision": options.precision,
        "models": list(models),
        "threads": options.threads,
        "provider": options.provider,
        "index": options.index,
        "graph_level": options.graph_level,
        "io_binding": options.io_binding,
        "memory_limit_mib": options.memory_limit_mib,
        "reference": reference,
        "nominal_s": 1.0 if reference else None,
        "protocol": asdict(options.protocol),
        "seed": options.seed,
    }


def reference_level(
    facts: Answer, answers: Sequence[Answer], options: OnnxOptions, elsewhere: bool = False
) -> NominalSpeed | None:
    """How long the reference takes on the quiet host that measured; None where it did not run."""
    runs = max((answer.get("reference") or [] for answer in answers), key=len, default=[])
    if not runs:
        return None
    # What another machine says of itself must not pass for this one.
    host = f"elsewhere: {facts['host']}" if elsewhere else facts["host"]
    runtime = RUNTIMES[options.runtime].reference or options.runtime
    version = facts["versions"].get(runtime, "?")
    key = f"{host or '?'} {runtime} {version} threads {options.threads}"
    # The reference is a file of float32, which runtimes run in the precision that was asked for.
    key += f" {options.graph_level}" if runtime == "onnxruntime" else f" {options.precision}"
    return nominal_speed(options.store, key, runs)


def latency_outcome(
    model: OnnxModel,
    answer: Answer,
    facts: Answer,
    options: OnnxOptions,
    level: NominalSpeed | None,
    device: str,
    time: str,
    expected: Expected | None = None,
    convert_s: float = 0.0,
) -> Outcome:
    """One answer of a worker as a measurement in ms, or as the failure that it is.

    Outputs that are not those `expected` are a failure, too. `convert_s`: seconds that the
    runtime's files took to make.
    """
    if "summary" not in answer:
        return failed(LATENCY, answer, make_receipt(model, facts, options, device, time))
    compared: dict[str, Any] = {}
    if expected is not None and "parity" in answer:
        compared = parity.settings(answer["parity"], expected)
        why = parity.problem(answer["parity"], expected, options.precision)
        if why:
            receipt = make_receipt(model, facts, options, device, time, settings=compared)
            return failed(LATENCY, {"failure": "parity", "detail": why}, receipt)
    summary, wall = answer["summary"], answer["wall_summary"]
    scale = MS * (level.seconds if answer["reference"] and level else 1.0)
    details = {
        name: f"{MS * wall[name]:.6g}" for name in ("min", "p10", "median", "p90", "p99", "iqr")
    }
    nodes = answer.get("nodes", {})
    settings = {
        "runs": wall["n"],
        **compared,
        **({"nodes": took(nodes)} if nodes else {}),
        "convert_s": f"{convert_s:.3g}",
        **({"load_s": f"{answer['load_s']:.3g}"} if "load_s" in answer else {}),
        **{f"wall_{name}_ms": value for name, value in details.items()},
    }
    if level is not None:
        typical = sorted(answer["reference"])[len(answer["reference"]) // 2]
        settings["reference_ms"] = f"{MS * level.seconds:.6g}"
        settings["reference_now_ms"] = f"{MS * typical:.6g}"
    receipt = make_receipt(
        model,
        facts,
        options=options,
        device=device,
        time=time,
        statistic=summary["statistic"],
        noisy=bool(wall["noisy"]),
        settings=settings,
        fell_back=fell_back(nodes, options.provider),
    )
    return Measurement(
        metric=LATENCY,
        value=scale * summary["value"],
        low=scale * summary["low"],
        high=scale * summary["high"],
        samples=tuple(MS * value for value in answer["wall"]),
        origin="measured",
        receipt=receipt.with_notes(*(level.notes if level else ())),
        series=tuple(
            (name, tuple(MS * value for value in answer[name])) for name in ("own", "reference")
        ),
    )


def make_receipt(
    model: OnnxModel,
    facts: Answer,
    options: OnnxOptions,
    device: str,
    time: str,
    statistic: str = "",
    noisy: bool = False,
    settings: dict[str, Any] | None = None,
    fell_back: tuple[str, ...] = (),
) -> Receipt:
    """What a reader needs to repeat this measurement."""
    shape = model.inputs[0][1] if model.inputs else ()
    return Receipt(
        backend=options.runtime,
        device=device,
        versions=pairs(facts.get("versions", {})),
        threads=options.threads,
        batch=shape[0] if shape else None,
        shape=shape,
        dtype=model.dtype if options.precision == "fp32" else options.precision,
        host=str(facts.get("host", "")),
        time=time,
        statistic=statistic,
        noisy=noisy,
        settings=pairs({**how(options), **(settings or {})}),
        notes=(*((BUSY,) if noisy else ()), *fell_back),
    )


def how(options: OnnxOptions) -> dict[str, object]:
    """What else was chosen about the runtime, for a receipt."""
    if options.runtime != "onnxruntime":
        return {"precision": options.precision}
    place = options.provider if not options.index else f"{options.provider}:{options.index}"
    return {
        "provider": place,
        "graph_level": options.graph_level,
        "io_binding": options.io_binding,
    }


def failed(metric: Metric, answer: Answer, receipt: Receipt) -> Failure:
    """A worker's failure as a value."""
    return Failure(
        metric=metric,
        reason=str(answer.get("failure", "crash")),
        detail=str(answer.get("detail", "")),
        receipt=receipt,
    )
