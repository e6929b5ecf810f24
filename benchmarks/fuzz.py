"""Mutated files and texts for every parser: each must give a valid object, or our own error in one
line.

    OMP_NUM_THREADS=1 python -m benchmarks.fuzz --inputs 100000 --out benchmarks/results/fuzz.json

An input is a valid one whose bytes were flipped, cut, doubled, swapped for hostile ones (deep
brackets, huge numbers, NaN, control characters, paths out of the folder, terminal escapes), or
pieced together from two. What counts as a failure: any exception but InputError, a message of
several lines or with control characters, more than a second of CPU time, more than 512 MiB of
memory. The memory is a limit of the process (RLIMIT_AS).
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import tempfile
import time
import traceback
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwnas import config as configs
from hwnas.cluster.sweep_file import read_sweep
from hwnas.config import resolve
from hwnas.costs.amounts import parse_quantity
from hwnas.costs.latency_csv import read_architectures, read_measured
from hwnas.report import charts
from hwnas.report.commands import commands
from hwnas.report.load import fitting_together, load_run, metrics
from hwnas.runs import directory as runs
from hwnas.runs import history
from hwnas.runs.checkpoint import load_checkpoint, save_checkpoint
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import Run
from hwnas.runs.environment import read_environment
from hwnas.runs.models import model_of
from hwnas.runs.summary import read_front
from hwnas.runs.trials import Trial, append_trials, read_trials
from hwnas.search.checkpoint import checkpoint
from hwnas.search.config_kept import settled
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES
from hwnas.space.text import format_text, parse
from hwnas.training.arrays import load_npz
from hwnas.training.picture import orientation, probe, read_image
from profilers import device as devices
from profilers import onnx_check, table
from profilers.answers import Kind, read_answers
from profilers.bounded import Ended
from profilers.errors import InputError
from profilers.fit import Fitted, Form
from profilers.gaussian_process import Process
from profilers.remote import Transport, unpack

SECONDS, MIB = 1.0, 512
HOSTILE = (
    b"[" * 50_000, b"{" * 50_000, b"(" * 5_000, b'{"a":' * 5_000, b"9" * 400, b"-1", b"0", b"1e999", b"nan",
    b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b'""', b"../../etc/passwd", b"/dev/zero", b"\x00", b"\xff\xfe",
    b"\x1b[31m", b"\n", b"\r\n", b"|", b"~", b"+", b"none", b"skip_connect", b"'", b'"', b",", b"=",
    b"18446744073709551616",
    b"__import__('os').system('true')", b"\xe2\x80\xae", b"1" * 5_000, b"a" * 100_000,
)  # fmt: skip
SOURCE = Path(__file__).parents[1]


SWEEP = b"""
config = "quickstart"
epochs = 2
data.noise = 0.1
[sweep]
seed = [0, 1]
space = ["darts", "tnd"]
objectives = ["params", ["params", "macs"]]
weight_step.lr = [0.1, 0.2]
"""


@dataclass(kw_only=True)
class Parser:
    """One border: what a valid input looks like, and what reads it."""

    name: str
    seeds: list[bytes]
    read: Callable[[bytes], object]


def mutated(draw: random.Random, seeds: list[bytes]) -> bytes:
    """One valid input with one to six changes."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        at = draw.randrange(len(data) + 1)
        length = min(len(data) - at, draw.choice((1, 1, 2, 8, 64, 1024)))
        kind = draw.randrange(9)
        if kind > 6:
            data = bytearray(restructured(draw, bytes(data)))
        elif kind == 0 and data:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = data[at : at + length]
        elif kind == 3:
            data[at : at + length] = draw.choice(HOSTILE)
        elif kind == 4:
            data[at:at] = draw.choice(HOSTILE)
        elif kind == 5:
            other = draw.choice(seeds)
            start = draw.randrange(len(other) + 1)
            data[at : at + length] = other[start : start + length]
        else:
            del data[at:]
    return bytes(data)


VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 0.5, 2**31, 2**63, 10**400, 1e308, -1e308, 5e-324, "", "a", "x" * 30_000,
    "..", "\u2028", "\ud800", "\x1b[31m", [], {}, [[]], [None], {"a": None}, [0] * 1_000,
)  # fmt: skip


def restructured(draw: random.Random, data: bytes) -> bytes:
    """JSON, or a line of it, with one value replaced, left out, doubled or under another name."""
    lines = data.splitlines(keepends=True) or [b""]
    at = 0 if data.startswith((b"{\n", b"[\n")) else draw.randrange(len(lines))
    whole = data.startswith((b"{\n", b"[\n"))
    try:
        value = json.loads(data if whole else lines[at])
    except (ValueError, RecursionError):
        return data
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        keys = part.keys() if isinstance(part, dict) else range(len(part))
        for key in keys:
            places.append((part, key))
            if isinstance(part[key], dict | list):
                walk(part[key])

    if isinstance(value, dict | list):
        walk(value)
    if not places:
        return data
    (part, key), kind = draw.choice(places), draw.randrange(5)
    if kind == 0:
        del part[key]
    elif kind == 1:
        other, name = draw.choice(places)
        part[key] = json.loads(json.dumps(other[name]))
    elif kind == 2 and isinstance(part, list):
        part.append(part[key])
    elif kind == 2:
        part[draw.choice(("a", "..", "params", "\u202e"))] = part.pop(key)
    else:
        part[key] = draw.choice(VALUES)
    written = json.dumps(value).encode()
    return written if whole else b"".join([*lines[:at], written + b"\n", *lines[at + 1 :]])


def parsers(folder: Path) -> list[Parser]:
    """Every parser of something that comes from outside, with real inputs to begin from."""
    file = folder / "input"

    def through(read: Callable[[Path], object], suffix: str = "") -> Callable[[bytes], object]:
        path = file.with_name(f"input{suffix}")

        def call(data: bytes) -> object:
            path.write_bytes(data)
            return read(path)

        return call

    genotypes = [format_text(one).encode() for one in PUBLISHED.values()]
    genotypes += [json.dumps(one.to_dict()).encode() for one in PUBLISHED.values()]
    genotypes += [
        b"|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
        b"DARTS_V2",
        b"2024 genotype = " + genotypes[0] + b"\n2024 train 000",
        b"NASLib: (4, 0, 3, 1, 4, 3)",
        b"bananas: (" + 2 * (b"(" + 4 * b"(0, 4), (1, 5), " + b"), ") + b")",
        *_of_other_projects(),
    ]
    space = SPACES["nasbench201"]
    rows = ["arch,latency"] + [
        f"|nor_conv_{k}x{k}~0|+|none~0|none~1|+|none~0|none~1|none~2|,{k}.5" for k in (1, 3)
    ]
    quoted = "\n".join(rows).encode()
    run, images, pictures, model = _run(folder / "run"), _npz(folder), _pictures(), _onnx(folder)
    tables = [_table(folder)]

    def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
        return lambda data: read(data.decode("utf-8", "replace"))

    def of_remote(kind: Kind) -> Callable[[bytes], object]:
        there = Transport(command=("there",))

        def call(data: bytes) -> object:
            facts, answers = unpack(
                there, Ended(how="ended", returncode=0, output=data, errors=data)
            )
            return read_answers(facts, answers, 1, kind, "there")

        return call

    def all_of(kind: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((SOURCE / kind).glob("*.toml"))]

    found = [
        Parser(name="genotype", seeds=genotypes, read=text(parse)),
        Parser(name="amount", seeds=[b"2 ms", b"12us", b"1e-3 s"], read=text(lambda amount: parse_quantity(amount, "ms"))),
        Parser(name="config", seeds=all_of("configs"), read=through(lambda path: configs.resolve({}, str(path)), ".toml")),
        Parser(name="sweep", seeds=[SWEEP, b"[sweep]\nseed = [0x1]\n"], read=through(read_sweep, ".toml")),
        Parser(name="device", seeds=all_of("devices"), read=through(devices.load, ".toml")),
        Parser(name="latencies", seeds=[quoted], read=through(lambda path: read_measured(path, space, None, None, "ms"), ".csv")),
        Parser(name="architectures", seeds=[quoted], read=through(lambda path: read_architectures(path, space, None), ".csv")),
        Parser(name="images .npz", seeds=images, read=through(lambda path: load_npz(path, seed=0, noise=0.0), ".npz")),
        Parser(name="image", seeds=pictures, read=through(_look, ".png")),
        Parser(name="ONNX", seeds=[model], read=through(lambda path: onnx_check.check_onnx(path), ".onnx")),
        *(Parser(name=f"remote {kind}", seeds=[answer], read=of_remote(kind)) for kind, answer in _answers().items()),
        *_of_run(run),
    ]  # fmt: skip
    return [*found, Parser(name="latency table", seeds=tables, read=through(table.load, ".json"))]


def _of_run(run: Run) -> list[Parser]:
    """What stands in a run directory that somebody else may have made."""

    def inside(path: Path, read: Callable[[], object]) -> Callable[[bytes], object]:
        def call(data: bytes) -> object:
            path.write_bytes(data)
            return read()

        return call

    front = json.dumps(_summary(), indent=1).encode()

    def reported() -> object:
        data = load_run(run.path)
        for member in data.summary.members:
            model_of(run, member)
            for cost in data.costs:
                charts.front(data.fronts[0], cost, data.summary.baseline.random)
            commands(data, member), metrics(data, member)
        return choose(run, Choice())

    state, lines = run.checkpoint_path, history.history_path(run)
    return [
        Parser(name="trials", seeds=[run.trials_path.read_bytes()], read=inside(run.trials_path, lambda: read_trials(run))),
        Parser(name="history", seeds=[lines.read_bytes()], read=inside(lines, lambda: history.read_history(run))),
        Parser(name="front, reported", seeds=[front], read=inside(run.front_path, lambda: promised(reported, run))),
        Parser(name="state", seeds=_states(run), read=lambda data: _resumed(run, data)),
        Parser(name="front", seeds=[front], read=inside(run.front_path, lambda: read_front(run))),
        Parser(name="checkpoint", seeds=[state.read_bytes()], read=inside(state, lambda: load_checkpoint(run))),
        Parser(name="environment", seeds=[(run.path / "environment.json").read_bytes()],
               read=inside(run.path / "environment.json", lambda: read_environment(run.path))),
    ]  # fmt: skip


def promised(read: Callable[[], object], run: Run) -> object:
    """What `hwnas report` makes of a run."""
    with fitting_together(run.front_path):
        return read()


def _of_other_projects() -> list[bytes]:
    """NNI's and ConfigSpace's dictionaries."""
    kinds, op = ("normal", "reduce"), "sep_conv_3x3"
    nni: dict[str, Any] = {}
    for kind in kinds:
        for node in range(2, 6):
            for edge in range(2):
                nni[f"{kind}/op_{node}_{edge}"] = op
                nni[f"{kind}/input_{node}_{edge}"] = [edge]
    config: dict[str, Any] = {f"edge_{kind}_{edge}": op for kind in kinds for edge in range(14)}
    config |= {f"inputs_node_{kind}_{node}": "0_1" for kind in kinds for node in (3, 4, 5)}
    return [json.dumps(nni).encode(), json.dumps(config).encode(), repr(nni).encode()]


def _states(run: Run) -> list[bytes]:
    """The JSON of checkpoints: its digest is made anew, as a stranger would."""
    position = {"stage": 0, "epoch": 1, "step": 2, "trials": 3, "seconds": 1.5, "rate": 1.0}
    setback = {"stage": 0, "epoch": 1, "step": 2, "loss": None, "rate": 0.5}
    state = {
        "position": {**position, "parts": 1},
        "setbacks": [setback],
        "processes": 1,
        "losses": [1.0],
        "accuracies": [0.5],
        "config": settled(run.config),
    }
    return [json.dumps(state).encode()]


def _resumed(run: Run, data: bytes) -> object:
    """What a search that goes on makes of the state in `data`, whose digest is right."""
    kept = run.checkpoint_path.read_bytes()
    try:
        state = json.loads(data)
        if not isinstance(state, dict):
            raise InputError("no object")
        save_checkpoint(run, {"a": np.arange(3)}, state)
    except (ValueError, RecursionError) as error:
        raise InputError("no JSON") from error
    try:
        return checkpoint(run)
    finally:
        run.checkpoint_path.write_bytes(kept)


def _summary() -> dict[str, Any]:
    genotype = PUBLISHED["DARTS_V2"]
    member = {
        "key": genotype.key,
        "genotype": genotype.to_dict(),
        "text": format_text(genotype),
        "channels": 8,
        "cells": 5,
        "accuracy": {"value": 0.5, "origin": "shared weights (validation)"},
        "costs": {"params": {"value": 1000, "unit": "parameters", "origin": "counted"}},
    }
    return {
        "space": "darts",
        "algorithm": "tndnas",
        "seed": 0,
        "data": "digits",
        "evaluations": 40,
        "seconds": 1.5,
        "hypervolume": 0.5,
        "classes": ["0", "1"],
        "image": [1, 8, 8],
        "bounds": {"accuracy": [0.1, 1.0], "params": [100, 2000]},
        "reference_point": {"accuracy": 0.1, "params": 2000},
        "baseline": {"random_hypervolume": 0.4, "random_evaluations": 4},
        "front": [member],
    }


def _run(path: Path) -> Run:
    run = runs.create(
        path, resolve({"algorithm": "random", "objectives": [{"metric": "params"}]}), ["hwnas"], "0"
    )
    append_trials(
        run,
        [
            Trial(
                number=i,
                stage=0,
                epoch=0,
                step=i,
                key="ab",
                choices=(1, 2, 3),
                accuracy=0.5,
                costs={"params": 12.0},
            )
            for i in range(3)
        ],
    )
    tables = np.full((1, 2, 3), 1 / 3)
    for epoch in range(2):
        line = history.epoch_of(
            (0, epoch, 3),
            [1.0],
            accuracies=[0.5],
            entropies=[2.2],
            tables=tables,
            derived=[np.array([0, 1])],
        )
        history.append_epoch(run, line)
    save_checkpoint(
        run, {"weight.a": np.arange(6.0), "b": np.arange(3)}, {"position": {"stage": 0}}
    )
    return run


def _npz(folder: Path) -> list[bytes]:
    """Stored and packed, with names of classes and without."""
    x, y = np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8), np.arange(6) % 2
    arrays = {"x_train": x, "y_train": y, "x_test": x, "y_test": y}
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "packed.npz", **arrays, classes=np.array(["oak", "pine"]))
    return [(folder / name).read_bytes() for name in ("stored.npz", "packed.npz")]


def _table(folder: Path) -> bytes:
    process = Process(
        points=np.array([[0.0, 1.0]]),
        weights=np.array([0.25]),
        scale=np.array([1.0, 2.0]),
        length=0.5,
        noise=0.1,
    )
    fitted = Fitted(
        form=Form(design="eager", loss="squares", ridge=0.1, nodes=True, view="both"),
        constant=1.5,
        coefficients={"normal/none": 2.0},
        smallest=0.75,
        process=process,
    )
    network = table.NetworkSize(channels=16, cells=8, classes=10, image=(3, 32, 32))
    operations = table.Operations(fixed=0.0, edges=((0.0, 1.0), (2.0,)))
    held_out = {"held_out": {"networks": 40, "mape_percent": 2.5}}
    table.save(
        table.Table(
            device="cpu",
            space="darts",
            batch=4,
            network=network,
            fitted=fitted,
            agreement=held_out,
            provenance={},
            operations=operations,
        ),
        folder / "seed.json",
    )
    return (folder / "seed.json").read_bytes()


def _look(path: Path) -> object:
    """All that is asked of an image file."""
    return probe(str(path)), orientation(str(path)), read_image(str(path), (3, 8, 8))


def _pictures() -> list[bytes]:
    """Every format that is read, of several types of pixels."""
    from PIL import Image

    numbers = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    colour, sixteen = (
        Image.fromarray(numbers),
        Image.fromarray(numbers[:, :, 0].astype(np.uint16) * 257),
    )
    turned = Image.Exif()
    turned[274] = 6
    kinds: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (colour, "PNG", {}),
        (colour.convert("P"), "PNG", {"transparency": 0}),
        (colour.convert("RGBA"), "PNG", {"exif": turned}),
        (sixteen, "PNG", {}),
        (colour, "JPEG", {"exif": turned}),
        (colour, "JPEG", {"progressive": True}),
        (colour.convert("CMYK"), "JPEG", {}),
        (sixteen, "TIFF", {}),
        (colour, "TIFF", {"compression": "tiff_lzw", "save_all": True, "append_images": [colour]}),
        (Image.fromarray(numbers[:, :, 0].astype(np.float32) / 255), "TIFF", {}),
        (colour, "WEBP", {}),
        (colour, "BMP", {}),
        (sixteen, "PPM", {}),
    ]
    found = []
    for picture, kind, options in kinds:
        content = io.BytesIO()
        picture.save(content, kind, **options)
        found.append(content.getvalue())
    return found


def _answers() -> dict[Kind, bytes]:
    """What another machine sends back, one answer of each kind."""
    numbers = dict.fromkeys(
        ("min", "p10", "median", "p90", "p99", "iqr", "value", "low", "high", "noise"), 0.002
    )
    summary = {**numbers, "n": 8, "statistic": "median", "noisy": False}
    series = {"own": [0.002] * 8, "wall": [0.002] * 8, "reference": [0.001] * 8}
    facts = {"versions": {"onnxruntime": "1.20.0", "numpy": "2.0.0"}, "host": "a board, 4 cores"}
    answers: dict[Kind, dict[str, Any]] = {
        "latency": {**series, "summary": summary, "wall_summary": summary},
        "memory": {"memory_mib": 12.5, "before_mib": 40.0},
        "operations": {"operations": [["conv_1", "Conv", 0.001], ["relu_1", "Relu", 0.0001]]},
    }
    return {
        kind: json.dumps({"facts": facts, "answers": [{"model": 0, **answer}]}).encode()
        for kind, answer in answers.items()
    }


def _onnx(folder: Path) -> bytes:
    from onnx import TensorProto, helper, save

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy")
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], [0.5] * 16)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y], [weight])
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), folder / "seed.onnx"
    )
    return (folder / "seed.onnx").read_bytes()


@dataclass(kw_only=True)
class Failure:
    """An input that was not dealt with as promised."""

    parser: str
    what: str
    input: str


def attack(parser: Parser, data: bytes) -> tuple[str, Failure | None]:
    """ "valid" or "refused", and what was wrong with that."""
    began = time.process_time()
    outcome, what = "valid", ""
    try:
        parser.read(data)
    except InputError as error:
        outcome, text = "refused", str(error)
        if not text or any(unicodedata.category(character)[0] == "C" for character in text):
            what = f"message {text[:200]!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        what = "".join(traceback.format_exception(error)[-3:])
    spent = time.process_time() - began
    if not what and spent > SECONDS:
        what = f"{spent:.1f} s"
    return outcome, Failure(parser=parser.name, what=what, input=data[:300].hex()) if what else None


def fuzz(
    count: int, seed: int, folder: Path, only: str = ""
) -> tuple[dict[str, Counter[str]], list[Failure]]:
    """``count`` inputs in all, the parsers whose names hold ``only`` in turn."""
    draw, known = random.Random(seed), [parser for parser in parsers(folder) if only in parser.name]
    if not known:
        raise SystemExit(f"no parser's name holds {only!r}")
    for parser in known:
        for (
            data
        ) in parser.seeds:  # what is valid must be taken, or the mutations would prove nothing
            parser.read(data)
    outcomes, failures = {parser.name: Counter[str]() for parser in known}, list[Failure]()
    for number in range(count):
        parser = known[number % len(known)]
        outcome, failure = attack(parser, mutated(draw, parser.seeds))
        outcomes[parser.name][outcome] += 1
        if failure:
            failures.append(failure)
    return outcomes, failures


def limit_memory() -> None:
    """From now on the process may grow by 512 MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + MIB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="parsers whose names hold this, such as image")
    parser.add_argument("--out", type=Path, help="JSON file of the counts and failures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as folder:
        limit_memory()
        began = time.monotonic()
        outcomes, failures = fuzz(options.inputs, options.seed, Path(folder), options.only)
    counts = {name: dict(counter) for name, counter in outcomes.items()}
    result: dict[str, Any] = {
        "inputs": options.inputs,
        "seed": options.seed,
        "seconds": round(time.monotonic() - began),
    }
    result |= {"parsers": counts, "failures": [asdict(one) for one in failures[:100]]}
    print(json.dumps({**result, "failures": len(failures)}, indent=1))
    for kind, one in {(one.parser, one.what[-80:]): one for one in failures}.items():
        print(f"--- {kind[0]}: {one.what}\n    input {one.input[:160]}")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    if failures:
        raise SystemExit(f"{len(failures)} inputs were not dealt with as promised")


if __name__ == "__main__":
    main()
