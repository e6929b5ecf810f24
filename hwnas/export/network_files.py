"""From trained weights to files that run: ONNX, INT8, torch.export, plain Python; each verified
before it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwnas.costs.counts import count
from hwnas.export.beside import FormatFiles, files_beside
from hwnas.export.formats import (
    FORMATS,
    PLAIN,
    Exporting,
    NotTheSame,
    check_content,
    content_of,
    files_of,
)
from hwnas.export.images import (
    CheckImages,
    averaged_down,
    channels_moved,
    cut_out_of_pictures,
)
from hwnas.export.interface import Interface, network_of, wrapped
from hwnas.export.onnx_format import OPSET, check, onnx_model
from hwnas.export.scoring import accuracy_of, validated
from hwnas.export.usage import METADATA, usage
from hwnas.export.verify import Parity, compare
from hwnas.runs.atomic import atomic_write_all
from hwnas.runs.right_images import Bools
from hwnas.space.build import own_image
from hwnas.space.chosen_size import chosen_size
from hwnas.space.published import name_of
from hwnas.space.task import Task
from hwnas.training.weights import Weights
from profilers.errors import InputError

COSTLY = 0.01
"""INT8 that loses more accuracy than this (one point) is warned of."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One exported network.

    ``known_as``: the name of a published network, else empty. ``size``: what the network chose
    about its own (side, width). ``image``: (channels, height, width) that the files take;
    ``averaged_down``: how images of the task become such ones, empty where they are. ``files``:
    path by format; accuracies in 0..1 by ONNX Runtime, None on random images;
    ``tflite_accuracy``: by LiteRT, of each of its formats that was written. ``validated``: which
    validation images each file gets right, (images,), by format; empty without such images.
    """

    key: str
    known_as: str
    channels: int
    cells: int
    size: dict[str, str]
    image: tuple[int, int, int]
    averaged_down: str
    files: dict[str, Path]
    opset: int
    parity: Parity
    accuracy: float | None
    int8_accuracy: float | None
    tflite_accuracy: dict[str, float | None]
    params: int
    macs: int
    sizes: dict[str, int]
    warnings: tuple[str, ...] = ()
    latency: dict[str, Any] = field(default_factory=dict)
    validated: Mapping[str, Bools] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "key": self.key,
            "known_as": self.known_as,
            "channels": self.channels,
            "cells": self.cells,
            "size": self.size,
            "image": list(self.image),
            "averaged_down": self.averaged_down,
            "files": {name: str(path) for name, path in self.files.items()},
            "opset": self.opset,
            "parity": self.parity.to_dict(),
            "accuracy": self.accuracy,
            "int8_accuracy": self.int8_accuracy,
            "tflite_accuracy": dict(self.tflite_accuracy),
            "validation_accuracy": {
                name: float(right.mean()) for name, right in self.validated.items()
            },
            "params": self.params,
            "macs": self.macs,
            "bytes": dict(self.sizes),
            "warnings": list(self.warnings),
            "latency": self.latency,
        }


def export(
    weights: Weights,
    out: Path,
    images: CheckImages,
    *,
    raw: bool = False,
    channels_last: bool = False,
    softmax: bool = False,
    formats: tuple[str, ...] = PLAIN,
    notes: Mapping[str, Any] | None = None,
) -> Exported:
    """Write ``formats`` of the network to the folder ``out``; all of them, or none where anything
    fails.

    ``raw``: the files take uint8 pixels and normalise them inside; ``images``, (n, c, h, w), have
    to be made for the same choice. ``channels_last``: they take (n, h, w, c). ``softmax``: they
    give probabilities. ``notes`` become metadata. Beside each file a JSON and an example are
    written (hwnas.export.beside). Raises NotTheSame where a file's results differ,
    InputError where ``out`` cannot be written.
    """
    at = weights.architecture
    interface = Interface(raw=raw, channels_last=channels_last, softmax=softmax)
    fed = wrapped(network_of(weights), weights, interface)
    if channels_last:
        images = channels_moved(images, to_last=True)
    params, macs = count(at, len(weights.classes), weights.image, weights.stem)
    task = Task(classes=len(weights.classes), image=weights.image)
    own = own_image(at, task)
    smaller = averaged_down(weights.image, own, raw=raw)
    said = {**_counted(params, macs), **(notes or {})}
    if name_of(at.genotype):
        said["known_as"] = name_of(at.genotype)
    if smaller:
        said["images"] = smaller
    if weights.crop != 1:
        said["pictures"] = cut_out_of_pictures(weights)
    known = dict(said)
    said[METADATA] = usage(weights, interface)
    model = onnx_model(
        at,
        {name: tensor.numpy() for name, tensor in weights.tensors.items()},
        weights.classes,
        weights.image,
        weights.stem,
        pixels=(weights.mean, weights.std) if raw else None,
        channels_last=channels_last,
        softmax=softmax,
        notes=said,
    )
    check(model)
    exporting = Exporting(
        weights=weights, network=fed, model=model, images=images, interface=interface
    )
    parity = compare(fed, exporting.onnx, images.test)
    if parity.problem:
        raise NotTheSame(f"{FORMATS['onnx'].file} of {at.genotype.key}: {parity.problem}")
    wanted = dict.fromkeys(name for chosen in formats for name in (chosen, *FORMATS[chosen].needs))
    kept = {name: content_of(FORMATS[name], exporting) for name in wanted}
    for name, content in kept.items():
        check_content(FORMATS[name], exporting, content)
    tested = {
        name: accuracy_of(FORMATS[name], content, exporting, images, task)
        for name, content in {"onnx": exporting.onnx, **kept}.items()
        if FORMATS[name].runtime in ("onnxruntime", "litert")
    }
    accuracy, int8_accuracy = tested["onnx"], tested.get("int8")
    labelled = 0 if images.labels is None else len(images.labels)
    by_litert = {name: value for name, value in tested.items() if FORMATS[name].extra == "litert"}
    by_format = {FORMATS[name]: content for name, content in kept.items()}
    contents = {name: files_of(FORMATS[name], content) for name, content in kept.items()}
    exported = Exported(
        key=at.genotype.key,
        known_as=name_of(at.genotype),
        channels=at.channels,
        cells=at.cells,
        size=chosen_size(at.genotype),
        image=own,
        averaged_down=smaller,
        files={name: out / FORMATS[name].file for name in kept},
        opset=OPSET,
        parity=parity,
        accuracy=accuracy,
        int8_accuracy=int8_accuracy,
        tflite_accuracy=by_litert,
        params=params,
        macs=macs,
        sizes={name: sum(map(len, written.values())) for name, written in contents.items()},
        validated=validated(by_format, exporting, images, task),
        warnings=(
            *_warnings(accuracy, int8_accuracy, labelled),
            *_warnings(accuracy, by_litert.get("tflite-int8"), labelled, "tflite-int8"),
        ),
    )
    shown = [
        FormatFiles(name=name, files=tuple(written), runs_on=FORMATS[name].runs_on)
        for name, written in contents.items()
        if name != "weights"
    ]
    write_files(
        out,
        {name: one for written in contents.values() for name, one in written.items()}
        | files_beside(weights, interface, shown, known),
    )
    return exported


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """The text of export.json."""
    return (json.dumps(record, indent=1) + "\n").encode()


def _counted(params: int, macs: int) -> dict[str, Any]:
    return {
        "params": {"value": params, "unit": "parameters", "origin": "counted"},
        "macs": {"value": macs, "unit": "MAC", "origin": "counted"},
    }


def _warnings(
    accuracy: float | None, int8_accuracy: float | None, images: int, name: str = "int8"
) -> tuple[str, ...]:
    if accuracy is None or int8_accuracy is None or accuracy - int8_accuracy <= COSTLY:
        return ()
    return (
        (
            f"{name} costs {100 * (accuracy - int8_accuracy):.1f} points: {accuracy:.4f} ->"
            f" {int8_accuracy:.4f} of {images:,} images"
        ),
    )


def int8_notes(sizes: Mapping[str, int], latency: Mapping[str, Any]) -> tuple[str, ...]:
    """Where INT8 does not pay: a file that is no smaller than the float32 one, or that takes longer
    beyond both intervals.

    ``sizes``: bytes by format. ``latency``: `Measurement.to_dict` by format, as far as measured.
    """
    notes = []
    for plain_name, name in (("onnx", "int8"), ("tflite", "tflite-int8")):
        if {plain_name, name} <= set(sizes) and sizes[name] >= sizes[plain_name]:
            small, large = (f"{sizes[one] / 1024:,.0f} KiB" for one in (plain_name, name))
            notes.append(f"the {name} file is not smaller: {large}, float32 {small}")
    plain, quantised = (latency.get(name, {}) for name in ("onnx", "int8"))
    measured = plain.get("value") is not None and quantised.get("value") is not None
    if measured and quantised["low"] > plain["high"]:
        notes.append(
            f"int8 is slower on this host: {quantised['value']:.3g} ms, float32"
            f" {plain['value']:.3g} ms"
        )
    return tuple(notes)


def write_files(out: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into ``out``, all or none.

    Raises InputError where that cannot be done, such as a full disk.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        atomic_write_all(out, contents)
    except OSError as error:
        raise InputError(
            f"{error.filename or out} can't be written: {error.strerror}; nothing was kept"
        ) from None
