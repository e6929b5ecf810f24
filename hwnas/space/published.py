"""Published networks by name: cells, here, and the chains of hwnas.space.known.

Cells are written as edges per node (source 0 = c_{k-2}, 1 = c_{k-1}).

Sources: DARTS_V1 and DARTS_V2, arXiv 1806.09055; PDARTS, arXiv 1904.12760; PC_DARTS_CIFAR, arXiv
1907.05737; TND_CIFAR10, the cell that Lyu & Wen published on 2021-07-02 for arXiv 2111.03892.
"""

from __future__ import annotations

from hwnas.space.genotype import Cell, Edge, Genotype
from hwnas.space.known import KNOWN

_SHORT = {
    "s3": "sep_conv_3x3",
    "s5": "sep_conv_5x5",
    "d3": "dil_conv_3x3",
    "d5": "dil_conv_5x5",
    "m3": "max_pool_3x3",
    "m5": "max_pool_5x5",
    "a3": "avg_pool_3x3",
    "c1": "conv_1x1",
    "c3": "conv_3x3",
    "c31": "conv_3x1_1x3",
    "sk": "skip_connect",
}


def _cell(text: str) -> Cell:
    """``"s3 0, sk 1 | ..."``: nodes divided by bars, edges by commas, each an abbreviation and a
    source."""
    nodes = (tuple(edge.split() for edge in node.split(",")) for node in text.split("|"))
    return tuple(tuple(Edge(_SHORT[op], int(source)) for op, source in node) for node in nodes)


CELLS: dict[str, Genotype] = {
    "DARTS_V1": Genotype(
        "darts",
        _cell("s3 1, s3 0 | sk 0, s3 1 | sk 0, s3 1 | s3 0, sk 2"),
        _cell("m3 0, m3 1 | sk 2, m3 0 | m3 0, sk 2 | sk 2, a3 0"),
    ),
    "DARTS_V2": Genotype(
        "darts",
        _cell("s3 0, s3 1 | s3 0, s3 1 | s3 1, sk 0 | sk 0, d3 2"),
        _cell("m3 0, m3 1 | sk 2, m3 1 | m3 0, sk 2 | sk 2, m3 1"),
    ),
    "PDARTS": Genotype(
        "darts",
        _cell("sk 0, d3 1 | sk 0, s3 1 | s3 1, s3 3 | s3 0, d5 4"),
        _cell("a3 0, s5 1 | s3 0, d5 2 | m3 0, d3 1 | d3 1, d5 3"),
    ),
    "PC_DARTS_CIFAR": Genotype(
        "darts",
        _cell("s3 1, sk 0 | s3 0, d3 1 | s5 0, s3 1 | a3 0, d3 1"),
        _cell("s5 1, m3 0 | s5 1, s5 2 | s3 0, s3 3 | s3 1, s3 2"),
    ),
    "TND_CIFAR10": Genotype(
        "tnd",
        _cell("s3 0, c1 1 | sk 0, c3 1 | c1 0, c1 1, s3 3 | c1 0, c31 1, d3 3"),
        _cell(
            "m3 0, m5 1 | m5 0, m3 1, m5 2 | m5 0, m3 1, sk 2, m5 3 | m3 0, sk 1, a3 2, m3 3",
        ),
    ),
}

PUBLISHED: dict[str, Genotype] = {**CELLS, **KNOWN}


def name_of(genotype: Genotype) -> str:
    """The name of a published network, such as RESNET8; empty for all others."""
    return next((name for name, known in PUBLISHED.items() if known == genotype), "")
