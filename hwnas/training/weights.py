"""Trained weights as one safetensors file that says what they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from hwnas import files
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.chain import known_space
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Stem
from hwnas.space.macro_toml import macro_of, table_of
from hwnas.space.size import Task
from hwnas.space.text import from_dict
from hwnas.training.checkpoint import DAMAGE, pack
from hwnas.training.data import Dataset
from hwnas.training.old_names import are_old, renamed
from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Tensors by name, what they were trained as, and free notes (accuracy, recipe, data)."""

    tensors: Mapping[str, Tensor]
    architecture: Architecture
    classes: tuple[str, ...]
    image: tuple[int, int, int]
    stem: Stem
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: Mapping[str, Any]
    crop: float = 1.0
    """The share of the side of a picture's middle square that the network sees."""


def save_weights(
    path: Path,
    architecture: Architecture,
    network: nn.Module,
    data: Dataset,
    notes: Mapping[str, Any],
) -> None:
    """Write all tensors of ``network``, and beside them everything that is needed to use them."""
    stem = notes.get("stem", "cifar")
    tensors = network.state_dict()
    weights = Weights(
        tensors=tensors,
        architecture=architecture,
        classes=data.classes,
        image=data.image,
        stem=stem,
        mean=data.mean,
        std=data.std,
        notes=notes,
        crop=data.crop,
    )
    files.replace(path, path.parent, weights_bytes(weights))


def weights_bytes(weights: Weights) -> bytes:
    """The file's content: safetensors, with a JSON text in its header."""
    header = {
        **weights.notes,
        "genotype": weights.architecture.genotype.to_dict(),
        "channels": weights.architecture.channels,
        "cells": weights.architecture.cells,
        "classes": weights.classes,
        "image": weights.image,
        "stem": weights.stem,
        "mean": weights.mean,
        "std": weights.std,
    }
    if weights.crop != 1:
        header["crop"] = weights.crop
    macro = SPACES[weights.architecture.genotype.space].macro
    if macro is not None:
        header["macro"] = table_of(macro)
    return pack(weights.tensors, {"hwnas": json.dumps(header)})


def load_weights(path: Path, root: Path | None = None) -> Weights:
    """Read what ``save_weights`` wrote.

    Raises InputError where the file is missing, damaged or not ours.

    ``root``: the run directory that it belongs to; None for a file that the user named, which may
    be a link.
    """
    try:
        files.reading(path, root, files.LARGEST_STATE).close()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["hwnas"])
            tensors = {name: file.get_tensor(name) for name in [*file.keys()]}
        if "macro" in header:
            # The table of a chain, which may be known to nobody here yet, before its genotype is
            # read.
            known_space(macro_of(header.pop("macro")))
        architecture = Architecture(
            from_dict(header.pop("genotype")),
            channels=header.pop("channels"),
            cells=header.pop("cells"),
        )
        classes, image = (
            tuple(map(str, header.pop("classes"))),
            tuple(map(int, header.pop("image"))),
        )
        mean, std = (tuple(map(float, header.pop(name))) for name in ("mean", "std"))
        stem = header.pop("stem", "cifar")
        crop = float(header.pop("crop", 1.0))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except DAMAGE as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path}: not a weights file of hwnas train ({reason})") from error
    if len(image) != 3 or stem not in ("cifar", "imagenet") or not 0.5 <= crop <= 1:
        raise InputError(
            f"{path}: not a weights file of hwnas train (image {image}, stem {stem!r})"
        )
    if are_old(tensors):
        task = Task(classes=len(classes), image=image)
        tensors = renamed(tensors, architecture_graph(architecture, task, stem, unread=True))
    return Weights(
        tensors=tensors,
        architecture=architecture,
        classes=classes,
        image=image,
        stem=stem,
        mean=mean,
        std=std,
        notes=header,
        crop=crop,
    )


def fill(network: nn.Module, weights: Weights, where: str) -> None:
    """Copy ``weights`` into ``network``.

    Raises InputError that names the first tensor that does not fit.
    """
    wanted = network.state_dict()
    for name in wanted:
        if name not in weights.tensors:
            raise InputError(f"{where}: no tensor {name!r}, which this architecture has")
    for name, tensor in weights.tensors.items():
        if name not in wanted:
            raise InputError(f"{where}: tensor {name!r} belongs to no layer of this architecture")
        if tensor.shape != wanted[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(wanted[name].shape)}"
            raise InputError(f"{where}: tensor {name!r} has shape {shapes}")
    with torch.no_grad():
        network.load_state_dict(dict(weights.tensors))
