"""Genotypes in every form, and amounts."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.fuzz.parser import Parser, from_text
from hwnas.costs.amounts import parse_quantity
from hwnas.space.published import PUBLISHED
from hwnas.space.text import format_text, parse


def genotype_parsers() -> list[Parser]:
    """Texts that name networks or amounts."""
    genotypes = [format_text(one).encode() for one in PUBLISHED.values()]
    genotypes += [json.dumps(one.to_dict()).encode() for one in PUBLISHED.values()]
    genotypes += [
        b"|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
        b"DARTS_V2",
        b"2024 genotype = " + genotypes[0] + b"\n2024 train 000",
        b"NASLib: (4, 0, 3, 1, 4, 3)",
        b"bananas: (" + 2 * (b"(" + 4 * b"(0, 4), (1, 5), " + b"), ") + b")",
        *_of_other_projects(),
    ]
    amounts = [b"2 ms", b"12us", b"1e-3 s"]
    return [
        Parser(name="genotype", seeds=genotypes, read=from_text(parse)),
        Parser(
            name="amount", seeds=amounts, read=from_text(lambda text: parse_quantity(text, "ms"))
        ),
    ]


def _of_other_projects() -> list[bytes]:
    """NNI's and ConfigSpace's dictionaries."""
    kinds, op = ("normal", "reduce"), "sep_conv_3x3"
    nni: dict[str, Any] = {}
    for kind in kinds:
        for node in range(2, 6):
            for edge in range(2):
                nni[f"{kind}/op_{node}_{edge}"] = op
                nni[f"{kind}/input_{node}_{edge}"] = [edge]
    config: dict[str, Any] = {f"edge_{kind}_{edge}": op for kind in kinds for edge in range(14)}
    config |= {f"inputs_node_{kind}_{node}": "0_1" for kind in kinds for node in (3, 4, 5)}
    return [json.dumps(nni).encode(), json.dumps(config).encode(), repr(nni).encode()]
