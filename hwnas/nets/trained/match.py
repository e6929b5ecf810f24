"""Which known network a file's tensors belong to, and the tensors under our names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from hwnas.nets.foreign import COUNTER, Shape, misfit, shapes_in_order, translated
from hwnas.nets.trained.layouts import in_order_of_running
from hwnas.nets.trained.reading import Tensors
from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.known import KNOWN
from hwnas.space.size import Task
from hwnas.space.space import SPACES
from profilers.errors import InputError

IMAGE = (3, 224, 224)
"""At which a known network has all its strides; its tensors do not depend on it."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A known network that a file's tensors fit, and how many classes they tell apart."""

    network: str
    classes: int


def tensor_shapes(genotype: Genotype, classes: int) -> dict[str, Shape]:
    """Name -> shape of the tensors of a known network in the order in which it runs."""
    channels, cells = SPACES[genotype.space].published_size
    architecture = Architecture(genotype, channels=channels, cells=cells)
    graph = architecture_graph(architecture, Task(classes=classes, image=IMAGE), unread=True)
    return shapes_in_order(graph)


@cache
def _known_shapes(network: str) -> dict[str, Shape]:
    return tensor_shapes(KNOWN[network], 1000)


def _with_classes(shapes: Mapping[str, Shape], classes: int) -> dict[str, Shape]:
    """The shapes with a classifier of so many classes: its weight and its bias are the last."""
    *_, weight, bias = shapes
    return {**shapes, weight: (classes, *shapes[weight][1:]), bias: (classes,)}


def fits(found: Tensors, where: str) -> tuple[Fit, ...]:
    """The known networks that a file fits; several where they differ in nothing that has weights.

    Raises InputError, in one line that begins with ``where``, where it fits none.
    """
    tensors = _in_order(found, where)
    last = next(reversed(tensors.values()))
    classes = last.shape[0] if last.dim() else 1
    best, nearest, fitting = -1, "", []
    for network in KNOWN:
        shapes = _with_classes(_known_shapes(network), classes)
        many, wrong = misfit(shapes, tensors)
        if not wrong:
            fitting.append(Fit(network=network, classes=classes))
        elif many > best:
            best, nearest = many, f"{network}: {wrong}"
    if not fitting:
        raise InputError(f"{where}: fits none of the known networks; nearest is {nearest}")
    return tuple(fitting)


def state(found: Tensors, genotype: Genotype, classes: int, where: str) -> dict[str, Tensor]:
    """A file's tensors as the state_dict of a known network, in single precision.

    Raises InputError where they are not finite numbers, or of another network.
    """
    shapes, tensors = tensor_shapes(genotype, classes), _in_order(found, where)
    try:
        own = translated(shapes, tensors)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    for name, tensor in own.items():
        if not name.endswith(f".{COUNTER}"):
            if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
                raise InputError(f"{where}: {name} holds what is no finite number")
            own[name] = tensor.float().contiguous()
    return own


def _in_order(found: Tensors, where: str) -> dict[str, Tensor]:
    """Tensors as their layers run, without counters."""
    tensors = {name: one for name, one in found.tensors.items() if not name.endswith(COUNTER)}
    names = in_order_of_running(list(tensors))
    if names is not None:
        return {name: tensors[name] for name in names}
    if not found.ordered:
        first = next(iter(tensors), "")[:60]
        raise InputError(
            f"{where}: names such as {first!r} are not those of torchvision, timm or hwnas, and"
            " without them a .safetensors file does not say in which order its layers run"
        )
    return tensors
