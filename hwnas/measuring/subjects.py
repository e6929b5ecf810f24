"""What `hwnas profile` is asked to measure: a genotype in any form, an ONNX file, or networks
of a run."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas import files
from profilers.errors import InputError
from profilers.limited import why_no_file
from profilers.limits import check_input, check_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwnas.runs.directory import Run
    from hwnas.runs.summary import Member
    from hwnas.space.family import Family
    from hwnas.space.genotype import Architecture
    from hwnas.space.layers import Stem
    from profilers.backends import Subject

LARGEST_TEXT_BYTES = 16_000_000
"""A log of a search may hold the genotype."""
LARGEST_WEIGHTS_BYTES = 2_000 * 2**20
"""A file of protobuf holds less than 2 GiB."""

WRITTEN_BY_HWNAS = "Written by hwnas;"
"""So begins the second paragraph of hwnas.export.python_format's files."""
FILES_OF_RUNTIMES = {".xml": ("OpenVINO (.xml)", "openvino"), ".param": ("ncnn (.param)", "ncnn")}
"""Each has a file .bin beside it. They say less than an ONNX file: ncnn's not the sizes of its
inputs, say."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a genotype alone does not say; None stands for its space's usual width and depth."""

    channels: int | None = None
    cells: int | None = None
    classes: int = 10
    image: tuple[int, int, int] = (3, 32, 32)
    stem: Stem = "cifar"


@dataclass(frozen=True, kw_only=True)
class Named:
    """One thing to measure: its key (or the file's name), and the architecture where it is one
    of ours; else the file, of ONNX or for LiteRT."""

    key: str
    architecture: Architecture | None = None
    shape: Shape = Shape()
    onnx: Path | None = None
    tflite: Path | None = None


FOLDER = re.compile(r"[\w. ~-]*/[\w./ -]{1,200}")
"""A path. No genotype is written like one, so a run directory is meant."""


def resolve(text: str, shape: Shape) -> list[Named]:
    """Find what `text` names: an ONNX file, a file with a genotype, or a genotype itself.

    Raises InputError for what is none of these.
    """
    path = Path(text)
    # Not Path.exists(), which raises where a genotype's text is longer than any file name can be.
    exists = os.path.exists(text)
    if text.lower().endswith(".onnx"):
        return [Named(key=path.name, onnx=path)]
    if text.lower().endswith(".tflite"):
        return [Named(key=path.name, tflite=path)]
    if exists:
        refuse_file_of_runtime(path)
        text = read(path)
        refuse_exported_code(path, text)
        return [genotype(text, shape)]
    if text.endswith((".json", ".txt", ".toml", ".log", ".yaml", ".py")):
        wrong = why_no_file(path)
        raise InputError(f"{text}: {'no such file' if wrong == 'not found' else wrong}")
    if FOLDER.fullmatch(text):
        from hwnas.runs.directory import check_run

        check_run(path)
    return [genotype(text, shape)]


def refuse_file_of_runtime(path: Path) -> None:
    """Raise InputError for a file that OpenVINO or ncnn reads, with what to give instead."""
    for suffix, (owner, backend) in FILES_OF_RUNTIMES.items():
        is_weights = path.suffix.lower() == ".bin" and os.path.exists(path.with_suffix(suffix))
        if path.suffix.lower() == suffix or is_weights:
            raise InputError(
                f"{path}: hwnas profile reads no files of {owner}: give the .onnx file that it was"
                f" made from, with --backend {backend}"
            )


def refuse_exported_code(path: Path, text: str) -> None:
    """Raise InputError for the Python file of an exported network, and for what a run says of one:
    its genotype stands in it, but would be measured at its space's usual size."""
    from hwnas.runs.directory import is_run

    is_code = path.suffix.lower() == ".py" and WRITTEN_BY_HWNAS in text[:1000]
    folder = path.absolute().parent
    if is_code or (folder.parent.name == "models" and is_run(folder.parents[1])):
        raise InputError(
            f"{path}: says which network it is, not of which size: give the .onnx file that is"
            " exported with it, or the run and the network's key"
        )


def refuse_folder(path: Path) -> None:
    """Raise InputError for a folder that is no run but holds files that can be measured."""
    from hwnas.runs.directory import is_run

    if is_run(path):
        return
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in (".onnx", ".tflite"))
    if found:
        raise InputError(f"{path}: not a run directory; give a file in it, such as {found[0]}")


def read(path: Path) -> str:
    """A small text file, or InputError."""
    try:
        return files.read(path, None, LARGEST_TEXT_BYTES).decode()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8, so no genotype") from None


def genotype(text: str, shape: Shape) -> Named:
    """A genotype at the width and depth that were asked for, else those its space is published
    with."""
    from hwnas.space.genotype import sized
    from hwnas.space.text import parse

    found = parse(text)
    architecture = sized(found, shape.channels, shape.cells, shape.stem)
    check_size(architecture, shape)
    return Named(key=found.key, architecture=architecture, shape=shape)


def family_of(architecture: Architecture, shape: Shape) -> Family:
    """All networks of the architecture's space and size, for what the shape says."""
    from hwnas.space.family import family
    from hwnas.space.space import SPACES

    size = {"channels": architecture.channels, "cells": architecture.cells}
    return family(
        SPACES[architecture.genotype.space],
        **size,
        classes=shape.classes,
        image=shape.image,
        stem=shape.stem,
    )


def check_size(architecture: Architecture, shape: Shape) -> None:
    """Raise InputError for a network that no ONNX file can hold, before memory is asked for."""
    from hwnas.costs.counts import count
    from hwnas.space.space import SPACES

    channels, cells = architecture.channels, architecture.cells
    parts = SPACES[architecture.genotype.space].parts
    check_numbers(channels=channels, cells=cells, classes=shape.classes)
    weights = 4 * count(architecture, shape.classes, shape.image, shape.stem)[0]
    if weights > LARGEST_WEIGHTS_BYTES:
        raise InputError(
            f"{architecture.genotype.key}: at {channels} channels and {cells} {parts} the weights"
            f" take {weights / 2**20:,.0f} MiB, of at most {LARGEST_WEIGHTS_BYTES / 2**20:,.0f} in"
            " an ONNX file"
        )


def members(run: Run, chosen: Sequence[Member]) -> list[Named]:
    """Networks of a finished search, as they were counted there. Raises InputError for a size that
    no file can hold."""
    from hwnas.runs.summary import read_front

    summary = read_front(run)
    check_input(f"{run.front_path}: image", summary.shape)
    shape = Shape(
        classes=len(summary.classes), image=summary.shape, stem=run.config.evaluation.stem
    )
    for member in chosen:
        check_size(member.architecture, shape)
    return [
        Named(key=member.label, architecture=member.architecture, shape=shape) for member in chosen
    ]


def build(
    named: Named, batch: int, folder: Path, with_module: bool = True, tflite: str = ""
) -> Subject:
    """The torch network and its ONNX file, written once into `folder`, with fixed random weights;
    and its TFLite file in the precision `tflite`, if it is given.

    Latency and memory do not depend on the weights' values, so none are asked for.
    """
    from profilers.backends import Subject

    if named.architecture is None:
        return Subject(name=named.key, onnx=named.onnx, tflite=named.tflite)
    import onnx

    from hwnas.export.onnx_format import onnx_model
    from hwnas.measuring.built import built
    from hwnas.space.build import own_image
    from hwnas.space.size import Task

    module = built(named.architecture, named.shape.classes, named.shape.image, named.shape.stem)
    file = folder / f"{named.key}.onnx"
    tensors = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    names = tuple(str(number) for number in range(named.shape.classes))
    onnx.save(
        onnx_model(named.architecture, tensors, names, named.shape.image, named.shape.stem),
        str(file),
    )
    shape = (
        batch,
        *own_image(named.architecture, Task(classes=len(names), image=named.shape.image)),
    )
    beside, took_s = None, 0.0
    if tflite:
        from hwnas.measuring.tflite_files import network_file

        task = Task(classes=len(names), image=named.shape.image)
        beside = file.with_suffix(".tflite")
        began = time.perf_counter()
        network_file(named.architecture, module, task, named.shape.stem, tflite, beside)
        took_s = time.perf_counter() - began
    return Subject(
        name=named.key,
        module=module if with_module else None,
        shape=shape,
        onnx=file,
        tflite=beside,
        tflite_s=took_s,
    )
