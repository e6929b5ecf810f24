"""Discrete networks: the nodes of one sample as torch modules, with auxiliary head and
drop-path."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwnas.nets.interpreter import Addend, Maps, fixed_modules, program_of, read, register, run
from hwnas.nets.operations import body
from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture
from hwnas.space.graph import Graph, Node, starts_with_relu, terms
from hwnas.space.layers import Size, Stem
from hwnas.space.size import Task


def drop_path(probability: float, edges: int, images: int, generator: torch.Generator) -> Tensor:
    """Factors (edges, images, 1, 1, 1) on the outputs of edges: 0 with ``probability``, else 1 / (1
    - probability).

    One drawing per edge and image (arXiv 1605.07648); all of a step at once, so that a compiled
    network draws none.
    """
    keep = 1.0 - probability
    return torch.empty(edges, images, 1, 1, 1).bernoulli_(keep, generator=generator).div_(keep)


class AuxiliaryHead(nn.Module):
    """The classifier on the map after the second reduction: (n, width, h, w) -> (n, classes).

    CIFAR windows are 5x5 at stride 3 on an 8x8 map, ImageNet's 5x5 at stride 2 on 7x7 (and, as
    published, without the second BatchNorm); other maps are averaged to 2x2.
    """

    def __init__(self, width: int, classes: int, size: Size, stem: Stem) -> None:
        super().__init__()
        published = {("cifar", (8, 8)): 3, ("imagenet", (7, 7)): 2}
        stride = published.get((stem, size))
        pool = (
            nn.AvgPool2d(5, stride, count_include_pad=False)
            if stride
            else nn.AdaptiveAvgPool2d((min(2, size[0]), min(2, size[1])))
        )
        kernel = (min(2, size[0]), min(2, size[1]))
        self.features = nn.Sequential(
            nn.ReLU(),
            pool,
            nn.Conv2d(width, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 768, kernel, bias=False),
            nn.BatchNorm2d(768) if stem == "cifar" else nn.Identity(),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.classifier(self.features(x).flatten(1))  # type: ignore[no-any-return]


class Network(nn.Module):
    """A discrete network: images (n, c, h, w) -> logits (n, classes).

    With ``auxiliary`` and in training mode the result is (logits, auxiliary logits).
    """

    def __init__(
        self,
        architecture: Architecture,
        classes: int,
        image: tuple[int, int, int],
        stem: Stem = "cifar",
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        self.task = Task(classes=classes, image=image)
        graph = architecture_graph(architecture, self.task, stem, unread=True)
        self._program = program_of(graph, image)
        self._modules_of = _modules(self, graph)
        added = terms(graph)
        drops = [
            node for node in graph if node.row is not None and node.layers and node.name in added
        ]
        self._droppable = {node.name: number for number, node in enumerate(drops)}
        self.droppable = len(drops)
        """How many terms of sums drop-path may drop: all that a decision put there but
        identities."""
        stands = next((node for node in graph if node.auxiliary), None) if auxiliary else None
        if stands is not None:
            self.auxiliary = AuxiliaryHead(stands.channels, classes, stands.size, stem)
        self.has_auxiliary = stands is not None

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """See the class. keep: the factors of ``drop_path`` for all terms that may be dropped;
        None keeps all."""
        factors = None if keep is None else keep.unbind()
        extra: list[Tensor] = []

        def addends(node: Node, maps: Maps) -> tuple[Addend]:
            relu_first, module = self._modules_of[node.name]
            x = read(node, relu_first, maps)
            y = x if module is None else module(x)
            if factors is None or node.name not in self._droppable:
                return ((y, None),)
            return ((y, factors[self._droppable[node.name]].to(y.dtype)),)

        def watch(node: Node, y: Tensor) -> None:
            extra.append(self.auxiliary(y))

        wanted = watch if self.training and self.has_auxiliary else None
        logits = run(self._program, x, addends, self.training, wanted)
        return (logits, extra[0]) if extra else logits


def _modules(network: nn.Module, graph: Graph) -> dict[str, tuple[bool, nn.Module | None]]:
    """By node: whether its layers begin with the shared ReLU, and the module of the rest (None:
    nothing).

    Fixed nodes are built first, then what decisions put there: the order of drawing initial
    weights.
    """
    modules = fixed_modules(network, graph, lambda node: True, True, {})
    for node in graph[1:]:
        if node.row is not None and node.layers:
            modules[node.name] = body(node.layers)[1]
            register(network, node.name, modules[node.name])
    return {
        node.name: (starts_with_relu(node.layers), modules.get(node.name))
        for node in graph[1:]
        if node.join == "layers"
    }
