"""Weights that code in the manner of DARTS has trained (arXiv 1806.09055): its names of tensors as
ours.

Such a file says neither its genotype nor how its images were prepared: the one is named beside it,
the other is assumed, and a note says so. Width, depth, stem and classes are read off the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hwnas import files
from hwnas.nets.foreign import COUNTER
from hwnas.nets.network import Network
from hwnas.nets.trained import sources
from hwnas.nets.trained.reading import read
from hwnas.nets.trained.value import IMAGENET, OwnFile, Preprocessing
from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.layers import Stem
from hwnas.space.size import Task
from hwnas.space.space import SPACES
from hwnas.training.darts_names import prefixes
from hwnas.training.data import Dataset
from hwnas.training.weights import Weights
from profilers.errors import InputError

CIFAR = Preprocessing(
    mean=(0.49139968, 0.48215827, 0.44653124), std=(0.24703233, 0.24348505, 0.26158768)
)
"""What DARTS and what was made of it subtract from CIFAR's images, and divide them by."""
SIDES: dict[Stem, int] = {"cifar": 32, "imagenet": 224}
_AUXILIARY = "auxiliary_head."
_OF_A_SEARCH = re.compile(r"cells\.\d+\._ops\.\d+\._ops\.")
_CELL = re.compile(r"cells\.(\d{1,6})\.")


@dataclass(frozen=True, kw_only=True)
class ForeignWeights:
    """Weights under our names, and lines that say what was assumed or left out."""

    weights: Weights
    notes: tuple[str, ...]


def is_foreign(path: Path) -> bool:
    """Whether a file is one of weights, but none that ``hwnas train`` has written; False where it
    can't be told. Raises InputError for what is no regular file."""
    try:
        with files.reading(path, None, files.LARGEST_STATE) as opened:
            start = opened.read(9)
    except OSError:
        return False
    if start[8:] == b"{":
        try:
            with safe_open(path, framework="pt") as tensors:
                return "hwnas" not in (tensors.metadata() or {})
        except (SafetensorError, OSError, ValueError):
            return False
    return start[:2] == b"PK" or start[:1] == b"\x80"  # torch.save's zip archive, and its old form


def darts_weights(
    path: Path,
    genotype: Genotype,
    image: tuple[int, int, int] | None = None,
    dataset: Dataset | None = None,
) -> ForeignWeights:
    """The weights in ``path`` of a network of the genotype, whose edges are taken in the order in
    which they were written.

    ``image``: (channels, height, width), default those of ``dataset``, or what the stem is usual
    for. Raises InputError that names the first obstacle.
    """
    tensors = dict(read(sources.content(path.name, OwnFile(path=path)), str(path)).tensors)
    auxiliary = [name for name in tensors if name.startswith(_AUXILIARY)]
    for name in auxiliary:
        del tensors[name]
    stem = _stem(tensors, path)
    if SPACES[genotype.space].stacking != "reduction_cells" or not genotype.normal:
        raise InputError(
            f"{path}: a network of cells as DARTS stacks them, but the genotype is one of"
            f" {genotype.space}"
        )
    architecture, channels = _architecture(tensors, genotype, stem, path)
    classes = len(_matrix(tensors, "classifier.weight", 2, path))
    if image is None:
        image = (channels, SIDES[stem], SIDES[stem]) if dataset is None else dataset.image
    if image[0] != channels:
        raise InputError(f"{path}: its stem takes images of {channels} channels, not of {image[0]}")
    found = _renamed(tensors, architecture, Task(classes=classes, image=image), stem, path)
    mean, std, words = _preprocessing(stem, channels, dataset)
    names = () if dataset is None else dataset.classes
    weights = Weights(
        tensors=found,
        architecture=architecture,
        classes=names if len(names) == classes else tuple(map(str, range(classes))),
        image=image,
        stem=stem,
        mean=mean,
        std=std,
        notes={"stem": stem, "from": path.name},
    )
    side = "x".join(map(str, image))
    notes = [
        f"{path}: {architecture.channels} channels, {architecture.cells} cells, {classes} classes,"
        f" images of {side} (--image), prepared with {words}: how they were the file does not say"
    ]
    if auxiliary:
        notes.append(
            f"{path}: its auxiliary head ({auxiliary[0]}, ...) is left out: it serves training"
            " alone"
        )
    return ForeignWeights(weights=weights, notes=tuple(notes))


def _stem(tensors: Mapping[str, Tensor], path: Path) -> Stem:
    if any(_OF_A_SEARCH.match(name) for name in tensors):
        raise InputError(
            f"{path}: the weights that a search shares between all operations, not those of one"
            " network; train the genotype, and take the weights of that"
        )
    for name, stem in (("stem.0.weight", "cifar"), ("stem0.0.weight", "imagenet")):
        if name in tensors:
            return "cifar" if stem == "cifar" else "imagenet"
    first = next(iter(tensors), "")[:60]
    raise InputError(
        f"{path}: no tensor 'stem.0.weight' or 'stem0.0.weight', so these are no weights of hwnas"
        f" train and none of a network of DARTS cells; its first tensor is {first!r}"
    )


def _matrix(tensors: Mapping[str, Tensor], name: str, sides: int, path: Path) -> Tensor:
    if name not in tensors:
        raise InputError(f"{path}: no tensor {name!r}")
    if tensors[name].dim() != sides or not tensors[name].numel():
        raise InputError(
            f"{path}: tensor {name!r} has shape {tuple(tensors[name].shape)}; it needs {sides}"
            " sides"
        )
    return tensors[name]


def _architecture(
    tensors: Mapping[str, Tensor], genotype: Genotype, stem: Stem, path: Path
) -> tuple[Architecture, int]:
    """The genotype at the width and depth of the file, and the channels of its images."""
    name = "stem.0.weight" if stem == "cifar" else "stem0.0.weight"
    first = _matrix(tensors, name, 4, path)
    times = 3 if stem == "cifar" else 1
    width = len(first if stem == "cifar" else _matrix(tensors, "stem1.1.weight", 4, path))
    numbers = {int(part[1]) for name in tensors if (part := _CELL.match(name))}
    if not numbers:
        raise InputError(f"{path}: no tensor 'cells.0.preprocess0.op.1.weight'")
    if width % times:
        raise InputError(
            f"{path}: tensor {name!r} gives {width} maps, which is not three times a width"
        )
    try:
        sized = Architecture(genotype, channels=width // times, cells=max(numbers) + 1)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return sized, first.shape[1]


def _preprocessing(
    stem: Stem, channels: int, dataset: Dataset | None
) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Mean and standard deviation of pixels in 0..1, and what they are in words."""
    if channels == 3 and stem == "cifar":
        return CIFAR.mean, CIFAR.std, "CIFAR-10's mean and standard deviation"
    if channels == 3:
        return IMAGENET.mean, IMAGENET.std, "ImageNet's mean and standard deviation"
    if dataset is not None:
        return dataset.mean, dataset.std, "the mean and standard deviation of --data"
    words = "a mean of 0.5 and a standard deviation of 0.25"
    return (0.5,) * channels, (0.25,) * channels, words


def _renamed(
    theirs: Mapping[str, Tensor],
    architecture: Architecture,
    task: Task,
    stem: Stem,
    path: Path,
) -> dict[str, Tensor]:
    """Their tensors under our names, in single precision. Raises InputError at the first that is
    missing, of another shape, not finite, or of no layer."""
    try:
        graph = architecture_graph(architecture, task, stem, unread=True)
        with torch.device("meta"):
            ours = Network(architecture, task.classes, task.image, stem).state_dict()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    places = dict(prefixes(graph, architecture, theirs))
    used, found = set(), {}
    for name, wanted in ours.items():
        prefix, _, kind = name.rpartition(".")
        their = f"{places[prefix]}.{kind}"
        if their not in theirs and kind == COUNTER:  # missing in old files
            found[name] = torch.zeros((), dtype=torch.int64)
            continue
        if their not in theirs:
            raise InputError(
                f"{path}: no tensor {their!r}, which a network of this genotype has (edges are"
                " numbered in the order in which the genotype names them)"
            )
        tensor = theirs[their]
        used.add(their)
        if tensor.shape != wanted.shape:
            raise InputError(
                f"{path}: tensor {their!r} has shape {tuple(tensor.shape)}, where a network of"
                f" this genotype has {tuple(wanted.shape)}"
            )
        if kind != COUNTER and not (
            tensor.is_floating_point() and bool(torch.isfinite(tensor).all())
        ):
            raise InputError(f"{path}: tensor {their!r} holds what is no finite number")
        found[name] = (tensor.long() if kind == COUNTER else tensor.float()).contiguous()
    left = next((name for name in theirs if name not in used), None)
    if left is not None:
        raise InputError(
            f"{path}: tensor {left[:80]!r} belongs to no layer of a network of this genotype"
        )
    return found
