"""Hypothesis strategies of what comes from outside: the files of a run, answers of another
machine, headers of tables and arrays."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwnas.runs.directory import Run
from hwnas.space.space import SPACES
from profilers.answers import Kind
from tests.runs.made import NAMES, finished_run, member
from tests.space.strategies import genotypes

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
shares = st.floats(0, 1)
amounts = st.floats(0, 1e12) | st.integers(0, 10**12)
positive = st.floats(1e-6, 1e6)


@st.composite
def fronts(draw: st.DrawFn) -> dict[str, Any]:
    """What front.json may say: some networks with any costs, and any of the optional keys."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES), unique=True))
    found = [_member(draw, name) for name in names]
    on_front = draw(st.integers(1, len(found)))
    summary: dict[str, Any] = {
        "space": "darts",
        "algorithm": draw(words),
        "seed": draw(st.integers(0, 2**31)),
        "evaluations": draw(st.integers(0, 10**6)),
        "seconds": draw(positive),
        "hypervolume": draw(shares),
        "reference_point": {"accuracy": 0.1, "params": 1e12},
        "baseline": {"random_hypervolume": draw(shares), "random_evaluations": 4},
        "data": draw(words),
        "classes": draw(st.lists(words, min_size=2, max_size=4)),
        "image": [draw(st.sampled_from([1, 3])), 8, 8],
        "stem": "cifar",
        "bounds": {"accuracy": [0.0, 1.0], "params": [0, 1e12]},
        "front": found[:on_front],
        "dominated": found[on_front:],
    }
    note = st.fixed_dictionaries(
        {"stage": st.integers(0, 3), "kind": words, "text": words, "advice": words}
    )
    more = st.fixed_dictionaries(
        {},
        optional={
            "target": words,
            "scored_images": st.integers(1, 10**6),
            "targets": st.just({"params": 1e9}),
            "health": st.lists(note, max_size=2),
        },
    )
    return summary | draw(more)


def _member(draw: st.DrawFn, name: str) -> dict[str, Any]:
    one = member(name, draw(shares))
    one["costs"]["params"]["value"] = draw(amounts)
    low, value, high = sorted(draw(st.tuples(positive, positive, positive)))
    one["costs"]["latency"] |= draw(
        st.sampled_from([{}, {"value": value, "low": low, "high": high, "origin": "measured"}])
    )
    return one


@st.composite
def checkpoints(draw: st.DrawFn) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays by name, of any small shape and type, and a state of JSON."""
    kinds = st.sampled_from(["f4", "f8", "i8", "u1", "?"])
    shapes = st.lists(st.integers(0, 3), max_size=3)
    named = st.dictionaries(words, st.tuples(kinds, shapes), max_size=4)
    arrays = {
        name: np.arange(int(np.prod(shape))).reshape(shape).astype(kind)
        for name, (kind, shape) in draw(named).items()
    }
    values = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
        max_leaves=6,
    )
    return arrays, draw(st.dictionaries(words, values, max_size=4))


@st.composite
def run_directories(draw: st.DrawFn) -> dict[str, bytes]:
    """The files of a finished run that a search writes anew, by name."""
    return {"front.json": json.dumps(draw(fronts())).encode()}


def laid(path: Path, content: dict[str, bytes]) -> Run:
    """A run directory with this content."""
    run = finished_run(path)
    for name, data in content.items():
        (path / name).write_bytes(data)
    return run


@st.composite
def answers(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    """What a machine sends back that has measured one model."""
    series = draw(st.lists(positive, min_size=1, max_size=8))
    names = ("min", "p10", "median", "p90", "p99", "iqr", "value", "low", "high", "noise")
    summary = dict.fromkeys(names, draw(positive))
    summary |= {"n": len(series), "statistic": "median", "noisy": draw(st.booleans())}
    own: dict[Kind, dict[str, Any]] = {
        "latency": {
            "own": series,
            "wall": series,
            "reference": draw(st.sampled_from([[], series])),
            "summary": summary,
            "wall_summary": summary,
        },
        "memory": {"memory_mib": draw(positive), "before_mib": draw(positive)},
        "operations": {"operations": [[draw(words), draw(words), draw(positive)]]},
    }
    facts = {"versions": draw(st.dictionaries(words, words, max_size=3)), "host": draw(words)}
    return {"facts": facts, "answers": [{"model": 0, **own[kind]}]}


@dataclass(frozen=True, kw_only=True)
class CsvFile:
    """The bytes of a table of latencies, and what they say."""

    content: bytes
    cells: tuple[str, ...]
    latencies_ms: tuple[float, ...]
    blank: int


@st.composite
def csv_files(draw: st.DrawFn) -> CsvFile:
    """Cells of NAS-Bench-201 and their latencies as spreadsheets and scripts write them."""
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    comma = delimiter != "," and draw(st.booleans())
    kept = draw(st.lists(st.tuples(genotypes("nasbench201"), positive), min_size=1, max_size=5))
    blanks = draw(st.lists(st.sampled_from(["", "N/A", "#N/A", "nan", "null", "-"]), max_size=2))
    texts = [genotype.to_dict()["arch_str"] for genotype, _ in kept]
    numbers = [repr(latency) for _, latency in kept]
    rows = [*zip(texts, numbers, strict=True), *((texts[0], blank) for blank in blanks)]
    if comma:
        rows = [(text, number.replace(".", ",")) for text, number in rows]
    order = draw(st.permutations(range(len(rows))))
    file = io.StringIO()
    writer = csv.writer(
        file,
        delimiter=delimiter,
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(["arch", "latency"])
    writer.writerows(rows[index] for index in order)
    said = [index for index in order if index < len(kept)]
    return CsvFile(
        content=draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + file.getvalue().encode(),
        cells=tuple(texts[index] for index in said),
        latencies_ms=tuple(kept[index][1] for index in said),
        blank=len(blanks),
    )


@st.composite
def array_headers(draw: st.DrawFn) -> bytes:
    """The header of a .npy member: any type, order and shape, and versions of the format; little
    or nothing behind it."""
    types = ["|u1", "<i8", ">u2", "<f4", "<f8", "|b1", "<U3", "|O", "<c8", "<M8[s]", "|S0", "x"]
    sides = st.integers(0, 12) | st.sampled_from([-1, 2**31, 2**62, 10**30])
    shape = tuple(draw(st.lists(sides, max_size=5)))
    order, kind = draw(st.booleans()), draw(st.sampled_from(types))
    text = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape!r}, }}\n".encode()
    version = draw(st.sampled_from([1, 2, 3, 9]))
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    start = b"\x93NUMPY" + bytes([version, 0]) + length + text
    return start + draw(st.binary(max_size=16))


SPACE = SPACES["nasbench201"]
