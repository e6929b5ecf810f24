"""A network as one readable Python file that needs torch and nothing else.

Written from the layer lists that hwnas.nets builds, with the same names of tensors, so that one weights file
serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent, wrap

from hwnas.results.python_parts import HALVE, HEADER, LOAD, RESIDUAL, call, helpers, primitive
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.layers import PRIMITIVES, CellSite, Layer, Skeleton, Stem, skeleton
from hwnas.space.space import NONE, SPACES, CellKind, Space
from hwnas.space.text import format_text

Pixels = tuple[tuple[float, ...], tuple[float, ...]]


def python_source(
    architecture: Architecture,
    classes: tuple[str, ...],
    image: tuple[int, int, int],
    stem: Stem = "cifar",
    *,
    normalise: Pixels | None = None,
    raw: bool = False,
) -> str:
    """The text of model.py. ``normalise`` = (mean, std) of pixel values in 0..1; ``raw``: uint8 images come
    in.
    """
    genotype = architecture.genotype
    space = SPACES[genotype.space]
    frame = skeleton(space, architecture.channels, architecture.cells, len(classes), image, stem)
    kinds = tuple(dict.fromkeys(site.kind for site in frame.cells))
    cells = [_cell(genotype, space, kind) for kind in kinds]
    body = [_frame(frame, space), *cells, _network(frame, space, stem, raw)]
    used = [
        (op, stride)
        for kind in kinds
        for op, stride in _operations(genotype, space, kind)
        if op != NONE and PRIMITIVES[op](8, stride, (8, 8))
    ]
    primitives = [primitive(op) for op in dict.fromkeys(op for op, _ in used)]
    text = "\n\n\n".join([*primitives, *body])
    parts = [_header(architecture, classes, image, normalise, raw), *helpers(text)]
    if "Halve(" in text or any("Halve(" in part for part in parts):
        parts.insert(1, HALVE)
    if "ResidualBlock(" in text:
        parts.append(RESIDUAL)
    return "\n\n\n".join([*parts, text, LOAD]) + "\n"


def _header(
    architecture: Architecture,
    classes: tuple[str, ...],
    image: tuple[int, int, int],
    normalise: Pixels | None,
    raw: bool,
) -> str:
    mean, std = normalise or ((0.0,) * image[0], (1.0,) * image[0])
    fed = "uint8, 0..255" if raw else "float32, (pixel / 255 - MEAN) / STD"
    return HEADER.format(
        key=architecture.genotype.key,
        genotype="\n".join(wrap(format_text(architecture.genotype), 110)),
        cells=architecture.cells,
        channels=architecture.channels,
        count=len(classes),
        shape=f"(n, {image[0]}, {image[1]}, {image[2]})",
        fed=fed,
        classes=_wrapped(classes),
        mean=mean,
        std=std,
    )


def _wrapped(classes: tuple[str, ...]) -> str:
    """A tuple display, over several lines where one is too short."""
    text = repr(classes)
    return text if len(text) < 90 else "(\n" + "".join(f"    {name!r},\n" for name in classes) + ")"


def _operations(genotype: Genotype, space: Space, kind: CellKind) -> list[tuple[str, int]]:
    """(primitive, stride) of every edge of one kind of cell."""
    return [(edge.op, _stride(kind, edge.source, space)) for node in genotype.cell(kind) for edge in node]


def _stride(kind: CellKind, source: int, space: Space) -> int:
    return 2 if kind == "reduce" and source < space.inputs else 1


def _rectified(op: str, stride: int) -> bool:
    layers = PRIMITIVES[op](8, stride, (8, 8))
    return bool(layers) and layers[0].kind == "relu"


def _cell(genotype: Genotype, space: Space, kind: CellKind) -> str:
    """The class of one kind of cell: its edges as modules, its nodes as sums."""
    modules: list[str] = []
    lines: list[str] = []
    sums: list[str] = []
    for number, node in enumerate(genotype.cell(kind), start=space.inputs):
        terms = []
        for edge in node:
            if edge.op == NONE:
                continue
            stride = _stride(kind, edge.source, space)
            layers = PRIMITIVES[edge.op](8, stride, (8, 8))
            source = f"r{edge.source}" if _rectified(edge.op, stride) else f"s{edge.source}"
            if source.startswith("r") and f"{source} = F.relu(s{edge.source})" not in lines:
                lines.append(f"{source} = F.relu(s{edge.source})")
            terms.append(f"e[{len(modules)}]({source})" if layers else source)
            made = f"{edge.op}(c, stride={stride})" if stride != 1 else f"{edge.op}(c)"
            module = made if layers else "nn.Identity()"
            modules.append(f"{module},  # {len(modules)}: s{edge.source} -> s{number}")
        lines.append(f"s{number} = {' + '.join(terms)}" if terms else f"s{number} = {_nothing(kind)}")
        sums.append(f"s{number}")
    joined = space.stacking == "reduction_cells"
    lines.append(f"return torch.cat([{', '.join(sums)}], dim=1)" if joined else f"return {sums[-1]}")
    inputs = ", ".join(f"s{number}: Tensor" for number in range(space.inputs))
    wide = "all nodes side by side" if joined else "the last node"
    name = {"normal": "NormalCell", "reduce": "ReductionCell"}[kind]
    return (
        f"class {name}(nn.Module):\n"
        f'    """Inputs and nodes are s0, s1, ..., their ReLUs r0, r1, ...; the output is {wide}."""\n\n'
        "    def __init__(self, c: int) -> None:\n"
        "        super().__init__()\n"
        "        self.edges = nn.ModuleList(\n            [\n"
        + indent("\n".join(modules), " " * 16)
        + "\n            ]\n        )\n\n"
        f"    def forward(self, {inputs}) -> Tensor:\n"
        "        e = self.edges\n" + indent("\n".join(lines), " " * 8)
    )


def _nothing(kind: CellKind) -> str:
    """Zeros of a node's shape, for a node that no edge leads to."""
    return "torch.zeros_like(s0[:, :, ::2, ::2])" if kind == "reduce" else "torch.zeros_like(s0)"


def _frame(frame: Skeleton, space: Space) -> str:
    """The class of what stands around the cells."""
    stem = [f"{call(part)}," for part in frame.stem]
    before = [f"{_before(site, space)},  # cell {index}" for index, site in enumerate(frame.cells)]
    last = "".join(f"\n        self.last = {call(frame.head[:-2])}" if len(frame.head) > 2 else "")
    linear = frame.head[-1]
    return (
        "class Frame(nn.Module):\n"
        '    """What stands around the cells: stem, what prepares the inputs of each cell, classifier."""\n\n'
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        "        self.stem = nn.ModuleList(\n            [\n"
        + indent("\n".join(stem), " " * 16)
        + "\n            ]\n        )\n"
        "        self.before = nn.ModuleList(\n            [\n"
        + indent("\n".join(before), " " * 16)
        + f"\n            ]\n        ){last}\n"
        f"        self.classifier = nn.Linear({linear.channels_in}, {linear.channels_out})"
    )


def _before(site: CellSite, space: Space) -> str:
    if space.stacking == "reduction_cells":
        # Without the ReLU, which the network computes once for two cells.
        return f"nn.ModuleList([{', '.join(call(part[1:]) for part in site.before)}])"
    return f"ResidualBlock({_residual(site.before)})" if site.before else "nn.Identity()"


def _residual(before: Sequence[tuple[Layer, ...]]) -> str:
    first = before[0][0]
    return f"{first.channels_in}, {before[0][-1].channels_out}"


def _network(frame: Skeleton, space: Space, stem: Stem, raw: bool) -> str:
    """The class that joins frame and cells."""
    names = {"normal": "NormalCell", "reduce": "ReductionCell"}
    cells = [f"{names[site.kind]}({site.channels}),  # {index}" for index, site in enumerate(frame.cells)]
    lines = ["x = (x.float() / 255 - self.mean) / self.std"] if raw else []
    paired = space.stacking == "reduction_cells"
    if len(frame.stem) == 2:
        lines += ["before = self.frame.stem[0](x)", "now = self.frame.stem[1](before)"]
        lines.append("older, newer = F.relu(before), F.relu(now)")
    else:
        lines.append("now = self.frame.stem[0](x)")
        lines += ["older = newer = F.relu(now)"] if paired else []
    lines.append("for prepare, cell in zip(self.frame.before, self.cells):")
    if paired:
        lines.append("    now = cell(prepare[0](older), prepare[1](newer))")
        lines.append("    older, newer = newer, F.relu(now)")
    else:
        lines.append("    now = cell(prepare(now))")
    last = "self.frame.last(now)" if len(frame.head) > 2 else "now"
    lines.append(f"return self.frame.classifier({last}.mean((2, 3)))")
    buffers = (
        '        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)\n'
        '        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1), persistent=False)\n'
    )
    return (
        "class Network(nn.Module):\n"
        '    """Images -> logits (n, classes)."""\n\n'
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        f"{buffers if raw else ''}"
        "        self.frame = Frame()\n"
        "        self.cells = nn.ModuleList(\n            [\n"
        + indent("\n".join(cells), " " * 16)
        + "\n            ]\n        )\n\n"
        "    def forward(self, x: Tensor) -> Tensor:\n" + indent("\n".join(lines), " " * 8)
    )
