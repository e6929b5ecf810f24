"""A network as a list of steps, each naming what it reads: what the ONNX file is written from.

The same layer lists (hwnas.space.layers) that are counted and that hwnas.nets builds; ``weights`` names
tensors as hwnas.nets does. Equal ReLUs and pools of one map appear once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from hwnas.space.genotype import Architecture
from hwnas.space.layers import PRIMITIVES, CellSite, Layer, Size, Stem, skeleton
from hwnas.space.space import NONE, SPACES, Space

INPUT = "image"
OUTPUT = "logits"


@dataclass(frozen=True, slots=True)
class Step:
    """One operation. ``name`` is its output's name too; ``kind`` a layer's kind or how maps are joined.

    ``weights`` is the prefix of its tensors in the network's state_dict, empty where it has none.
    ``channels`` and ``size`` (height, width in pixels) are the output's.
    """

    name: str
    kind: Literal["layer", "add", "concat", "zeros"]
    inputs: tuple[str, ...]
    channels: int
    size: Size
    layer: Layer | None = None
    weights: str = ""


@dataclass
class Builder:
    """Collects steps; ``seen`` finds the earlier one of two that compute the same."""

    steps: list[Step] = field(default_factory=list)
    seen: dict[tuple[str, Layer], str] = field(default_factory=dict)

    def layers(self, layers: Sequence[Layer], source: str, weights: str, name: str, skipped: int = 0) -> str:
        """Append ``layers`` in a row; ``skipped`` leading ones have no number in the names of the tensors."""
        for number, layer in enumerate(layers):
            if layer.kind in ("relu", "max_pool", "avg_pool") and (source, layer) in self.seen:
                source = self.seen[source, layer]
                continue
            prefix = f"{weights}.{number - skipped}" if layer.params else ""
            output = f"{name}/{number}_{layer.kind}"
            step = Step(output, "layer", (source,), layer.channels_out, layer.size_out, layer, prefix)
            self.steps.append(step)
            self.seen[source, layer] = output
            source = output
        return source

    def join(self, kind: Literal["add", "concat"], sources: Sequence[str], name: str) -> str:
        """Append a sum or a concatenation of maps; of a single map nothing is needed."""
        if len(sources) == 1:
            return sources[0]
        maps = {step.name: step for step in self.steps}
        channels = [maps[source].channels for source in sources]
        total = sum(channels) if kind == "concat" else channels[0]
        self.steps.append(Step(name, kind, tuple(sources), total, maps[sources[0]].size))
        return name

    def classifier(self, head: Sequence[Layer], source: str) -> None:
        """Append what comes after the last cell; its output is ``OUTPUT``."""
        source = self.layers(head[:-2], source, "frame.last", "last")
        pooled = self.layers(head[-2:-1], source, "", "head")
        linear = head[-1]
        step = Step(OUTPUT, "layer", (pooled,), linear.channels_out, (1, 1), linear, "frame.classifier")
        self.steps.append(step)

    def zeros(self, channels: int, size: Size, name: str) -> str:
        """Append a map of zeros, one per image: a node that no edge leads to."""
        self.steps.append(Step(name, "zeros", (INPUT,), channels, size))
        return name


def graph(
    architecture: Architecture, classes: int, image: tuple[int, int, int], stem: Stem = "cifar"
) -> tuple[Step, ...]:
    """The steps of a discrete network without auxiliary head, in an order in which they can be run.

    The first reads ``INPUT``, (n, channels, height, width); the last one's output is (n, classes).
    """
    space = SPACES[architecture.genotype.space]
    frame = skeleton(space, architecture.channels, architecture.cells, classes, image, stem)
    build = Builder()
    maps = [INPUT]
    for number, part in enumerate(frame.stem):
        maps.append(build.layers(part, maps[-1], f"frame.stem.{number}", f"stem{number}"))
    before, now = maps[1], maps[-1]
    for index, site in enumerate(frame.cells):
        if len(site.before) == 2 and space.stacking == "reduction_cells":
            pairs = zip((before, now), site.before, strict=True)
            # The frame computes the ReLU, which the next cell reads too.
            inputs = [
                build.layers(part, source, f"frame.before.{index}.{number}", f"cell{index}/input{number}", 1)
                for number, (source, part) in enumerate(pairs)
            ]
        else:
            inputs = [_residual(build, site, now, index)]
        before, now = now, _cell(build, architecture, space, site, inputs, index)
    build.classifier(frame.head, now)
    return _needed(build.steps)


def _needed(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Without the steps that nothing reads: a node that only ``none`` edges leave has no effect."""
    wanted, kept = {OUTPUT}, []
    for step in reversed(steps):
        if step.name in wanted:
            wanted.update(step.inputs)
            kept.append(step)
    return tuple(reversed(kept))


def _residual(build: Builder, site: CellSite, now: str, index: int) -> str:
    """NAS-Bench-201's step between groups; nothing inside a group."""
    if not site.before:
        return now
    names = ("main", "shortcut")
    branches = [
        build.layers(part, now, f"frame.before.{index}.{name}", f"cell{index}/{name}")
        for name, part in zip(names, site.before, strict=True)
    ]
    return build.join("add", branches, f"cell{index}/residual")


def _cell(
    build: Builder, architecture: Architecture, space: Space, site: CellSite, inputs: list[str], index: int
) -> str:
    states, number = list(inputs), 0
    for node, edges in enumerate(architecture.genotype.cell(site.kind), start=space.inputs):
        parts = []
        for edge in edges:
            if edge.op == NONE:
                continue
            layers = PRIMITIVES[edge.op](site.channels, *site.edge(edge.source, space.inputs))
            # The cell computes the ReLU that its edges share, so it is no part of an edge's own modules.
            skipped = int(bool(layers) and layers[0].kind == "relu")
            name = f"cell{index}/node{node}/{edge.op}_{edge.source}"
            parts.append(
                build.layers(layers, states[edge.source], f"cells.{index}.edges.{number}", name, skipped)
            )
            number += 1
        name = f"cell{index}/node{node}"
        states.append(
            build.join("add", parts, name) if parts else build.zeros(site.channels, site.size_out, name)
        )
    joined = space.stacking == "reduction_cells"
    return build.join("concat", states[space.inputs :], f"cell{index}/output") if joined else states[-1]
