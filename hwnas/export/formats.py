"""Every file format of an export: what the file is called, how it is written, and how it is checked
before it is kept.

A format is one value in one table. Another package's format announces itself by an entry point
`hwnas.formats`; then `hwnas export --formats NAME` writes it like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwnas.errors import Stopped
from hwnas.export.beside import CARD, PREPROCESSING
from hwnas.export.examples import EXAMPLES, example_name
from hwnas.export.exporting import Exporting as Exporting
from hwnas.export.exporting import NotTheSame as NotTheSame
from hwnas.export.int8 import quantised
from hwnas.export.plain_formats import check_pt2, check_python, pt2, python_text
from hwnas.export.runtime_formats import (
    IMAGES,
    Files,
    ncnn_files,
    openvino_files,
    problem_of,
)
from hwnas.export.tflite.format import int8_error, tflite_file
from hwnas.export.usage import METADATA, usage
from hwnas.plugins import Announced
from hwnas.runs import training_record
from hwnas.runs.directory import FRONT
from hwnas.runs.precision_record import PRECISIONS, Precision
from hwnas.training.checkpoint import BEST, STATE, WEIGHTS
from hwnas.training.weights import weights_bytes
from profilers.errors import FaultyPlugin, asking, kind_of
from profilers.runtimes import RUNTIMES


def _any(exporting: Exporting, content: object) -> None:
    """Nothing to compare: it was compared when it was made, or is no network."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format by name.

    `write` gives the content of `file`; with `beside`, names of more files that belong to it, a
    mapping of all of them. `check` takes what `write` gave, and raises NotTheSame where a file's
    results are not the network's.

    `needs`: formats that are written beside it, since it can't be used without them. `extra`: the
    extra of hwnas that it needs, empty where the plain install has it. `runtime`: what runs it (a
    key of profilers.runtimes.RUNTIMES), and `precision`: that of its weights; both empty where it
    is not compared with other precisions.
    """

    name: str
    file: str
    write: Callable[[Exporting], bytes | Files]
    check: Callable[[Exporting, Any], None] = _any
    runs_on: str
    needs: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    extra: str = ""
    runtime: str = ""
    precision: Precision | None = None

    @property
    def computes_in(self) -> Precision:
        """The precision that its runtime is asked for: int8 is in the file, and OpenVINO computes
        in float32 with weights of fp16."""
        return self.precision if self.precision and self.runtime == "ncnn" else "fp32"


def _int8(exporting: Exporting) -> bytes:
    return quantised(exporting.model, exporting.images.calibration)


def _runtime_format(runtime: str, suffixes: tuple[str, str], stored: str) -> Format:
    """OpenVINO's or ncnn's two files, with weights ``stored`` in fp32 or fp16."""
    half = stored == "fp16"
    stem = f"model.{runtime}{'.fp16' * half}"

    def write(exporting: Exporting) -> Files:
        if runtime == "openvino":
            return openvino_files(exporting.onnx, stem, fp16=half, notes=exporting.usage)
        image = tuple(exporting.images.test[0].shape[1:])
        return ncnn_files(exporting.model, stem, image, fp16=half)

    def check(exporting: Exporting, content: Files) -> None:
        problem = problem_of(content, exporting.network, exporting.images.test, runtime, stored)
        if problem:
            raise NotTheSame(f"{stem}{suffixes[0]}: {problem}")

    return Format(
        name=f"{runtime}{'-fp16' * half}",
        file=f"{stem}{suffixes[0]}",
        beside=(f"{stem}{suffixes[1]}",),
        write=write,
        check=check,
        runs_on="OpenVINO" if runtime == "openvino" else "ncnn, one image at a time",
        extra=runtime,
        runtime=runtime,
        precision="fp16" if half else "fp32",
    )


def _tflite_format(stored: str) -> Format:
    """LiteRT's file, in fp32 or full-integer int8."""
    integer = stored == "int8"
    file = f"model{'.int8' * integer}.tflite"

    def write(exporting: Exporting) -> bytes:
        notes = {one.key: one.value for one in exporting.model.metadata_props}
        own = replace(exporting.interface, channels_last=True)
        notes[METADATA] = json.dumps(usage(exporting.weights, own))
        images = exporting.channels_first.images
        return tflite_file(
            exporting.weights,
            notes,
            raw=exporting.raw,
            softmax=exporting.interface.softmax,
            calibration=images.calibration if integer else None,
        )

    def check(exporting: Exporting, content: bytes) -> None:
        given = exporting.channels_first
        network, images = given.network, given.images.test
        usual = int8_error(content, network, images, IMAGES) if integer else None
        problem = problem_of({file: content}, network, images, "litert", stored, usual)
        if problem:
            raise NotTheSame(f"{file}: {problem}")

    return Format(
        name=f"tflite{'-int8' * integer}",
        file=file,
        write=write,
        check=check,
        runs_on="LiteRT (TensorFlow Lite)" + ", Edge TPU, microcontrollers" * integer,
        extra="litert",
        runtime="litert",
        precision="int8" if integer else "fp32",
    )


RECORD = "export.json"
OTHERS = (
    RECORD,
    CARD,
    PREPROCESSING,
    *map(example_name, EXAMPLES),
    training_record.RECORD,
    training_record.FRONT,
    STATE,
    BEST,
    WEIGHTS,
    FRONT,
)
"""What else hwnas writes beside an exported network."""


def _check_file(one: Format, others: Mapping[str, Format]) -> None:
    """Raise FaultyPlugin for a file name that is no plain one, or that something else is written
    to."""
    plugin = f"format {one.name!r} (hwnas.formats)"
    if one.runtime and (one.runtime not in RUNTIMES or one.precision not in PRECISIONS):
        raise FaultyPlugin(
            f"{plugin}: runtime {one.runtime!r} in {one.precision!r}; they must be one of"
            f" {', '.join(RUNTIMES)} and one of {', '.join(PRECISIONS)}, or not be said"
        )
    taken = {
        file.casefold(): f"format {other.name!r}"
        for other in others.values()
        for file in (other.file, *other.beside)
    }
    taken |= {file.casefold(): "hwnas" for file in OTHERS if one.write is not _weights}
    for name in (one.file, *one.beside):
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]{0,99}", name):
            raise FaultyPlugin(
                f"{plugin}: file {name!r}; it must be a plain file name such as 'network.bin'"
            )
        owner = taken.get(name.casefold())
        if owner is not None:
            raise FaultyPlugin(f"{plugin}: file {name!r} is written by {owner}; take another name")


def content_of(one: Format, exporting: Exporting) -> bytes | Files:
    """The content of a format's file, or of all its files by name. Raises FaultyPlugin where it
    gives none."""
    plugin = f"format {one.name!r} (hwnas.formats)"
    with asking(plugin, "write", NotTheSame, Stopped):
        found: object = one.write(exporting)
    if one.beside:
        names = (one.file, *one.beside)
        if not isinstance(found, Mapping) or set(found) != set(names):
            raise FaultyPlugin(
                f"{plugin}: write gave {kind_of(found)}; it must give a mapping of"
                f" {', '.join(names)} to bytes"
            )
        if all(isinstance(content, bytes) for content in found.values()):
            return {name: found[name] for name in names}
        found = next(content for content in found.values() if not isinstance(content, bytes))
    if not isinstance(found, bytes):
        raise FaultyPlugin(f"{plugin}: write gave {kind_of(found)}; it must give bytes")
    return found


def files_of(one: Format, content: bytes | Files) -> Files:
    """What a format wrote, by file name."""
    return {one.file: content} if isinstance(content, bytes) else content


def check_content(one: Format, exporting: Exporting, content: bytes | Files) -> None:
    """Raise NotTheSame where a file's results are not the network's, FaultyPlugin where the check
    fails otherwise."""
    with asking(f"format {one.name!r} (hwnas.formats)", "check", NotTheSame, Stopped):
        one.check(exporting, content)


def _weights(exporting: Exporting) -> bytes:
    return weights_bytes(exporting.weights)


FORMATS: Announced[Format] = Announced("hwnas.formats", Format, check=_check_file)
"""The one table of formats, in the order in which they are written."""
for _format in (
    Format(
        name="onnx",
        file="model.onnx",
        write=lambda exporting: exporting.onnx,
        runs_on="ONNX Runtime, TensorRT, OpenVINO",
        runtime="onnxruntime",
        precision="fp32",
    ),
    Format(
        name="int8",
        file="model.int8.onnx",
        write=_int8,
        runs_on="ONNX Runtime",
        runtime="onnxruntime",
        precision="int8",
    ),
    Format(name="pt2", file="model.pt2", write=pt2, check=check_pt2, runs_on="torch.export.load"),
    Format(
        name="python",
        file="model.py",
        write=python_text,
        check=check_python,
        runs_on="torch alone",
        needs=("weights",),
    ),
    Format(
        name="weights",
        file=WEIGHTS,
        write=_weights,
        runs_on="safetensors",
    ),
    _runtime_format("openvino", (".xml", ".bin"), "fp32"),
    _runtime_format("openvino", (".xml", ".bin"), "fp16"),
    _runtime_format("ncnn", (".param", ".bin"), "fp32"),
    _runtime_format("ncnn", (".param", ".bin"), "fp16"),
    _tflite_format("fp32"),
    _tflite_format("int8"),
):
    FORMATS[_format.name] = _format
PLAIN = tuple(name for name in FORMATS if not FORMATS[name].extra)
"""The formats that the plain install writes."""
