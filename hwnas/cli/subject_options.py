"""What ``hwnas profile`` is told about its subject: each option is used, or refused where it can
have no effect."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.measuring.subjects import Shape
    from profilers.device import Device

    Shapes = tuple[tuple[str, tuple[int, ...]], ...]

OF_A_GENOTYPE = ("--channels", "--cells", "--classes", "--stem")
OF_TORCH = ("--channels-last", "--cuda-graph")


def subject_size(subject: str, options: Mapping[str, Any]) -> tuple[Shape, Shapes]:
    """What a genotype alone does not say, and the sizes that are given to inputs of an ONNX file by
    name.

    ``options``: every option about the subject as it was typed, None (False, or nothing) where it
    was not. Raises InputError for one that says nothing about a subject of this kind.
    """
    from hwnas.cli.values import image_size, input_shape, one_of
    from hwnas.measuring.subjects import Shape, refuse_folder
    from hwnas.runs.directory import open_run

    image, batch = options["--image"], options["--batch"]
    is_run = os.path.isdir(subject)  # not Path.is_dir(), which raises for a genotype's long text
    is_onnx = not is_run and subject.lower().endswith(".onnx")
    is_tflite = not is_run and subject.lower().endswith(".tflite")
    if is_run:
        refuse_folder(Path(subject))
        open_run(Path(subject))
        _refuse(
            options,
            (*OF_A_GENOTYPE, "--image"),
            f"{subject}: a run's networks have a size of their own",
        )
    if is_onnx:
        _refuse(options, OF_A_GENOTYPE, f"{subject}: an ONNX file has a size of its own")
        _refuse(
            options,
            OF_TORCH,
            f"{subject}: an ONNX file is run by ONNX Runtime as it is, not by torch",
        )
    elif is_tflite:
        of_its_own = (*OF_A_GENOTYPE, "--image", "--shape", "--precision")
        why = f"{subject}: a TFLite file has sizes and a precision of its own"
        _refuse(options, of_its_own, why)
        _refuse(options, OF_TORCH, f"{subject}: a TFLite file is run by LiteRT, not by torch")
        if batch != 1:
            raise InputError(f"--batch: {subject}: a TFLite file has a batch size of its own")
    else:
        _refuse(
            options,
            ("--shape",),
            f"{subject[:60]!r} is no ONNX file, whose inputs it gives sizes to",
        )
    named = tuple(input_shape(text) for text in options["--shape"] or ())
    if is_onnx and image is not None:
        named += onnx_sizes(Path(subject), image, batch, dict(named))
    size = Shape(
        channels=options["--channels"],
        cells=options["--cells"],
        classes=10 if options["--classes"] is None else options["--classes"],
        image=image_size("32" if image is None else image),
        stem=one_of("--stem", options["--stem"] or "cifar", ("cifar", "imagenet")),
    )
    return size, named


def table_of_run(subject: str, devices: Sequence[Device]) -> str | None:
    """The latency table that a run keeps, where it is of the one device that is asked for."""
    from hwnas.runs.directory import open_run
    from hwnas.runs.measurements import kept_table
    from profilers.table import load

    if not os.path.isdir(subject) or len(devices) != 1:
        return None
    path = kept_table(open_run(Path(subject)))
    return str(path) if path is not None and load(path).device == devices[0].name else None


def _refuse(options: Mapping[str, Any], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if options[name]:
            raise InputError(f"{name}: {why}")


def onnx_sizes(file: Path, image: str, batch: int, named: Mapping[str, Any]) -> Shapes:
    """The sizes that ``--image`` gives to the inputs of an ONNX file.

    Raises InputError where it fits none.
    """
    from hwnas.cli.values import image_size
    from profilers.onnx_check import read
    from profilers.onnx_inputs import image_shapes

    channels, height, width = image_size(image)
    found = image_shapes(
        file,
        read(file),
        channels=channels if re.search("[x,]", image.lower()) else None,
        height=height,
        width=width,
        batch=batch,
    )
    for name in found:
        if name in named:
            raise InputError(f"--image and --shape: both give sizes to input '{name}'")
    return tuple(found.items())
