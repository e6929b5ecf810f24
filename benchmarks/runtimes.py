"""OpenVINO, ncnn, LiteRT and ONNX Runtime: is what a back end measures the runtime's own, and do they agree?

    python -m benchmarks.runtimes overhead    a back end's run beside a plain loop of the runtime's own API
    python -m benchmarks.runtimes app         OpenVINO's own benchmark_app beside a back end's measurement
    python -m benchmarks.runtimes all --run RUN KEY KEY KEY
                                              two published networks and members of a front in every back end: one table
    python -m benchmarks.runtimes convert     seconds to prepare and to load a network
    python -m benchmarks.runtimes agree       30 networks of two spaces in each runtime, twice: Kendall's tau

`overhead` takes blocks of both in turn, in one process, so that both meet the same host; what is compared
are medians of blocks. `agree` measures all networks of a space in turn, first in every runtime, then in every
runtime again: how well a runtime agrees with itself is the ceiling of how well it can agree with another.
Each line of results/runtimes.jsonl is one answer.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hwnas.catalog import find_device
from hwnas.export.onnx_format import onnx_model
from hwnas.measuring.built import built
from hwnas.measuring.calibration_runs import random_networks
from hwnas.measuring.profile import measure_all
from hwnas.measuring.subjects import Shape, genotype, members
from hwnas.measuring.tflite_files import network_file
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import open_run
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Architecture, sized
from hwnas.space.space import SPACES
from hwnas.space.task import Task
from hwnas.space.text import parse
from profilers.agreement import kendall_tau
from profilers.backends import Options
from profilers.device import load as load_device
from profilers.measurement import Measurement
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.parity import of_module
from profilers.runtimes import RUNTIMES
from profilers.timing import Protocol

PUBLISHED = (("MOBILENET_V2", None, None, 96), ("DARTS_V2", 16, 8, 32))
"""Name, channels, cells, side."""
DRAWN = (("darts", 16, 8, 32), ("mobile", None, None, 96))
SESSIONS = {"onnxruntime": "profilers.session"}
RUN = "onnxruntime", "openvino", "ncnn", "litert"


def main() -> None:
    options = parser().parse_intermixed_args()
    question = {
        "overhead": overhead,
        "app": beside_benchmark_app,
        "all": everything,
        "convert": conversion,
        "agree": agreement,
    }[options.question]
    for answer in question(options):
        line = {"question": options.question, **answer, "load": round(os.getloadavg()[0], 1)}
        print(json.dumps(line), flush=True)
        if options.out:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("question", choices=("overhead", "app", "all", "convert", "agree"))
    found.add_argument("keys", nargs="*", help="all: members of the front")
    found.add_argument("--run", type=Path, help="all: a run directory")
    found.add_argument("--rounds", type=int, default=5, help="app: of both, in turn")
    found.add_argument("--blocks", type=int, default=60, help="overhead: blocks of each")
    found.add_argument("--networks", type=int, default=15, help="agree: networks of each space")
    found.add_argument("--budget", type=float, default=0.2, help="agree: seconds per network")
    found.add_argument("--space", choices=[row[0] for row in DRAWN], help="agree: this one alone")
    found.add_argument("--out", type=Path, help="a .jsonl file to add to")
    return found


def written(at: Architecture, side: int, path: Path) -> Any:
    """The ONNX file of a network; gives its module."""
    module = built(at, 10, (3, side, side), "cifar")
    tensors = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    names = tuple(map(str, range(10)))
    onnx.save_model(onnx_model(at, tensors, names, (3, side, side), "cifar"), str(path))
    task = Task(classes=10, image=(3, side, side))
    network_file(at, module, task, "cifar", "fp32", path.with_suffix(".tflite"))
    return module


def checked(path: Path) -> OnnxModel:
    """The ONNX file, and the TFLite file that `written` made beside it."""
    return replace(check_onnx(path), tflite=path.with_suffix(".tflite"))


# overhead


def overhead(options: argparse.Namespace) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        for name, channels, cells, side in PUBLISHED:
            path = Path(folder) / f"{name}.onnx"
            written(sized(parse(name), channels, cells), side, path)
            model = checked(path)
            for runtime in RUN:
                prepared = RUNTIMES[runtime].prepare(model, Path(folder) / runtime, "fp32")
                session = import_module(SESSIONS.get(runtime, f"profilers.session_{runtime}"))
                ours = session.opened(prepared, {"threads": 1}).run
                plain = PLAIN[runtime](prepared, side)
                yield {"network": name, "runtime": runtime, **in_turn(ours, plain, options.blocks)}


def in_turn(first: Callable[[], object], second: Callable[[], object], blocks: int) -> Any:
    """Medians of blocks of both, taken in turn; the ratio of the first to the second."""
    for run in (first, second):
        until = time.perf_counter() + 0.5
        while time.perf_counter() < until:
            run()
    rows = []
    for number in range(blocks):  # whoever comes second finds the other's data in the caches
        order = (first, second) if number % 2 else (second, first)
        taken = {run: block(run) for run in order}
        rows.append((taken[first], taken[second]))
    ratios = np.array([a / b for a, b in rows])
    rng = np.random.default_rng(0)
    drawn = np.median(rng.choice(ratios, (2000, len(ratios))), axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    ours, plain = np.array(rows).T
    return {
        "ours_ms": round(1e3 * float(np.median(ours)), 4),
        "plain_ms": round(1e3 * float(np.median(plain)), 4),
        "ratio": round(float(np.median(ratios)), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "ratio_of_minima": round(float(ours.min() / plain.min()), 4),
        "blocks": blocks,
    }


def block(run: Callable[[], object], runs: int = 10) -> float:
    """The median of a few runs, in seconds."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def plain_onnxruntime(model: dict[str, Any], side: int) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model["path"], options, providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(0).standard_normal((1, 3, side, side)).astype(np.float32)
    return lambda: session.run(None, {"image": x})


def plain_openvino(model: dict[str, Any], side: int) -> Callable[[], object]:
    """As benchmark_app does with -api sync -nstreams 1 -nthreads 1 -infer_precision f32."""
    from profilers.session_openvino import silent_openvino

    openvino = silent_openvino()
    core = openvino.Core()
    network = core.read_model(model["path"])
    network.reshape([1, 3, side, side])
    config = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
    request = core.compile_model(network, "CPU", config).create_infer_request()
    x = np.random.default_rng(0).standard_normal((1, 3, side, side)).astype(np.float32)
    request.set_input_tensor(openvino.Tensor(x))
    return lambda: request.infer()


def plain_ncnn(model: dict[str, Any], side: int) -> Callable[[], object]:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(model["path"])
    net.load_model(model["weights"])
    x = np.random.default_rng(0).standard_normal((3, side, side)).astype(np.float32)
    image = ncnn.Mat(x).clone()

    def run() -> object:
        extractor = net.create_extractor()
        extractor.input("in0", image)
        return extractor.extract("out0")

    return run


def plain_litert(model: dict[str, Any], side: int) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    ready = Interpreter(model_path=model["path"], num_threads=1)
    ready.allocate_tensors()
    x = np.random.default_rng(0).standard_normal((1, side, side, 3)).astype(np.float32)
    ready.set_tensor(ready.get_input_details()[0]["index"], x)
    return lambda: ready.invoke()


PLAIN = {
    "onnxruntime": plain_onnxruntime,
    "openvino": plain_openvino,
    "ncnn": plain_ncnn,
    "litert": plain_litert,
}


# app

APP = "\n".join(
    (
        "from profilers.session_openvino import silent_openvino",
        "silent_openvino()",  # it would send usage to the web
        "from openvino.tools.benchmark.main import main",
        "main()",
    )
)


def beside_benchmark_app(options: argparse.Namespace) -> Any:
    """Medians and minima on the wall of both, each in a process of its own, in turn; benchmark_app
    says hundredths of a millisecond. Ratios: median, lowest and highest of the rounds."""
    protocol = Protocol(budget_s=3.0, min_s=3.0, patience=1.0, statistic="median")
    how = OnnxOptions(runtime="openvino", protocol=protocol, store=None)
    with tempfile.TemporaryDirectory() as folder:
        for name, channels, cells, side in PUBLISHED:
            path = Path(folder) / f"{name}.onnx"
            written(sized(parse(name), channels, cells), side, path)
            rows = []
            for number in range(options.rounds):
                pair: dict[str, list[float]] = {}
                for which in ("ours", "app") if number % 2 else ("app", "ours"):
                    if which == "app":
                        pair[which] = app_ms(path, side)
                    else:
                        (found,) = measure_latency([path], how, device="cpu")
                        said = dict(found.receipt.settings)
                        pair[which] = [float(said[f"wall_{one}_ms"]) for one in ("median", "min")]
                rows.append((pair["ours"], pair["app"]))
            taken = np.array(rows)  # rounds, whose, median and minimum
            ratios = taken[:, 0] / taken[:, 1]
            yield {
                "network": name,
                "ours_ms": taken[:, 0].round(3).tolist(),
                "app_ms": taken[:, 1].tolist(),
                "ratio_of_medians": np.quantile(ratios[:, 0], [0.5, 0, 1]).round(3).tolist(),
                "ratio_of_minima": np.quantile(ratios[:, 1], [0.5, 0, 1]).round(3).tolist(),
            }


def app_ms(path: Path, side: int) -> list[float]:
    words = f"-d CPU -api sync -hint none -nstreams 1 -nthreads 1 -infer_precision f32 -t 3 -shape [1,3,{side},{side}]"
    done = subprocess.run(
        [sys.executable, "-c", APP, "-m", str(path), *words.split()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = [re.search(rf"{word}: +([0-9.]+) ms", done.stdout) for word in ("Median", "Min")]
    return [float(one[1]) for one in found if one is not None]


# all


def everything(options: argparse.Namespace) -> Any:
    """The table that `hwnas profile --backend` prints, of networks that no one subject holds."""
    from hwnas.cli.profile_runtimes import as_dict, show_runtimes, split
    from hwnas.measuring.comparison import compared

    found = [
        genotype(name, Shape(channels=channels, cells=cells, image=(3, side, side)))
        for name, channels, cells, side in PUBLISHED
    ]
    found = [replace(one, key=row[0]) for one, row in zip(found, PUBLISHED, strict=True)]
    if options.run is not None:
        run = open_run(options.run)
        chosen = choose(run, Choice(names=tuple(options.keys)), "either").members
        found += members(run, chosen)
    cpu = load_device(find_device("cpu"))
    rows = measure_all(found, cpu, Options(), (*RUN, "torch"), None)
    show_runtimes(split(rows)[0], f"one thread, batch 1, load {os.getloadavg()[0]:.1f}")
    yield as_dict(compared(split(rows)[0]))


# convert


def conversion(options: argparse.Namespace) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        for name, channels, cells, side in PUBLISHED:
            path = Path(folder) / f"{name}.onnx"
            at = sized(parse(name), channels, cells)
            written(at, side, path)
            model = checked(path)
            for runtime in RUN:
                session = import_module(SESSIONS.get(runtime, f"profilers.session_{runtime}"))
                begun = time.perf_counter()
                if runtime == "litert":  # its file is written from the graph
                    module = built(at, 10, (3, side, side), "cifar")
                    begun = time.perf_counter()
                    task = Task(classes=10, image=(3, side, side))
                    network_file(at, module, task, "cifar", "fp32", path.with_suffix(".tflite"))
                prepared = RUNTIMES[runtime].prepare(model, Path(folder) / runtime, "fp32")
                between = time.perf_counter()
                session.opened(prepared, {"threads": 1})
                yield {
                    "network": name,
                    "runtime": runtime,
                    "prepare_s": round(between - begun, 2),
                    "load_s": round(time.perf_counter() - between, 2),
                }


# agree


def agreement(options: argparse.Namespace) -> Any:
    for space, channels, cells, side in DRAWN:
        if options.space not in (None, space):
            continue
        drawn = random_networks(SPACES[space], options.networks, np.random.default_rng(0))
        networks = [sized(to_genotype(SPACES[space], one), channels, cells) for one in drawn]
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{number}.onnx" for number in range(len(networks))]
            modules = [written(at, side, p) for at, p in zip(networks, paths, strict=True)]
            models = [checked(path) for path in paths]
            # A network may have chosen a smaller side than that of the task's images.
            shapes = [model.inputs[0][1] for model in models]
            expected = [of_module(net, shape) for net, shape in zip(modules, shapes, strict=True)]
            passes = []
            for number in range(2):
                passes.append({one: latencies(one, models, expected, options) for one in RUN})
                yield {"space": space, "pass": number + 1, "latency_ms": passes[-1]}
        yield {"space": space, **agreed(passes[0], passes[1])}


def latencies(runtime: str, models: Any, expected: Any, options: argparse.Namespace) -> list[Any]:
    """ms of each network, None where a measurement failed."""
    protocol = Protocol(budget_s=options.budget, min_s=options.budget / 2, patience=2.0)
    how = OnnxOptions(runtime=runtime, protocol=protocol, limit_s=30.0)
    found = measure_latency(models, how, device="cpu", expected=expected)
    return [round(one.value, 5) if isinstance(one, Measurement) else None for one in found]


def agreed(first: dict[str, list[Any]], second: dict[str, list[Any]]) -> dict[str, Any]:
    """Kendall's tau of each pair, means of both passes; of a runtime with itself, of its passes."""
    names = list(first)

    def tau(a: list[Any], b: list[Any]) -> float:
        known = [pair for pair in zip(a, b, strict=True) if None not in pair]
        return kendall_tau(*np.array(known, dtype=float).T)

    table = {
        a: {
            b: round(
                tau(first[a], second[a])
                if a == b
                else (tau(first[a], first[b]) + tau(second[a], second[b])) / 2,
                3,
            )
            for b in names
        }
        for a in names
    }
    both = {name: np.array([first[name], second[name]], dtype=float).mean(axis=0) for name in names}
    return {
        "networks": sum(one is not None for one in first[names[0]]),
        "kendall_tau": table,
        "fastest": {name: int(np.nanargmin(values)) for name, values in both.items()},
    }


if __name__ == "__main__":
    main()
